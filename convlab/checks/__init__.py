"""What a student runs while working: `check("ps2/conv2d_forward", conv2d_forward)`."""

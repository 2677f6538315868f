"""The grading package: `python -m autograder --help`."""

"""What the layers refuse, and the sentences with which they do."""

from __future__ import annotations

import numpy as np
import pytest

from convlab import layers


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X, W, B = zeros(2, 7, 7, 3), zeros(4, 3, 3, 3), zeros(4)
Y, ARGMAX = zeros(2, 3, 3, 3), zeros(2, 3, 3, 3, dtype=np.int64)
ROWS, UNITS = zeros(2, 5), zeros(3, 5)
SCORES, LABELS = zeros(2, 10), np.array([3, 9])


@pytest.mark.parametrize(("function", "args", "error", "sentence"), [
    ("conv2d_forward", (X, zeros(4, 5, 5, 4), B), ValueError,
     "the filter is 5x5x4 but the image has 3 channels, so the filter is deeper "
     "than the image: a filter always extends the full depth"),
    ("conv2d_forward", (X, zeros(4, 5, 5, 1), B), ValueError,
     "the filter is 5x5x1 but the image has 3 channels, so the filter is shallower"),
    ("conv2d_forward", (X, W, B, 3), ValueError,
     "(7 + 2*0 - 3)/3 + 1 = 2.33 is not a whole number"),
    ("conv2d_forward", (X, W, B, 0), ValueError, "the stride must be at least 1"),
    ("conv2d_forward", (X, W, B, 1, -1), ValueError,
     "the padding must be at least 0, got -1"),
    ("conv2d_forward", (X, W, B, 1, 0.5), ValueError,
     "the padding must be a whole number, got 0.5"),
    ("conv2d_forward", (X, zeros(4, 9, 3, 3), B), ValueError,
     "a filter of size 9 is larger than the input"),
    ("conv2d_forward", (X.astype(np.uint8), W, B), TypeError,
     "x must be float32 or float64, got uint8: convert with x.astype(np.float32)"),
    ("conv2d_forward", (X.tolist(), W, B), TypeError,
     "x must be a numpy array, got list: convert with np.asarray(x, dtype=np.float32)"),
    ("conv2d_forward", (X, W.astype(np.float64), B), TypeError,
     "w is float64 but the layer's input is float32: convert with "
     "w.astype(np.float32)"),
    ("conv2d_forward", (X, W, B.astype(np.float64)), TypeError, "b is float64"),
    ("conv2d_forward", (X[:0], W, B), ValueError,
     "the batch is empty: x has shape (0, 7, 7, 3)"),
    ("conv2d_forward", (X, W[:0], B[:0]), ValueError, "w is empty"),
    ("conv2d_forward", (X[0], W, B), ValueError,
     "x must have 4 axes (N, H, W, C), got 3: shape (7, 7, 3)"),
    ("conv2d_forward", (X, W[0], B), ValueError,
     "w must have 4 axes (K, Fh, Fw, C), got 3"),
    ("conv2d_forward", (X, W, zeros(3)), ValueError,
     "b holds 3 biases for 4 filters: each has one"),
    ("conv2d_forward", (X, W, zeros(4, 1)), ValueError, "b must have 1 axis (K)"),
    ("conv2d_backward", (zeros(2, 5, 5, 3), X, W), ValueError,
     "dy has shape (2, 5, 5, 3) but the layer's output has shape (2, 5, 5, 4)"),
    ("conv2d_backward", (zeros(2, 5, 5, 4, dtype=np.float64), X, W), TypeError,
     "dy is float64"),
    ("maxpool_forward", (X, 2, 2), ValueError, "= 3.50 is not a whole number"),
    ("maxpool_forward", (X, 0), ValueError, "the filter size must be at least 1"),
    ("maxpool_forward", (zeros(2, 6, 6, 3, dtype=np.int64),), TypeError,
     "got int64: convert with x.astype(np.float32)"),
    ("maxpool_backward", (Y, ARGMAX.astype(np.int32), X.shape), TypeError,
     "the int64 array that maxpool_forward returned, got int32"),
    ("maxpool_backward", (Y, ARGMAX, (5, 7, 7, 3)), ValueError,
     "argmax has shape (2, 3, 3, 3), which no input of shape (5, 7, 7, 3) has"),
    ("maxpool_backward", (Y, ARGMAX + 49, X.shape), ValueError,
     "argmax points outside an image of 7x7 pixels: it runs from 49 to 49"),
    ("maxpool_backward", (Y, ARGMAX - 1, X.shape), ValueError, "from -1 to -1"),
    ("maxpool_backward", (Y[:1], ARGMAX, X.shape), ValueError,
     "dy has shape (1, 3, 3, 3) but the layer's output has shape (2, 3, 3, 3)"),
    ("maxpool_backward", (Y, ARGMAX, (7, 7, 3)), ValueError,
     "x_shape must be (N, H, W, C), four positive whole numbers, got (7, 7, 3)"),
    ("avgpool_forward", (X, 8), ValueError, "a filter of size 8 is larger"),
    ("avgpool_backward", (zeros(2, 2, 2, 3), X.shape, 3, 2), ValueError,
     "dy has shape (2, 2, 2, 3) but the layer's output has shape (2, 3, 3, 3)"),
    ("relu_forward", (LABELS,), TypeError, "x must be float32 or float64"),
    ("relu_backward", (X[:1], X), ValueError, "dy has shape (1, 7, 7, 3)"),
    ("dense_forward", (ROWS, zeros(3, 4), zeros(3)), ValueError,
     "each unit has 4 weights but each input has 5 numbers"),
    ("dense_forward", (ROWS, UNITS, zeros(1)), ValueError,
     "b holds 1 bias for 3 units"),
    ("dense_forward", (X, UNITS, zeros(3)), ValueError,
     "x must have 2 axes (N, D), got 4"),
    ("dense_backward", (zeros(2, 5), ROWS, UNITS), ValueError,
     "dy has shape (2, 5) but the layer's output has shape (2, 3)"),
    ("softmax_cross_entropy", (SCORES, np.array([3, 10])), ValueError,
     "label 10 is out of range: scores has 10 columns, so labels run from 0 to 9"),
    ("softmax_cross_entropy", (SCORES, np.array([-1, 3])), ValueError,
     "label -1 is out of range"),
    ("softmax_cross_entropy", (SCORES, np.array([3.0, 9.0])), TypeError,
     "labels must be an array of whole numbers, got float64"),
    ("softmax_cross_entropy", (SCORES, [3, 9]), TypeError, "got list"),
    ("softmax_cross_entropy", (SCORES, np.eye(10, dtype=int)[LABELS]), ValueError,
     "labels has shape (2, 10) but scores has 2 rows"),
    ("softmax_cross_entropy", (SCORES[:0], LABELS[:0]), ValueError,
     "the batch is empty: scores has shape (0, 10)"),
])
def test_bad_input_is_refused_with_a_sentence(function, args, error, sentence):
    with pytest.raises(error) as caught:
        getattr(layers, function)(*args)
    assert sentence in str(caught.value)


def test_everything_in_the_public_surface_is_there():
    assert all(callable(getattr(layers, name)) for name in layers.__all__)

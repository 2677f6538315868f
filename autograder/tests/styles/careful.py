"""Checks in a helper of its own, types and asserts."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    if pad < 0:
        raise ValueError(f"negative pad: {pad}")
    available = n + 2 * pad - f
    if available < 0:
        raise ValueError(f"filter {f} does not fit in {n + 2 * pad}")
    if available % stride != 0:
        raise ValueError(f"{available} is not a multiple of the stride {stride}")
    return int(available / stride) + 1

# %% conv_parameters
def conv_parameters(channels, filters, size):
    return size * size * channels * filters + filters

# %% one_number
def one_number(chunk, w, b):
    assert chunk.shape == w.shape
    return float(np.sum(np.multiply(chunk, w))) + b

# %% activation_map
def activation_map(x, w, b):
    return strided_map(x, w, b, 1)

# %% strided_map
def strided_map(x, w, b, stride):
    height, width, channels = x.shape
    filter_height, filter_width, filter_channels = w.shape
    assert channels == filter_channels
    new_height = output_size(height, filter_height, stride)
    new_width = output_size(width, filter_width, stride)
    y = np.empty((new_height, new_width))
    for row in range(new_height):
        start = row * stride
        band = x[start:start + filter_height]
        for column in range(new_width):
            left = column * stride
            y[row, column] = one_number(band[:, left:left + filter_width], w, b)
    return y

# %% zero_pad
def zero_pad(x, pad):
    height, width, channels = x.shape
    side = np.zeros((height, pad, channels), x.dtype)
    wide = np.concatenate([side, x, side], axis=1)
    above = np.zeros((pad, width + 2 * pad, channels), x.dtype)
    return np.concatenate([above, wide, above], axis=0)

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    padded = zero_pad(x, pad)
    height = output_size(padded.shape[0], w.shape[1], stride)
    width = output_size(padded.shape[1], w.shape[2], stride)
    y = np.empty((height, width, w.shape[0]))
    for k, (weights, bias) in enumerate(zip(w, b, strict=True)):
        y[..., k] = strided_map(padded, weights, bias, stride)
    return y

# %% conv2d_slow
def check_shapes(x, w, pad):
    if pad < 0:
        raise ValueError(f"negative pad: {pad}")
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(f"{x.shape[-1]} channels, filters have {w.shape[-1]}")


def conv2d_slow(x, w, b, stride=1, pad=0):
    check_shapes(x, w, pad)
    results = [activation_maps(image, w, b, stride, pad) for image in x]
    return np.asarray(results, dtype=x.dtype)

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    for k in prange(w.shape[0]):
        for n in range(x.shape[0]):
            y[n, :, :, k] = b[k]
            for p in range(w.shape[1]):
                for q in range(w.shape[2]):
                    for c in range(w.shape[3]):
                        weight = w[k, p, q, c]
                        for i in range(y.shape[1]):
                            for j in range(y.shape[2]):
                                y[n, i, j, k] += weight * x[n, p + i * stride,
                                                            q + j * stride, c]


def conv2d_forward(x, w, b, stride=1, pad=0):
    check_shapes(x, w, pad)
    batch, height, width, _ = x.shape
    count, filter_height, filter_width, _ = w.shape
    new_height = output_size(height, filter_height, stride, pad)
    new_width = output_size(width, filter_width, stride, pad)
    padding = ((0, 0), (pad, pad), (pad, pad), (0, 0))
    padded = np.pad(x, padding, mode="constant", constant_values=0)
    y = np.empty((batch, new_height, new_width, count), dtype=x.dtype)
    fill_maps(padded, w, b, stride, y)
    return y

# %% dilate_filters
def dilate_filters(w, dilation):
    if dilation < 1:
        raise ValueError(f"dilation must be 1 or more, got {dilation}")
    old = np.array(w.shape)
    old[1:3] = (old[1:3] - 1) * dilation + 1
    result = np.zeros(old, dtype=w.dtype)
    result[:, ::dilation, ::dilation, :] = w
    return result

"""No loop where numpy has one."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    size = (n - f + 2 * pad) / stride + 1
    if size != int(size) or size < 1 or pad < 0:
        raise ValueError("these numbers do not go together")
    return int(size)

# %% conv_parameters
def conv_parameters(channels, filters, size):
    return np.prod([filters, channels, size, size]) + filters

# %% one_number
def one_number(chunk, w, b):
    return np.einsum("ijk,ijk->", chunk, w) + b

# %% activation_map
def activation_map(x, w, b):
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape)
    return np.einsum("hwcijk,ijk->hw", windows, w) + b

# %% strided_map
def strided_map(x, w, b, stride):
    for axis in (0, 1):
        output_size(x.shape[axis], w.shape[axis], stride)
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape)
    return np.einsum("hwcijk,ijk->hw", windows[::stride, ::stride], w) + b

# %% zero_pad
def zero_pad(x, pad):
    return np.pad(x, [(pad, pad), (pad, pad), (0, 0)], "constant")

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    p = zero_pad(x, pad)
    return np.moveaxis(
        np.array([strided_map(p, w[k], b[k], stride) for k in range(len(b))]), 0, 2)

# %% conv2d_slow
def conv2d_slow(x, w, b, stride=1, pad=0):
    n, h, ww, c = x.shape
    k, fh, fw, d = w.shape
    if c != d:
        raise ValueError(f"{c} != {d}")
    y = np.zeros((n, output_size(h, fh, stride, pad),
                  output_size(ww, fw, stride, pad), k))
    for a in range(n):
        y[a] = activation_maps(x[a], w, b, stride, pad)
    return y.astype(x.dtype)

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    flat = w.reshape(w.shape[0], -1)
    for n in prange(y.shape[0]):
        for i in range(y.shape[1]):
            for j in range(y.shape[2]):
                a, e = i * stride, j * stride
                part = x[n, a:a + w.shape[1], e:e + w.shape[2], :].copy().reshape(-1)
                for k in range(y.shape[3]):
                    y[n, i, j, k] = np.sum(flat[k] * part) + b[k]


def conv2d_forward(x, w, b, stride=1, pad=0):
    if x.shape[3] != w.shape[3]:
        raise ValueError(f"{x.shape[3]} != {w.shape[3]}")
    h = output_size(x.shape[1], w.shape[1], stride, pad)
    v = output_size(x.shape[2], w.shape[2], stride, pad)
    p = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)], "constant")
    result = np.zeros((x.shape[0], h, v, w.shape[0]), x.dtype)
    fill_maps(p, np.ascontiguousarray(w), b, stride, result)
    return result

# %% dilate_filters
def dilate_filters(w, dilation):
    one = np.zeros((dilation, dilation))
    one[0, 0] = 1
    whole = np.kron(w.transpose(0, 3, 1, 2), one).transpose(0, 2, 3, 1)
    rows, columns = ((s - 1) * dilation + 1 for s in w.shape[1:3])
    return whole[:, :rows, :columns].astype(w.dtype)

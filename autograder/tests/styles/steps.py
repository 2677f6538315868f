"""Close to the hints of the notebook, in its own words."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    free = n - f + 2 * pad
    if pad < 0:
        raise ValueError("Padding has to be at least 0.")
    elif free < 0:
        raise ValueError("The filter does not fit into the input.")
    elif free % stride > 0:
        raise ValueError("The stride leaves a remainder.")
    else:
        return free // stride + 1

# %% conv_parameters
def conv_parameters(channels, filters, size):
    per_filter = channels * size * size
    per_filter = per_filter + 1  # the bias
    return filters * per_filter

# %% one_number
def one_number(chunk, w, b):
    return (chunk * w).sum() + b

# %% activation_map
def activation_map(x, w, b):
    fh, fw = w.shape[:2]
    h_out = output_size(x.shape[0], fh)
    w_out = output_size(x.shape[1], fw)
    amap = np.zeros((h_out, w_out))
    for r in range(h_out):
        for c in range(w_out):
            amap[r][c] = one_number(x[r:r + fh, c:c + fw], w, b)
    return amap

# %% strided_map
def strided_map(x, w, b, stride):
    fh, fw = w.shape[:2]
    h_out = output_size(x.shape[0], fh, stride)
    w_out = output_size(x.shape[1], fw, stride)
    amap = np.zeros((h_out, w_out))
    r = 0
    for i in range(h_out):
        c = 0
        for j in range(w_out):
            amap[i][j] = one_number(x[r:r + fh, c:c + fw], w, b)
            c += stride
        r += stride
    return amap

# %% zero_pad
def zero_pad(x, pad):
    h, w, c = x.shape
    new = np.zeros((h + 2 * pad, w + 2 * pad, c)).astype(x.dtype)
    for i in range(h):
        for j in range(w):
            new[i + pad, j + pad] = x[i, j]
    return new

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    xpad = zero_pad(x, pad)
    all_maps = [strided_map(xpad, w[i], b[i], stride) for i in range(w.shape[0])]
    return np.array(all_maps).transpose(1, 2, 0)

# %% conv2d_slow
def conv2d_slow(x, w, b, stride=1, pad=0):
    if pad < 0:
        raise ValueError("Padding has to be at least 0.")
    if w.shape[3] != x.shape[3]:
        raise ValueError("The filters must be as deep as the images.")
    out = []
    for i in range(x.shape[0]):
        maps = activation_maps(x[i], w, b, stride, pad)
        out.append(maps)
    return np.array(out, dtype=x.dtype)

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    for n in prange(y.shape[0]):
        for r in range(y.shape[1]):
            for c in range(y.shape[2]):
                for k in range(y.shape[3]):
                    acc = 0.0
                    for d in range(w.shape[3]):
                        for i in range(w.shape[1]):
                            for j in range(w.shape[2]):
                                row, col = r * stride + i, c * stride + j
                                acc += w[k, i, j, d] * x[n, row, col, d]
                    y[n, r, c, k] = acc + b[k]


def conv2d_forward(x, w, b, stride=1, pad=0):
    if w.shape[3] != x.shape[3]:
        raise ValueError("The filters must be as deep as the images.")
    h_out = output_size(x.shape[1], w.shape[1], stride, pad)
    w_out = output_size(x.shape[2], w.shape[2], stride, pad)
    y = np.zeros((x.shape[0], h_out, w_out, w.shape[0]), dtype=x.dtype)
    h_pad, w_pad = x.shape[1] + 2 * pad, x.shape[2] + 2 * pad
    xpad = np.zeros((x.shape[0], h_pad, w_pad, x.shape[3]), dtype=x.dtype)
    for n in range(x.shape[0]):
        xpad[n] = zero_pad(x[n], pad)
    fill_maps(xpad, w, b, stride, y)
    return y

# %% dilate_filters
def dilate_filters(w, dilation):
    k, h, v, c = w.shape
    shape = (k, (h - 1) * dilation + 1, (v - 1) * dilation + 1, c)
    new = np.zeros(shape, dtype=w.dtype)
    for i in range(h):
        for j in range(v):
            new[:, i * dilation, j * dilation] = w[:, i, j]
    return new

"""While loops, as learnt elsewhere."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    if pad < 0 or f > n + 2 * pad:
        raise ValueError("filter or padding is not possible")
    count = 0
    position = -pad
    while position + f <= n + pad:
        count += 1
        position += stride
    if position - stride + f != n + pad:
        raise ValueError("the last position does not reach the end")
    return count

# %% conv_parameters
def conv_parameters(channels, filters, size):
    one_filter = size * size * channels + 1
    return one_filter * filters

# %% one_number
def one_number(chunk, w, b):
    total = b
    for value, weight in zip(chunk.flatten(), w.flatten(), strict=True):
        total += value * weight
    return total

# %% activation_map
def activation_map(x, w, b):
    fh = w.shape[0]
    fw = w.shape[1]
    rows = []
    top = 0
    while top + fh <= x.shape[0]:
        row = []
        left = 0
        while left + fw <= x.shape[1]:
            row.append(one_number(x[top:top + fh, left:left + fw], w, b))
            left += 1
        rows.append(row)
        top += 1
    return np.array(rows)

# %% strided_map
def strided_map(x, w, b, stride):
    result = np.zeros((output_size(x.shape[0], w.shape[0], stride),
                       output_size(x.shape[1], w.shape[1], stride)))
    for index in np.ndindex(result.shape):
        top = index[0] * stride
        left = index[1] * stride
        window = x[top:top + w.shape[0], left:left + w.shape[1]]
        result[index] = one_number(window, w, b)
    return result

# %% zero_pad
def zero_pad(x, pad):
    if pad == 0:
        return x.copy()
    height, width, depth = x.shape
    framed = np.zeros((height + 2 * pad, width + 2 * pad, depth), dtype=x.dtype)
    framed[pad:-pad, pad:-pad] = x
    return framed

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    framed = zero_pad(x, pad)
    first = strided_map(framed, w[0], b[0], stride)
    maps = np.zeros((first.shape[0], first.shape[1], len(w)))
    maps[:, :, 0] = first
    for k in range(1, len(w)):
        maps[:, :, k] = strided_map(framed, w[k], b[k], stride)
    return maps

# %% conv2d_slow
def conv2d_slow(x, w, b, stride=1, pad=0):
    if w.shape[3] != x.shape[3]:
        raise ValueError("w and x must have the same number of channels")
    height = output_size(x.shape[1], w.shape[1], stride, pad)
    width = output_size(x.shape[2], w.shape[2], stride, pad)
    out = np.zeros((x.shape[0], height, width, w.shape[0]), dtype=x.dtype)
    for number in range(x.shape[0]):
        out[number, :, :, :] = activation_maps(x[number], w, b, stride, pad)
    return out

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    images, height, width, filters = y.shape
    for position in prange(height * width):
        row = position // width
        column = position % width
        for image in range(images):
            for f in range(filters):
                value = b[f]
                for i in range(w.shape[1]):
                    for j in range(w.shape[2]):
                        for c in range(w.shape[3]):
                            value += w[f, i, j, c] * x[image, row * stride + i,
                                                       column * stride + j, c]
                y[image, row, column, f] = value


def conv2d_forward(x, w, b, stride=1, pad=0):
    height = output_size(x.shape[1], w.shape[1], stride, pad)
    width = output_size(x.shape[2], w.shape[2], stride, pad)
    if w.shape[3] != x.shape[3]:
        raise ValueError("w and x must have the same number of channels")
    framed = np.stack([zero_pad(image, pad) for image in x])
    out = np.zeros((x.shape[0], height, width, w.shape[0]), dtype=x.dtype)
    fill_maps(framed, w, b, stride, out)
    return out

# %% dilate_filters
def dilate_filters(w, dilation):
    k, rows, columns, channels = w.shape
    new_rows = rows + (rows - 1) * (dilation - 1)
    new_columns = columns + (columns - 1) * (dilation - 1)
    apart = np.zeros((k, new_rows, new_columns, channels), dtype=w.dtype)
    for row in range(0, new_rows, dilation):
        for column in range(0, new_columns, dilation):
            apart[:, row, column] = w[:, row // dilation, column // dilation]
    return apart

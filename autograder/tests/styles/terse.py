"""As few lines as it goes, numpy for the rest."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    span = n + 2 * pad - f
    if pad < 0 or span < 0 or span % stride:
        raise ValueError(f"n={n}, f={f}, stride={stride}, pad={pad} do not fit")
    return 1 + span // stride

# %% conv_parameters
def conv_parameters(channels, filters, size):
    return filters * (channels * size**2 + 1)

# %% one_number
def one_number(chunk, w, b):
    return np.dot(chunk.ravel(), w.ravel()) + b

# %% activation_map
def activation_map(x, w, b):
    (fh, fw), (h, wd) = w.shape[:2], x.shape[:2]
    return np.array([[one_number(x[r:r + fh, c:c + fw], w, b)
                      for c in range(wd - fw + 1)] for r in range(h - fh + 1)])

# %% strided_map
def strided_map(x, w, b, stride):
    output_size(x.shape[0], w.shape[0], stride)
    output_size(x.shape[1], w.shape[1], stride)
    return activation_map(x, w, b)[::stride, ::stride]

# %% zero_pad
def zero_pad(x, pad):
    return np.pad(x, ((pad, pad), (pad, pad), (0, 0)))

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    px = zero_pad(x, pad)
    return np.dstack([strided_map(px, f, c, stride) for f, c in zip(w, b, strict=True)])

# %% conv2d_slow
def conv2d_slow(x, w, b, stride=1, pad=0):
    if pad < 0 or w.shape[-1] != x.shape[-1]:
        raise ValueError("negative padding, or not as deep as the images")
    every = [activation_maps(one, w, b, stride, pad) for one in x]
    return np.stack(every).astype(x.dtype)

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    for n in prange(len(x)):
        for r, c, k in np.ndindex(y.shape[1:]):
            top, left = r * stride, c * stride
            chunk = x[n, top:top + w.shape[1], left:left + w.shape[2]]
            y[n, r, c, k] = (chunk * w[k]).sum() + b[k]


def conv2d_forward(x, w, b, stride=1, pad=0):
    if w.shape[-1] != x.shape[-1]:
        raise ValueError("filters and images differ in depth")
    size = [output_size(x.shape[a], w.shape[a], stride, pad) for a in (1, 2)]
    y = np.empty((len(x), *size, len(w)), x.dtype)
    fill_maps(np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))), w, b, stride, y)
    return y

# %% dilate_filters
def dilate_filters(w, dilation):
    k, h, v, c = w.shape
    big = np.zeros((k, dilation * h, dilation * v, c), w.dtype)
    big[:, ::dilation, ::dilation] = w
    return big[:, :dilation * (h - 1) + 1, :dilation * (v - 1) + 1]

"""Small steps, a variable for everything."""

import numpy as np
from numba import njit, prange


# %% output_size
def output_size(n, f, stride=1, pad=0):
    if pad < 0:
        raise ValueError("pad must not be negative")
    padded = n + pad + pad
    if f > padded:
        raise ValueError("the filter is too big")
    steps, rest = divmod(padded - f, stride)
    if rest != 0:
        raise ValueError("stride does not fit: " + str(rest) + " left over")
    return steps + 1

# %% conv_parameters
def conv_parameters(channels, filters, size):
    weights = filters * channels * size * size
    biases = filters
    return weights + biases

# %% one_number
def one_number(chunk, w, b):
    product = chunk * w
    return product.sum() + b

# %% activation_map
def activation_map(x, w, b):
    H, W, C = x.shape
    Fh, Fw, _ = w.shape
    out = np.zeros((H - Fh + 1, W - Fw + 1))
    for i in range(H - Fh + 1):
        for j in range(W - Fw + 1):
            chunk = x[i:i + Fh, j:j + Fw, :]
            out[i, j] = one_number(chunk, w, b)
    return out

# %% strided_map
def strided_map(x, w, b, stride):
    H, W, C = x.shape
    Fh, Fw, _ = w.shape
    Ho = output_size(H, Fh, stride)
    Wo = output_size(W, Fw, stride)
    out = np.zeros((Ho, Wo))
    for i in range(Ho):
        for j in range(Wo):
            chunk = x[i * stride:i * stride + Fh, j * stride:j * stride + Fw, :]
            out[i, j] = one_number(chunk, w, b)
    return out

# %% zero_pad
def zero_pad(x, pad):
    H, W, C = x.shape
    out = np.zeros((H + 2 * pad, W + 2 * pad, C), x.dtype)
    out[pad:H + pad, pad:W + pad, :] = x
    return out

# %% activation_maps
def activation_maps(x, w, b, stride=1, pad=0):
    x = zero_pad(x, pad)
    K = w.shape[0]
    maps = []
    for k in range(K):
        maps.append(strided_map(x, w[k], b[k], stride))
    return np.stack(maps, axis=-1)

# %% conv2d_slow
def conv2d_slow(x, w, b, stride=1, pad=0):
    if pad < 0:
        raise ValueError("pad must not be negative")
    if x.shape[3] != w.shape[3]:
        raise ValueError("channels of x and w are different")
    images = []
    for image in x:
        images.append(activation_maps(image, w, b, stride, pad))
    return np.array(images).astype(x.dtype)

# %% conv2d_forward
@njit(parallel=True)
def fill_maps(x, w, b, stride, y):
    N, Ho, Wo, K = y.shape
    _, Fh, Fw, C = w.shape
    for n in prange(N):
        for k in range(K):
            for i in range(Ho):
                for j in range(Wo):
                    s = 0.0
                    for p in range(Fh):
                        for q in range(Fw):
                            for c in range(C):
                                value = x[n, i * stride + p, j * stride + q, c]
                                s += value * w[k, p, q, c]
                    y[n, i, j, k] = s + b[k]


def conv2d_forward(x, w, b, stride=1, pad=0):
    N, H, W, C = x.shape
    K, Fh, Fw, Cw = w.shape
    if Cw != C:
        raise ValueError("channels of x and w are different")
    Ho = output_size(H, Fh, stride, pad)
    Wo = output_size(W, Fw, stride, pad)
    xp = np.zeros((N, H + 2 * pad, W + 2 * pad, C), x.dtype)
    xp[:, pad:pad + H, pad:pad + W, :] = x
    y = np.zeros((N, Ho, Wo, K), x.dtype)
    fill_maps(xp, w, b, stride, y)
    return y

# %% dilate_filters
def dilate_filters(w, dilation):
    K, Fh, Fw, C = w.shape
    out = np.zeros((K, (Fh - 1) * dilation + 1, (Fw - 1) * dilation + 1, C), w.dtype)
    for i in range(Fh):
        for j in range(Fw):
            out[:, i * dilation, j * dilation, :] = w[:, i, j, :]
    return out

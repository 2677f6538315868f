"""The convolution layer: every filter slides over every image.

y[n, p, q, k] = b[k] + the dot product of filter w[k] with the Fh x Fw x C chunk
of image n whose top left corner is at row p*stride - pad, column q*stride - pad
(slides 23-51). This is cross-correlation: the filter is not flipped.

The loops are in `direct.py`. Two cases are computed otherwise. Filters of 3x3 and of
5x5 pixels on large batches of many channels, in float32, take half of the
multiplications or less (`winograd.py`, which also says what that costs in precision).
And the gradient by the images where the stride is more than 1 is a row of matrix
products, by BLAS (`products.py`). Filters of one pixel (slide 55) are a matrix
product as well, and the loops compute it: beside them, BLAS is no faster
(`make bench`).
"""

from __future__ import annotations

import numpy as np

from convlab.layers import direct, inputs, products, winograd
from convlab.layers.direct import Slide
from convlab.layers.threads import share


def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray,
                   stride: int = 1, pad: int = 0) -> np.ndarray:
    """Activation maps y (N, H', W', K) of images x under K filters.

    x (N, H, W, C), w (K, Fh, Fw, C), b (K,): all float32 or all float64, as
    is y. H' = (H + 2*pad - Fh)/stride + 1, and W' likewise. Raises ValueError
    for sizes that do not fit, TypeError for dtypes.
    """
    return _forward(x, w, b, stride, pad, relu=False)


def conv2d_relu_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray,
                        stride: int = 1, pad: int = 0) -> np.ndarray:
    """relu_forward(conv2d_forward(x, w, b, stride, pad)), in one pass over y."""
    return _forward(x, w, b, stride, pad, relu=True)


def conv2d_backward(dy: np.ndarray, x: np.ndarray, w: np.ndarray,
                    stride: int = 1, pad: int = 0
                    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw, db of a convolution, from the gradient dy (N, H', W', K).

    x, w, stride and pad are those of the forward pass; the gradients have the
    shapes and dtype of x, w and b. Raises as conv2d_forward does. The last
    digits of dw and db depend on how many threads add them up.
    """
    x, w, slide = _prepare(x, w, stride, pad)
    dy = inputs.gradient(dy, (len(x), slide.h_out, slide.w_out, len(w)), like=x)
    dw, db = _weight_gradients(dy, x, w, slide)
    return _image_gradients(dy, x.shape, w, slide), dw, db


def conv2d_weight_gradients(dy: np.ndarray, x: np.ndarray, w: np.ndarray,
                            stride: int = 1, pad: int = 0
                            ) -> tuple[np.ndarray, np.ndarray]:
    """dw, db of conv2d_backward alone: nobody learns from a first layer's dx."""
    x, w, slide = _prepare(x, w, stride, pad)
    dy = inputs.gradient(dy, (len(x), slide.h_out, slide.w_out, len(w)), like=x)
    return _weight_gradients(dy, x, w, slide)


def _prepare(x: object, w: object, stride: int, pad: int
             ) -> tuple[np.ndarray, np.ndarray, Slide]:
    x = inputs.images(x)
    w = inputs.filters(w, x)
    _, f_h, f_w, _ = w.shape
    h_out, w_out = inputs.positions(x.shape, f_h, f_w, stride, pad)
    return x, w, Slide(f_h, f_w, int(stride), int(pad), int(pad), h_out, w_out)


def _forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int, pad: int,
             relu: bool) -> np.ndarray:
    x, w, slide = _prepare(x, w, stride, pad)
    b = inputs.bias(b, len(w), x, "filters")
    return _run(x, direct.pack(w, direct.block_for(len(w))), b, slide, relu)


def _run(x: np.ndarray, packed: np.ndarray, b: np.ndarray, slide: Slide,
         relu: bool = False) -> np.ndarray:
    y = np.empty((len(x), slide.h_out, slide.w_out, len(b)), x.dtype)
    loops, weights = direct.forward, packed
    if winograd.suits(x, slide, len(b)):
        loops, weights = winograd.forward, winograd.transform_filters(
            packed, slide.f_h)
    share(loops, len(x), y.size, x, weights, direct.pack_biases(b, packed.shape[2]), y,
          slide, relu)
    return y


def _weight_gradients(dy: np.ndarray, x: np.ndarray, w: np.ndarray, slide: Slide
                      ) -> tuple[np.ndarray, np.ndarray]:
    loops = winograd if winograd.suits(x, slide, len(w)) else direct
    parts = share(loops.weight_gradients, len(x), dy.size, dy, x,
                  direct.block_for(len(w)), slide)
    dw, db = sum(dw for dw, _ in parts), sum(db for _, db in parts)
    return direct.unpack(dw, w.shape), np.array(db)


def _image_gradients(dy: np.ndarray, x_shape: tuple[int, ...], w: np.ndarray,
                     slide: Slide) -> np.ndarray:
    """The gradient by the images, of shape x_shape.

    At stride 1 a pixel gets, from each output that saw it, its gradient times the
    weight that it had there: a convolution of dy, framed by as many zeros as a
    filter reaches beyond one pixel less the padding.
    """
    pad_h, pad_w = slide.f_h - 1 - slide.pad_h, slide.f_w - 1 - slide.pad_w
    if slide.stride == 1 and pad_h >= 0 and pad_w >= 0:
        back = Slide(slide.f_h, slide.f_w, 1, pad_h, pad_w, *x_shape[1:3])
        channels = x_shape[3]
        packed = direct.pack_turned(w, direct.block_for(channels))
        return _run(dy, packed, np.zeros(channels, w.dtype), back)
    dx = np.zeros(x_shape, w.dtype)
    share(products.image_gradients, len(dx), dy.size, dy, w, dx, slide)
    return dx

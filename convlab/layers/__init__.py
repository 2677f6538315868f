"""The reference layers: plain functions on numpy arrays, numba kernels inside.

Volumes are (N, H, W, C), filters (K, Fh, Fw, C), fully connected weights
(K, D). Every function keeps the dtype it is given, float32 or float64, takes
arrays of any memory layout, and changes none of its inputs.
"""

from convlab.layers.activation import relu_backward, relu_forward
from convlab.layers.conv import (
    conv2d_backward,
    conv2d_forward,
    conv2d_relu_forward,
    conv2d_weight_gradients,
)
from convlab.layers.dense import dense_backward, dense_forward
from convlab.layers.dropout import dropout_backward, dropout_forward
from convlab.layers.loss import softmax_cross_entropy
from convlab.layers.norm import (
    batchnorm_backward,
    batchnorm_forward,
    batchnorm_predict,
    batchnorm_relu_backward,
    batchnorm_relu_forward,
    batchnorm_relu_predict,
)
from convlab.layers.pool import (
    avgpool_backward,
    avgpool_forward,
    maxpool_backward,
    maxpool_forward,
)

__all__ = [
    "avgpool_backward",
    "avgpool_forward",
    "batchnorm_backward",
    "batchnorm_forward",
    "batchnorm_predict",
    "batchnorm_relu_backward",
    "batchnorm_relu_forward",
    "batchnorm_relu_predict",
    "conv2d_backward",
    "conv2d_forward",
    "conv2d_relu_forward",
    "conv2d_weight_gradients",
    "dense_backward",
    "dense_forward",
    "dropout_backward",
    "dropout_forward",
    "maxpool_backward",
    "maxpool_forward",
    "relu_backward",
    "relu_forward",
    "softmax_cross_entropy",
]

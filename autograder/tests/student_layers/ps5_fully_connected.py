"""Carried over from ps5_fully_connected: written by convlab.carry, from its cells."""

__all__ = ['dense_backward', 'dense_forward', 'flatten', 'softmax_cross_entropy']

import numpy as np


def flatten(x):
    return x.reshape(len(x), -1)

def dense_forward(x, w, b):
    return x @ w.T + b

def dense_backward(dy, x, w):
    return dy @ w, dy.T @ x, dy.sum(axis=0)

def softmax_cross_entropy(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    slopes = np.exp(logs)
    slopes[rows, labels] -= 1
    return float(-logs[rows, labels].mean()), slopes / len(labels)

"""Scores, probabilities and gradients as drawn, against scipy and the layers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from book import figures
from book.figures.loss import softmax
from convlab import layers
from convlab.arithmetic import SizeError

SCORES, NAMES = [2, 1, 0], ["cat", "dog", "ship"]


@pytest.mark.parametrize("scores", [SCORES, [-3.5, 0.25], [1000, 998, -1000], [0] * 4])
@pytest.mark.parametrize("temperature", [0.5, 1, 20])
def test_softmax_of_scipy(scores, temperature):
    expected = scipy.special.softmax(np.array(scores) / temperature)
    assert np.allclose(softmax(scores, temperature), expected, rtol=1e-12, atol=0)


def test_pull_shows_the_gradient_of_the_layer():
    _, gradient = layers.softmax_cross_entropy(np.array([SCORES], float), np.array([1]))
    told = ", ".join(f"{value:.2f}" for value in gradient[0]).rsplit(", ", 1)
    assert " and ".join(told) in figures.pull(SCORES, NAMES, 1).alt


def test_figures_tell_their_numbers():
    drawn = figures.scores_to_probabilities(SCORES, NAMES)
    assert "exponentials 7.39, 2.72 and 1.00" in drawn.alt
    assert "probabilities 0.67, 0.24 and 0.09" in drawn.alt
    assert "0.1 gives 2.30" in figures.surprise([1, 0.1]).alt
    hot, cold = (figures.tempered(SCORES, NAMES, t).alt for t in (100, 0.01))
    assert "0.34, 0.33 and 0.33" in hot
    assert "1.00, 0.00 and 0.00" in cold


@pytest.mark.parametrize("wrong", [
    lambda: figures.scores_to_probabilities([1, 2], NAMES),
    lambda: figures.scores_to_probabilities([1], ["cat"]),
    lambda: figures.tempered(SCORES, NAMES, 0),
    lambda: figures.pull(SCORES, NAMES, 3),
    lambda: figures.surprise([0.5, 0]),
    lambda: figures.surprise([]),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()

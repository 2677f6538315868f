"""Figures of training and of the way back: what they compute, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d
from test_figures import words

from book import figures
from book.figures.training import percent, walked
from book.figures.way_back import laid_down
from convlab.arithmetic import SizeError

HISTORY = [{"epoch": k, "loss": 3 / k, "train_accuracy": 1 - 0.6 / k,
            "validation_accuracy": 0.7 - 0.3 / k - 0.002 * k} for k in range(1, 13)]


def test_an_epoch_has_a_step_for_each_batch_the_last_one_too():
    # 45,000 = 703 * 64 + 8
    assert "704 batches of 64, the last of 8" in figures.one_epoch(50000, 5000, 64).alt
    assert "3 batches of 30, the last of 30" in figures.one_epoch(100, 10, 30).alt


def test_steps_without_momentum_shrink_each_axis_by_its_own_factor():
    # 1 - 0.1*2 = 0.8 along x, 1 - 0.1*5 = 0.5 along y
    path = walked((2, 5), (10, 4), 0.1, 0, 3)
    np.testing.assert_allclose(path, [(10, 4), (8, 2), (6.4, 1), (5.12, 0.5)])


def test_steps_with_momentum_by_hand():
    # v: 10, 0.9*10 + 9 = 18, 0.9*18 + 7.2 = 23.4; w: 10, 9, 7.2, 4.86
    path = walked((1, 1), (10, 0), 0.1, 0.9, 3)
    np.testing.assert_allclose([x for x, _ in path], [10, 9, 7.2, 4.86])


def test_valley_says_what_is_left_of_the_loss():
    # 0.5**2 = 25 % after one step; the only step crosses nothing
    shown = figures.valley((1, 1), (10, 0), 0.5, 0, 1)
    assert "loss after that: 25 %" in words(shown)
    assert "crosses the floor of the valley 0 times" in shown.alt


@pytest.mark.parametrize(("part", "written"), [
    (0.254, "25 %"), (0.018, "1.8 %"), (0.00012, "0.012 %"), (1, "100 %")])
def test_percent(part, written):
    assert percent(part) == written


def test_schedules_are_those_of_the_optimisers():
    shown = figures.schedules(0.05, "triangular")
    assert {"constant", "triangular", "cosine", "0.05", "0.025"} <= set(words(shown))
    assert "triangular is 0 % of it at the start, 100 % after a fifth" in shown.alt


def test_curves_say_where_the_best_epoch_is():
    # 0.7 - 0.3/k - 0.002k is largest at k = sqrt(150) = 12.2: in the last epoch here
    alt = figures.accuracies(HISTORY, "as they are").alt
    assert "from 40.0% in the first epoch to 95.0% in epoch 12" in alt
    assert "highest value, 65.1%, in epoch 12" in alt
    assert "3.00, 1.50, 1.00, 0.75" in figures.losses(HISTORY).alt


def test_classes_stand_from_best_to_worst():
    shown = words(figures.by_class(["cat", "ship", "dog"], [0.5, 0.915, 0.6]))
    assert shown == ["ship", "91.5 %", "dog", "60.0 %", "cat", "50.0 %"]


def test_laid_down_is_the_convolution_of_signal_processing():
    rng = np.random.default_rng(0)
    signal, w = rng.integers(-4, 5, (3, 4)), rng.integers(-4, 5, (2, 3))
    np.testing.assert_array_equal(laid_down(signal.tolist(), w.tolist()),
                                  convolve2d(signal, w))


def test_stamps_say_the_rows_of_the_output():
    # 2 times the filter at the top left, -1 times it one lower and further right
    drawing = figures.stamps([[2, 0], [0, -1]], [[1, 3], [0, 2]], 0, 0)
    minus = "\N{MINUS SIGN}"
    assert f"2 6 0; 0 3 {minus}3; 0 0 {minus}2" in drawing.alt  # 4 - 1 = 3


def test_up_and_back_has_three_pairs_a_block():
    shown = words(figures.up_and_back(2))
    assert shown.count("unpooling") == shown.count("max pooling") == 2
    assert shown.count("switches") == shown.count("the same filters") == 2
    assert shown.count("ReLU") == 2 * 2


@pytest.mark.parametrize("wrong", [
    lambda: figures.one_epoch(100, 0, 10),
    lambda: figures.one_epoch(100, 100, 10),
    lambda: figures.one_epoch(100, 10, 91),
    lambda: figures.valley((1, 30), (-10, 2), 0.13, 0, 5),
    lambda: figures.schedules(0.1, "square"),
    lambda: figures.accuracies([]),
    lambda: figures.accuracies([{"epoch": 1, "validation_accuracy": None}]),
    lambda: figures.by_class(["cat"], [0.5, 0.6]),
    lambda: figures.by_class(["cat"], [50]),
    lambda: figures.stamps([[1]], [[1]], 1, 0),
    lambda: figures.up_and_back(0),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()

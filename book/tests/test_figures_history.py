"""Figures of the first networks and of deep ones say what the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from test_figures import POINTS, RUNS, words

from book import figures
from book.figures.early import after_mistakes, where_it_fires
from book.pictures import labelled_points, rows_of_images
from convlab.arithmetic import SizeError

MINUS = "\N{MINUS SIGN}"
SQUARE = [(0, 0), (2, 0), (2, 2), (0, 2)]


def test_a_line_is_drawn_after_each_mistake():
    # (1, 3) is silent at 0: added; (2, 0) has 2 + 1 = 3: taken away; (4, 2) has
    # -4 + 6 = 2: taken away; then (1, 3) has -5 + 3 - 1 = -3: added.
    steps = [after_mistakes(POINTS, k) for k in (1, 2, 3, 4)]
    assert [(step.x, step.w, step.b) for step in steps] == [
        ((1, 3), (1, 3), 1), ((2, 0), (-1, 3), 0), ((4, 2), (-5, 1), -1),
        ((1, 3), (-4, 4), 0)]
    shown = words(figures.perceptron_line(POINTS, 3))
    assert {f"w = ({MINUS}5, 1)", f"b = {MINUS}1", "wrong now: 1 of 4"} <= set(shown)


def test_the_side_that_fires():
    assert where_it_fires((1, 0), -1, SQUARE) == [(1, 0), (2, 0), (2, 2), (1, 2)]
    assert where_it_fires((0, 0), 1, SQUARE) == SQUARE
    assert where_it_fires((0, 0), -1, SQUARE) == []


def test_blame_is_what_the_page_works_out_by_hand():
    shown = words(figures.blame((1, 0), [[2, -1], [-1, 2]], (-1, 1), (1, -2), 0.5, 1))
    assert {"0.7311", "0.5000", "0.5575"} <= set(shown)
    deltas = [text for text in shown if "=" in text]
    assert [text.split("= ")[1] for text in deltas] == [
        f"{MINUS}0.0215", "0.0546", f"{MINUS}0.1092"]


def test_up_down_up_shows_the_step_by_hand():
    shown = words(figures.up_down_up([[2, -2, 1], [-1, 1, 1]], (0, -1), (0, 0, 0),
                                     (1, 0, 1), (0.5, 0.5)))
    assert {"0.9526", "0.2689", "0.8808", "0.1192", "0.7311", "0.905"} <= set(shown)


def test_unrolled_sizes_mirror_the_code():
    shown = words(figures.unrolling((9, 6, 4, 2)))
    assert shown[-8:-1] == ["9", "6", "4", "2", "4", "6", "9"]


def test_beginnings_show_the_mean_of_their_runs():
    alt = figures.ways_to_begin(RUNS, {"PCA": 3.336}).alt
    assert "one from 5.00 to 2.50" in alt  # (2 + 3) / 2
    assert "other from 5.00 to 4.00" in alt
    assert "PCA 3.34" in alt


@pytest.mark.parametrize("wrong", [
    lambda: figures.mark_one((0, 20), 512, 8),
    lambda: figures.perceptron_line(POINTS, 5),
    lambda: figures.perceptron_line(POINTS, 0),
    lambda: figures.blame((1, 0), [[1, 2]], (0,), (1,), 0, 1),
    lambda: figures.fading_gradients(["sine"], 3),
    lambda: figures.fading_gradients(["tanh"], 1),
    lambda: figures.up_down_up([[1, 2]], (0,), (0, 0), (1,), (0.5,)),
    lambda: figures.unrolling((64, 2)),
    lambda: figures.ways_to_begin({"one": [[1, 2]], "two": [[1, 2, 3]]}, {}),
    lambda: figures.sound_to_states(0, 39, 5, 2048, 761),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()


def test_pictures_have_a_panel_for_each_name():
    images = np.arange(3 * 12, dtype=np.uint8).reshape(3, 12)
    rows = rows_of_images({"first": images, "second": images}, (3, 4))
    assert [ax.get_ylabel() for ax in rows.axes] == ["first", "second"]
    shown = rows.axes[0].images[0].get_array()
    assert shown.shape == (3, 3 * (4 + 1))
    assert (shown[:, 5:9] == images[1].reshape(3, 4)).all()
    points = np.array([[0.0, 1.0], [2.0, 3.0]])
    planes = labelled_points({"one": points, "two": points}, [7, 3])
    assert [ax.get_title() for ax in planes.axes] == ["one", "two"]
    assert [text.get_text() for text in planes.axes[1].texts] == ["7", "3"]

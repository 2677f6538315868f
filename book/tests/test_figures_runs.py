"""The chart of several runs shows their means and refuses unequal ones."""

from __future__ import annotations

import re

import pytest

from book.figures.runs import errors_by_epoch
from convlab.arithmetic import SizeError

RUNS = {"tanh": [[0.4, 0.1, 0.0], [0.2, 0.1, 0.1]], "ReLU": [[0.5, 0.3, 0.1]]}


def test_means_are_told():
    drawn = errors_by_epoch(RUNS, "Wrong")
    assert "tanh 30.0%, 10.0%, 5.0%; ReLU 50.0%, 30.0%, 10.0%" in drawn.alt


def test_a_line_for_each_run_and_each_mean():
    svg = errors_by_epoch(RUNS, "Wrong").svg
    thin = re.findall(r'stroke-width="1" stroke-opacity="0.35"', svg)
    assert len(thin) == 3 * 2  # three runs of two steps
    legend = 2
    assert len(re.findall(r'stroke-width="3"', svg)) == 2 * 2 + legend


@pytest.mark.parametrize("wrong", [
    {}, {"one": [[0.1]]}, {"one": [[0.1, 0.2], [0.1]]},
    {name: [[0.1, 0.2]] for name in "abc"}])
def test_what_cannot_be_compared_is_refused(wrong):
    with pytest.raises(SizeError, match="same number of epochs"):
        errors_by_epoch(wrong, "Wrong")

"""The notation page's conversions, held against an independent convolution."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.signal import correlate

from book.build import BOOK


@pytest.fixture(scope="module")
def page() -> dict:
    """The names that the page's own cells make, run from top to bottom."""
    text = (BOOK / "notation.md").read_text()
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    for cell in cells:
        exec(cell, names)
    return names


def channels_first(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The layer on (N, C, H, W) and (K, C, Fh, Fw), by scipy: (N, K, H', W')."""
    return np.stack([[correlate(image, one, "valid")[0] for one in w] for image in x])


def test_no_two_sizes_of_the_example_hide_a_wrong_order(page):
    n, height, width, channels = page["x"].shape
    assert len({n, height, width, channels}) == 4
    filters, f_h, f_w, _ = page["w"].shape
    assert len({n, f_h, filters}) == 3
    assert f_h != f_w


def test_shapes_are_those_of_the_table(page):
    assert page["x"].shape == (2, 6, 7, 3)
    assert page["x_pytorch"].shape == (2, 3, 6, 7)
    assert page["w"].shape == (4, 3, 2, 3)
    assert page["w_pytorch"].shape == (4, 3, 3, 2)
    assert page["w_keras"].shape == (3, 2, 3, 4)


def test_transposes_move_each_number_to_its_place(page):
    assert page["x_pytorch"][1, 2, 5, 6] == page["x"][1, 5, 6, 2]
    assert page["w_pytorch"][3, 2, 0, 1] == page["w"][3, 0, 1, 2]
    assert page["w_keras"][0, 1, 2, 3] == page["w"][3, 0, 1, 2]
    for there, back in (("x", "x_back"), ("w", "w_back"), ("w", "w_from_keras")):
        np.testing.assert_array_equal(page[there], page[back])


def test_all_three_orders_are_the_same_layer(page):
    expected = channels_first(page["x_pytorch"], page["w_pytorch"])
    np.testing.assert_allclose(page["y_pytorch"], expected)
    np.testing.assert_allclose(page["y"], expected.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(page["y_keras"], page["y"])


def test_flattened_weights_carry_over_and_do_not_fit_as_they_are(page):
    flat = page["y_pytorch"].reshape(2, -1)
    np.testing.assert_allclose(flat @ page["v_pytorch"].T, page["scores"])
    assert not np.allclose(flat @ page["v"].T, page["scores"])
    assert page["v_keras"].shape == page["v"].shape[::-1]

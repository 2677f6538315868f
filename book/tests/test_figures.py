"""Figures say what is true, refuse what is not, and are the same every time."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.signal import correlate2d

from book import figures
from book.extension.drawn import LEAST_SCALE
from book.figures import palette
from book.figures.charts import sizes
from book.figures.connections import KINDS, slid, weights
from book.figures.grids import windows_over
from book.figures.numbers import correlate
from book.figures.pooling import pooled
from convlab.arithmetic import Conv, Dense, Pool, Relu, SizeError
from convlab.published import ALEXNET, INCEPTION, LENET5, NETWORKS, inception

IMAGE = (32, 32, 3)
X = [[3, 1, 2, 0, 1], [0, 2, 1, 3, 2], [1, 0, 3, 1, 0], [2, 1, 0, 2, 3],
     [0, 3, 1, 1, 2]]
W = [[1, 0, -1]] * 3
P = [[1, 3, 2, 0], [3, 0, 5, 1], [-2, -1, 4, 4], [-6, -3, 4, 0]]
ROW = [0, 0, 1, 3, 2, 0, 0, 0]
STEPS = [Conv(6, 5), Relu(), Pool(), Dense(10)]
TIMED = {str(n): {
    "title": "227x227x3, 96 of 11x11", "flops": n * 10**8,
    "numbers": {"input": 10**5, "weights": 10**4, "columns": 10**6, "output": 10**5},
    "gflops": {"seven loops in Python": 0.0042 * n, "one matrix product": 30.0 / n,
               "the course's layer": 70.0}} for n in (1, 2)}
HISTORY = [{"epoch": k, "loss": 3 / k, "train_accuracy": 1 - 0.6 / k,
            "validation_accuracy": 0.7 - 0.3 / k} for k in range(1, 13)]
POINTS = [((1, 3), 1), ((2, 0), 0), ((0, 2), 1), ((4, 2), 0)]
RUNS = {"one": [[5, 3, 2], [5, 4, 3]], "other": [[6, 5, 4], [4, 4, 4]]}
EXAMPLES = {
    "blame": lambda: figures.blame((1, 0), [[2, -1], [-1, 2]], (-1, 1), (1, -2), 0.5,
                                   1),
    "fading_gradients": lambda: figures.fading_gradients(["sigmoid", "tanh", "ReLU"],
                                                         3),
    "mark_one": lambda: figures.mark_one((20, 20), 512, 8),
    "perceptron_line": lambda: figures.perceptron_line(POINTS, 2),
    "sound_to_states": lambda: figures.sound_to_states(11, 39, 5, 2048, 761),
    "unrolling": lambda: figures.unrolling((64, 100, 50, 25, 2)),
    "up_down_up": lambda: figures.up_down_up([[2, -2, 1], [-1, 1, 1]], (0, -1),
                                             (0, 0, 0), (1, 0, 1), (0.5, 0.5)),
    "ways_to_begin": lambda: figures.ways_to_begin(RUNS, {"mean digit": 4.6}),
    "accuracies": lambda: figures.accuracies(HISTORY, "mirrored and shifted"),
    "by_class": lambda: figures.by_class(["automobile", "cat"], [0.905, 0.5]),
    "losses": lambda: figures.losses(HISTORY[:8]),
    "one_epoch": lambda: figures.one_epoch(50_000, 5000, 64),
    "schedules": lambda: figures.schedules(0.05, "triangular"),
    "stamps": lambda: figures.stamps(P[:2], W, 0, 1),
    "up_and_back": lambda: figures.up_and_back(2),
    "valley": lambda: figures.valley((1, 12), (-10, 2.8), 0.13, 0.5, 12),
    "activation_map": lambda: figures.activation_map(IMAGE, 5, 8, 12),
    "budget": lambda: figures.budget("parameters", [("CONV", 76), ("FC", 30_730)],
                                     ["FC"]),
    "coverage": lambda: figures.coverage(7, 3, 0),
    "dot_product": lambda: figures.dot_product((5, 5, 3)),
    "filter_bank": lambda: figures.filter_bank(IMAGE, 6, 5),
    "image_to_scores": lambda: figures.image_to_scores(
        IMAGE, {"disc": -3.25, "crescent": 7.5, "triangle": 0.0}),
    "ladder": lambda: figures.ladder(IMAGE, STEPS),
    "matrix_times_vector": lambda: figures.matrix_times_vector(IMAGE, 10),
    "moved": lambda: figures.moved(ROW, [1, 0, -1], 2),
    "one_position": lambda: figures.one_position(X, W, 1, 2),
    "padding": lambda: figures.padding(7, 3, 1),
    "pooling": lambda: figures.pooling(P, 2, 2, 1, 0),
    "positions": lambda: figures.positions(7, 3, 3),
    "sequence": lambda: figures.sequence(IMAGE, STEPS),
    "shrinking": lambda: figures.shrinking(32, 5, 8),
    "stretching": lambda: figures.stretching((2, 2, 3)),
    "weight_table": lambda: figures.weight_table("full", 7, 3),
    "wires": lambda: figures.wires("shared", 7, 3),
    "costs": lambda: figures.costs(IMAGE, STEPS),
    "paths": lambda: figures.paths(3, 3),
    "pixel": lambda: figures.pixel((56, 56, 64), 32, 20, 30),
    "pull": lambda: figures.pull([2, 1, 0], ["cat", "dog", "ship"], 1),
    "reach": lambda: figures.reach(8, [Conv(1, 3), Pool(), Conv(1, 3)]),
    "same_region": lambda: figures.same_region(IMAGE, 5, 5, 8, 12),
    "scores_to_probabilities": lambda: figures.scores_to_probabilities(
        [2, 1, -1], ["cat", "dog", "ship"]),
    "stacked_windows": lambda: figures.stacked_windows(5, [3, 3]),
    "surprise": lambda: figures.surprise([1, 0.5, 0.1, 0.01]),
    "anchors": lambda: figures.anchors((640, 960, 3), 16, (128, 256), (0.5, 1, 2)),
    "captioned": lambda: figures.captioned((224, 224, 3), 512, 9000, ["a", "cat"]),
    "every_pixel": lambda: figures.every_pixel(
        (64, 96, 3), [Conv(16, 7, pad=3), Pool(), Conv(32, 7, pad=3)], 3, 33),
    "neighbours": lambda: figures.neighbours(IMAGE, 64, 1000, 6),
    "pooling_gradient": lambda: figures.pooling_gradient(P, [[1, 2], [3, 4]]),
    "pose": lambda: figures.pose((220, 220, 3), 4096),
    "shifted_pooling": lambda: figures.shifted_pooling([1, 2, 9, 3], [0, 1]),
    "tempered": lambda: figures.tempered([2, 1, 0], ["cat", "dog", "ship"], 0.5),
    "two_streams": lambda: figures.two_streams((224, 224, 3), (224, 224, 20), 101),
    "by_size": lambda: figures.by_size([2**10, 2**11, 2**12], [1.5, 1, 40], "ns",
                                       "size of the array", 2**11),
    "chunk_rows": lambda: figures.chunk_rows(P, [[[1, 0], [0, 1]], [[0, 2], [3, 0]]],
                                             1, 1),
    "held_sums": lambda: figures.held_sums(8, 32, 16),
    "input_gradient": lambda: figures.input_gradient([[1, 2], [3, -1]], W, 2, 2, 2),
    "memory_order": lambda: figures.memory_order(4, 8, 4, False),
    "roofline": lambda: figures.roofline(TIMED, 90.0, 12.0),
    "small_graph": lambda: figures.small_graph(3, 2, 5),
    "speeds": lambda: figures.speeds(TIMED, 90.0),
    "step_errors": lambda: figures.step_errors(1.0),
    "there_and_back": lambda: figures.there_and_back((16, 16, 3), STEPS),
    "weight_gradient": lambda: figures.weight_gradient(X, W, 0, 1),
    "block": lambda: figures.block((28, 28, 192), inception(*INCEPTION["3a"])),
    "comparison": lambda: figures.comparison(NETWORKS[1:]),
    "errors_by_epoch": lambda: figures.errors_by_epoch(
        {"tanh": [[0.4, 0.1], [0.3, 0.1]], "ReLU": [[0.5, 0.2]]}, "Wrong"),
    "last_places": lambda: figures.last_places(224, 11, 4),
    "partial_connections": lambda: figures.partial_connections(
        LENET5.layers["C3"][0], 6),
    "profile": lambda: figures.profile(LENET5),
    "two_gpus": lambda: figures.two_gpus(ALEXNET),
}
SVG = "{http://www.w3.org/2000/svg}"


def words(drawing) -> list[str]:
    """The texts of a drawing."""
    root = ElementTree.fromstring(drawing.svg)
    return [text.text for text in root.iter(f"{SVG}text")]


def test_every_figure_has_an_example_here():
    assert EXAMPLES.keys() == figures.FIGURES.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_figure_is_one_accessible_svg_the_same_every_time(name):
    drawing = EXAMPLES[name]()
    assert drawing == EXAMPLES[name]()
    root = ElementTree.fromstring(drawing.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == drawing.alt
    assert len(drawing.alt.split()) > 12
    assert drawing.alt.endswith(".")


@pytest.mark.parametrize("name", EXAMPLES)
def test_figure_reads_on_both_themes_and_on_a_phone(name):
    drawing = EXAMPLES[name]()
    root = ElementTree.fromstring(drawing.svg)
    for shape in root.iter():
        for attribute in ("fill", "stroke"):
            colour = shape.get(attribute, "currentColor")
            assert colour == "currentColor" or colour in PAINTS, colour
        if shape.tag == f"{SVG}text":
            assert shape.get("fill") == "currentColor"
            assert int(shape.get("font-size")) * LEAST_SCALE >= 9.5


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_is_drawn_outside_the_frame(name):
    root = ElementTree.fromstring(EXAMPLES[name]().svg)
    width, height = int(root.get("width")), int(root.get("height"))
    for polygon in root.iter(f"{SVG}polygon"):
        for point in polygon.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    for text in root.iter(f"{SVG}text"):
        # 0.62 em a letter is more than any of these fonts needs on average.
        length = len(text.text or "") * int(text.get("font-size")) * 0.62
        x = float(text.get("x"))
        left = {"start": x, "middle": x - length / 2, "end": x - length}
        start = left[text.get("text-anchor")]
        assert start > -2, text.text
        assert start + length < width + 2, text.text


PAINTS = {palette.INPUT, palette.FILTER, palette.OUTPUT, palette.EXTRA,
          palette.PADDING, palette.PROBLEM, *palette.FILTERS}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", ["#ffffff", "#121212"])
@pytest.mark.parametrize("colour", sorted(PAINTS))
def test_palette_stands_out_on_both_themes(colour, background):
    light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_worked_example_is_cross_correlation():
    # Row 1, column 2: (1 + 3 + 0) - (2 + 0 + 3), left column minus right column.
    assert correlate(X, W)[1][2] == (1 + 3 + 0) - (2 + 0 + 3) == -1
    assert np.array_equal(correlate(X, W), correlate2d(X, W, "valid"))
    oblong = np.arange(24).reshape(4, 6) % 5 - 2
    uneven = [[1, -2], [0, 3], [4, 1]]
    assert np.array_equal(correlate(oblong.tolist(), uneven),
                          correlate2d(oblong, uneven, "valid"))


def test_worked_example_shows_only_what_is_computed_so_far():
    shown = words(figures.one_position(X, W, 0, 1))
    inputs, weights = 25, 9
    labels = 3 + 2 + 2  # three titles, two signs, two lines of the sum
    assert len(shown) == inputs + weights + 2 + labels
    assert any(text.endswith("= \N{MINUS SIGN}1") for text in shown)


def test_pooling_keeps_maxima_and_means():
    largest, means = pooled(P, 2, 2)
    assert largest == [[3, 5], [-1, 4]]
    assert means == [[(1 + 3 + 3 + 0) / 4, (2 + 0 + 5 + 1) / 4],
                     [(-2 - 1 - 6 - 3) / 4, (4 + 4 + 4 + 0) / 4]]
    assert pooled(P, 3, 1)[0] == [[max(P[r + i][c + j] for i in range(3)
                                       for j in range(3)) for c in range(2)]
                                  for r in range(2)]
    assert {"1.75", "\N{MINUS SIGN}3"} <= set(words(figures.pooling(P)))


def test_windows_over_each_place_counted_one_by_one():
    for n, f, pad in ((7, 3, 0), (7, 3, 1), (6, 5, 2), (5, 5, 0)):
        places = n + 2 * pad - f + 1
        counts = np.zeros((n + 2 * pad,) * 2, int)
        for row in range(places):
            for column in range(places):
                counts[row:row + f, column:column + f] += 1
        assert windows_over(n, f, pad) == counts[pad:pad + n, pad:pad + n].tolist()


def test_sizes_of_a_shrinking_image():
    assert sizes(32, 5, 8, 0) == [32, 28, 24, 20, 16, 12, 8, 4]
    assert sizes(32, 5, 3, 2) == [32, 32, 32, 32]


@pytest.mark.parametrize(("stride", "verdict"), [
    (1, "5 positions"), (2, "3 positions"), (3, "does not fit")])
def test_positions_of_the_lecture(stride, verdict):
    assert verdict in words(figures.positions(7, 3, stride))


def test_positions_say_what_is_left_over():
    assert "1 of the 7 columns is left over" in figures.positions(7, 3, 3).alt
    assert "2 of the 9 columns are left over" in figures.positions(9, 3, 4).alt


def test_shapes_in_figures_are_computed():
    assert "28x28x6" in words(figures.filter_bank(IMAGE, 6, 5))
    assert "28x28x1 map" in words(figures.activation_map(IMAGE, 5, 0, 0))
    assert {"32x32x3", "28x28x6", "14x14x6", "10"} <= set(
        words(figures.sequence(IMAGE, STEPS)))
    assert re.search(r"\b75 products", " ".join(words(figures.dot_product((5, 5, 3)))))


def test_connections_of_an_output_to_its_inputs():
    assert weights("shared", 4, 3) == [[0, 1, 2, None], [None, 0, 1, 2]]
    assert weights("local", 4, 3) == [[0, 1, 2, None], [None, 3, 4, 5]]
    assert weights("full", 4, 3) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    said = {kind: words(figures.wires(kind, 7, 3))[-1] for kind in KINDS}
    assert said == {"full": "35 lines, 35 weights", "local": "15 lines, 15 weights",
                    "shared": "15 lines, 3 weights"}


def test_a_moved_row_has_a_moved_map():
    # One to the right of the peak: 3*1 + 2*0 + 0*(-1).
    assert slid(ROW, [1, 0, -1]) == [0 - 1, 0 - 3, 1 - 2, 3 - 0, 2 - 0, 0]
    assert slid(ROW, [1, 0, -1]) == np.correlate(ROW, [1, 0, -1], "valid").tolist()
    alt = figures.moved(ROW, [1, 0, -1], 1).alt
    assert "the map -1, -3, -1, 3, 2, 0" in alt
    assert "the map 0, -1, -3, -1, 3, 2" in alt


def test_stretching_counts_as_numpy_does():
    drawing = figures.stretching((2, 2, 3))
    counted = [int(text) for text in words(drawing) if text.isdigit()]
    assert sorted(counted) == sorted(2 * list(range(12)))
    assert np.arange(12).reshape(2, 2, 3)[1, 0, 2] == 8  # 1*2*3 + 0*3 + 2


def test_a_ladder_says_shapes_parameters_and_parts():
    said = words(figures.ladder(IMAGE, STEPS))
    assert {"28x28x6", "4,704 numbers", "456 parameters", "14x14x6", "FC, 10 units",
            "nothing to learn", "feature extraction", "classification"} <= set(said)


@pytest.mark.parametrize("wrong", [
    lambda: figures.budget("parameters", []),
    lambda: figures.budget("parameters", [("CONV", -1)]),
    lambda: figures.budget("parameters", [("CONV", 1)], ["FC"]),
    lambda: figures.image_to_scores(IMAGE, {"disc": 1.0}),
    lambda: figures.image_to_scores((32, 32), {"disc": 1.0, "ring": 2.0}),
    lambda: figures.ladder(IMAGE, STEPS[:-1]),
    lambda: figures.ladder(IMAGE, STEPS[-1:]),
    lambda: figures.matrix_times_vector(IMAGE, 1),
    lambda: figures.matrix_times_vector((32, 32), 10),
    lambda: figures.moved([0, 0, 1, 3], [1, 0, -1], 1),
    lambda: figures.moved([1, 3, 0, 0], [1, 0, -1], 1),
    lambda: figures.stretching((2, 3, 3)),
    lambda: figures.stretching((2, 3)),
    lambda: figures.weight_table("local", 7, 3),
    lambda: figures.wires("none", 7, 3),
    lambda: figures.wires("full", 3, 7),
    lambda: figures.positions(2, 3),
    lambda: figures.positions(7, 3, stride=0),
    lambda: figures.padding(7, 3, 0),
    lambda: figures.padding(7, 3, -1),
    lambda: figures.activation_map(IMAGE, 5, 28, 0),
    lambda: figures.activation_map((32, 32), 5, 0, 0),
    lambda: figures.one_position(X, W, 3, 0),
    lambda: figures.one_position([[1, 2], [3]], [[1]], 0, 0),
    lambda: figures.dot_product((5, 5)),
    lambda: figures.dot_product((5, 5, 7)),
    lambda: figures.filter_bank(IMAGE, 7, 5),
    lambda: figures.filter_bank((4, 4, 3), 6, 5),
    lambda: figures.sequence((32, 32, 3), [Conv(6, 5, stride=2)]),
    lambda: figures.shrinking(4, 5, 2),
    lambda: figures.shrinking(32, 4, 2),
    lambda: figures.coverage(2, 3, 0),
    lambda: figures.pooling(P, 3, 2),
    lambda: figures.pooling(P, 2, 2, 2, 0),
])
def test_wrong_numbers_are_refused(wrong):
    with pytest.raises(SizeError):
        wrong()

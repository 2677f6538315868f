"""The pictures hold the numbers they were given, and refuse what does not fit."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from convlab import plotting

CLASSES = ("cat", "dog", "ship")
HISTORY = [
    {"epoch": 1, "loss": 2.0, "train_accuracy": 0.25, "validation_accuracy": 0.2},
    {"epoch": 2, "loss": 1.5, "train_accuracy": 0.5, "validation_accuracy": 0.4},
]


def shown(figure):
    """The arrays of the visible axes that hold an image."""
    return [ax.images[0].get_array() for ax in figure.axes
            if ax.get_visible() and ax.images]


def titles(figure):
    return [ax.get_title() for ax in figure.axes if ax.get_visible() and ax.images]


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# --- colours


@pytest.mark.parametrize("background", ["white", "#121212"])
def test_text_and_lines_stand_out_on_light_pages_and_dark(background):
    assert contrast(plotting.INK, background) >= 4.3
    assert all(contrast(colour, background) >= 3 for colour in plotting.PALETTE)


def test_no_grey_has_more_contrast_with_both_than_the_one_of_the_text():
    def least(grey):
        return min(contrast(grey, "white"), contrast(grey, "#121212"))

    greys = [f"#{g:02x}{g:02x}{g:02x}" for g in range(256)]
    assert max(map(least, greys)) == least(plotting.INK)


@pytest.mark.parametrize("draw", [
    lambda: plotting.show_images(np.zeros((2, 4, 4)), ["a", "b"], title="t"),
    lambda: plotting.show_filters(np.ones((2, 3, 3, 2)), title="t"),
    lambda: plotting.show_activation_maps(np.ones((4, 4, 2)), title="t"),
    lambda: plotting.training_curves(HISTORY, "t"),
    lambda: plotting.confusion_matrix([0, 1], [0, 0], CLASSES),
    lambda: plotting.mistakes(np.zeros((2, 4, 4)), [0, 1], [0, 0], CLASSES),
    lambda: plotting.mistakes(np.zeros((1, 4, 4)), [0], [0], CLASSES),
    lambda: plotting.difference(np.zeros((4, 4)), np.ones((4, 4)), "t"),
])
def test_settings_of_the_reader_neither_change_a_picture_nor_are_changed(draw):
    mine = {"text.color": "lime", "xtick.color": "lime", "axes.facecolor": "navy",
            "figure.facecolor": "navy", "font.size": 30.0, "axes.labelcolor": "lime"}
    with mpl.rc_context(mine):
        before = dict(mpl.rcParams)
        figure = draw()
        assert dict(mpl.rcParams) == before
        figure.draw_without_rendering()
    assert figure.get_facecolor()[3] == 0
    assert all(ax.get_facecolor()[3] == 0 for ax in figure.axes)
    texts = [text for text in figure.findobj(mpl.text.Text) if text.get_text()]
    assert texts
    assert {text.get_color() for text in texts} <= {plotting.INK, "black", "white"}
    assert max(text.get_fontsize() for text in texts) <= 12


def test_pyplot_knows_of_no_picture():
    import matplotlib.pyplot as plt

    plotting.show_images(np.zeros((1, 4, 4)))
    assert plt.get_fignums() == []


def test_a_notebook_gets_a_png_of_twice_the_size_it_is_shown_in():
    png, size = plotting.show_images(np.zeros((3, 4, 4)))._repr_png_()
    assert png.startswith(b"\x89PNG")
    # The header holds width and height as big-endian numbers from byte 16 on.
    width = int.from_bytes(png[16:20], "big")
    assert abs(width - 2 * size["width"]) <= 2
    assert size["width"] == 96 * 7


# --- images


@settings(deadline=None, max_examples=8)
@given(st.integers(1, 9), st.integers(1, 5), st.sampled_from([0, 1, 3]))
def test_images_are_shown_in_order_as_they_are(n, columns, channels):
    shape = (n, 4, 5) + ((channels,) if channels else ())
    images = np.random.default_rng(n).integers(0, 256, shape, np.uint8)
    figure = plotting.show_images(images, range(n), columns=columns)
    expected = images[..., 0] if channels == 1 else images
    assert np.array_equal(shown(figure), expected)
    assert titles(figure) == [str(k) for k in range(n)]
    spec = figure.axes[0].get_subplotspec().get_gridspec()
    assert spec.ncols == columns
    assert spec.nrows == -(-n // columns)


def test_labels_are_written_as_the_names_of_their_classes():
    figure = plotting.show_images(np.zeros((3, 4, 4)), [2, 0, 1], CLASSES)
    assert titles(figure) == ["ship", "cat", "dog"]


def test_a_grey_image_is_black_at_0_and_white_at_the_most_its_type_has():
    """Not stretched to its own range, which would show a dull image as a bright one."""
    for images, most in ((np.full((1, 4, 4), 100, np.uint8), 255),
                         (np.full((1, 4, 4), 0.4), 1)):
        image = plotting.show_images(images).axes[0].images[0]
        assert image.get_clim() == (0, most)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ([np.zeros((4, 4))], r"got \(4, 4\): one image alone is images\[np.newaxis\]"),
    ([np.zeros((1, 4, 4, 2))], r"got \(1, 4, 4, 2\)"),
    ([np.zeros((0, 4, 4))], "there is no image to show"),
    ([np.full((1, 4, 4), 1.5)], "floats from 0 to 1, got float64 from 1.5 to 1.5"),
    ([np.full((1, 4, 4), np.nan)], "got float64 from nan to nan"),
    ([np.zeros((1, 4, 4), int)], "images are uint8, or floats from 0 to 1, got int64"),
    ([np.zeros((2, 4, 4)), [1]], "there are 1 labels for 2 images"),
    ([np.zeros((1, 4, 4)), [3], CLASSES],
     "labels run from 3 to 3, but 3 classes take 0 to 2"),
    ([np.zeros((1, 4, 4)), None, None, 0], "columns must be at least 1, got 0"),
])
def test_images_that_do_not_fit_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.show_images(*arguments)


# --- filters and maps


def test_filters_of_three_channels_are_colours_with_weight_0_in_the_middle():
    w = np.zeros((2, 1, 2, 3))
    w[0, 0, 0] = [4, -4, 0]  # the largest weight: full red, no green, half blue
    w[1, 0, 1] = [2, 2, 2]  # half of it: 0.5 + 0.5 * 2/4 = 0.75
    first, second = shown(plotting.show_filters(w))
    assert first[0, 0].tolist() == [1, 0, 0.5]
    assert first[0, 1].tolist() == [0.5, 0.5, 0.5]
    assert second[0, 1].tolist() == [0.75, 0.75, 0.75]


@pytest.mark.parametrize(("channels", "each"), [(2, False), (3, True), (1, False)])
def test_other_filters_have_a_map_a_channel_to_one_scale_around_0(channels, each):
    w = np.random.default_rng(0).normal(size=(4, 3, 5, channels))
    figure = plotting.show_filters(w, each=each)
    maps = shown(figure)[:4 * channels]
    expected = [w[k, :, :, c] for k in range(4) for c in range(channels)]
    assert all(np.array_equal(a, b) for a, b in zip(maps, expected, strict=True))
    reach = np.abs(w).max()
    assert {ax.images[0].get_clim() for ax in figure.axes if ax.images} == {
        (-reach, reach)}
    names = titles(figure)[:4 * channels]
    assert names[-1] == ("3" if channels == 1 else f"3, {channels - 1}")


def test_activation_maps_are_shown_to_one_scale():
    maps = np.arange(24.0).reshape(2, 4, 3)
    figure = plotting.show_activation_maps(maps)
    assert [a.tolist() for a in shown(figure)] == [maps[..., k].tolist()
                                                  for k in range(3)]
    assert {ax.images[0].get_clim() for ax in figure.axes if ax.images} == {(0, 23)}
    signed = plotting.show_activation_maps(maps - 20)
    assert signed.axes[0].images[0].get_clim() == (-20, 20)
    assert signed.axes[0].images[0].get_cmap() == plotting.SIGNED


def test_maps_and_filters_that_are_all_zero_are_shown():
    zeros = plotting.show_activation_maps(np.zeros((2, 2, 1)))
    assert zeros.axes[0].images[0].get_clim() == (0, 1)
    assert shown(plotting.show_filters(np.zeros((1, 2, 2, 3))))[0].tolist() == [
        [[0.5] * 3] * 2] * 2


@pytest.mark.parametrize(("draw", "array", "sentence"), [
    (plotting.show_filters, np.zeros((3, 3, 3)),
     r"filters are numbers of shape \(K, F_h, F_w, C\), got float64 of shape \(3, 3"),
    (plotting.show_filters, np.full((1, 2, 2, 3), np.inf), "infinite or not a number"),
    (plotting.show_activation_maps, np.zeros((1, 4, 4, 3)),
     r"activation maps are numbers of shape \(H, W, K\)"),
    (plotting.show_activation_maps, np.zeros((4, 4, 0)), r"of shape \(4, 4, 0\)"),
    (plotting.show_activation_maps, np.array([[["a"]]]), "got <U1"),
])
def test_filters_and_maps_that_do_not_fit_are_refused(draw, array, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(array)


# --- training


def test_curves_hold_the_history():
    loss, accuracy = plotting.training_curves(HISTORY, "seed 0").axes
    [line] = loss.lines
    assert line.get_xydata().tolist() == [[1, 2.0], [2, 1.5]]
    train, validation = accuracy.lines
    assert train.get_xydata().tolist() == [[1, 25], [2, 50]]
    assert validation.get_xydata().tolist() == [[1, 20], [2, 40]]
    assert [t.get_text() for t in accuracy.get_legend().get_texts()] == [
        "training", "validation"]
    # Told apart without colour as well.
    assert train.get_linestyle() != validation.get_linestyle()
    assert train.get_marker() != validation.get_marker()
    assert (loss.get_ylim()[0], accuracy.get_ylim()) == (0, (0, 100))


def test_without_held_out_images_there_is_one_accuracy():
    history = [row | {"validation_accuracy": None} for row in HISTORY]
    assert len(plotting.training_curves(history).axes[1].lines) == 1


def test_epochs_are_whole_numbers_even_of_one():
    ticks = plotting.training_curves(HISTORY[:1]).axes[0].get_xticks()
    assert all(tick == round(tick) for tick in ticks)


@pytest.mark.parametrize(("history", "sentence"), [
    ([], "the history has no epoch"),
    ([{"epoch": 1, "accuracy": 1}], "loss, train_accuracy is missing"),
])
def test_a_history_that_does_not_fit_is_refused(history, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.training_curves(history)


def test_a_confusion_matrix_counts():
    #          cats     a dog as cat   dogs    a ship as dog
    labels = [0, 0, 0] + [1] + [1] * 3 + [2]
    taken = [0, 0, 0] + [0] + [1] * 3 + [1]
    figure = plotting.confusion_matrix(labels, taken, CLASSES)
    [ax] = figure.axes
    counts = {tuple(map(int, text.get_position()[::-1])): text.get_text()
              for text in ax.texts}
    assert counts == {(0, 0): "3", (0, 1): "0", (0, 2): "0",
                      (1, 0): "1", (1, 1): "3", (1, 2): "0",
                      (2, 0): "0", (2, 1): "1", (2, 2): "0"}
    assert shown(figure)[0].tolist() == [[1, 0, 0], [1 / 4, 3 / 4, 0], [0, 1, 0]]
    assert ax.get_title() == "6 of 8 right (75.0%)"
    assert [label.get_text() for label in ax.get_yticklabels()] == list(CLASSES)


def test_a_class_without_images_is_a_row_of_zeros():
    assert shown(plotting.confusion_matrix([0], [1], CLASSES))[0].tolist() == [
        [0, 1, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("labels", "predictions", "sentence"), [
    ([0, 1], [0], "there are 1 predictions for 2 labels"),
    ([0, 3], [0, 0], "labels run from 0 to 3, but 3 classes take 0 to 2"),
    ([0, 0], [0, -1], "predictions run from -1 to 0"),
    ([0.0], [0], r"labels are whole numbers of shape \(N,\), N at least 1, got float"),
    ([], [], "labels are whole numbers"),
    ([0, 1], [[0], [1]], r"predictions are whole numbers.* of shape \(2, 1\)"),
])
def test_labels_and_predictions_that_do_not_fit_are_refused(
        labels, predictions, sentence):
    with pytest.raises(ValueError, match=sentence):
        plotting.confusion_matrix(labels, predictions, CLASSES)
    with pytest.raises(ValueError, match=sentence):
        plotting.mistakes(np.zeros((2, 4, 4)), labels, predictions, CLASSES)


def test_mistakes_are_the_first_wrong_ones_and_say_what_was_taken_for_what():
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    figure = plotting.mistakes(images, [0, 1, 2, 0, 1], [0, 2, 2, 1, 0], CLASSES, 2)
    assert [int(image[0, 0]) for image in shown(figure)] == [1, 3]
    assert titles(figure) == ["dog\n→ ship", "cat\n→ dog"]
    assert figure.get_suptitle() == "3 of 5 images are taken for another class"


def test_no_mistakes_are_told():
    figure = plotting.mistakes(np.zeros((2, 4, 4)), [0, 1], [0, 1], CLASSES)
    assert figure.texts[0].get_text() == "All 2 images are taken for what they are"


def test_mistakes_need_a_label_for_each_image():
    with pytest.raises(ValueError, match="there are 1 labels for 2 images"):
        plotting.mistakes(np.zeros((2, 4, 4)), [0], [1], CLASSES)


# --- difference


def test_the_first_wrong_map_is_shown_with_what_is_off():
    expected = np.zeros((2, 3, 4, 5))
    got = expected.copy()
    got[1, 2, 3, 4] = 7
    got[1, 0, 1, 2] = -2  # an earlier channel of the same image
    figure = plotting.difference(expected, got, "conv2d_forward")
    assert titles(figure) == ["expected[1, :, :, 2]", "got[1, :, :, 2]",
                              "got - expected, up to 2"]
    one, other, off = shown(figure)
    assert one.tolist() == np.zeros((3, 4)).tolist()
    assert other.tolist() == off.tolist() == [[0, -2, 0, 0], [0] * 4, [0] * 4]
    assert figure.get_suptitle() == "conv2d_forward"


def test_the_first_wrong_image_comes_before_an_earlier_channel_of_a_later_one():
    expected = np.zeros((2, 3, 4, 2))
    got = expected.copy()
    got[0, 0, 0, 1] = got[1, 0, 0, 0] = 1
    assert titles(plotting.difference(expected, got))[1] == "got[0, :, :, 1]"


@pytest.mark.parametrize(("shape", "name", "drawn"), [
    ((), "got", (1, 1)), ((5,), "got", (1, 5)), ((2, 5), "got", (2, 5)),
    ((2, 5, 3), "got[:, :, 0]", (2, 5)), ((2, 4, 5, 3), "got[0, :, :, 0]", (4, 5))])
def test_arrays_of_up_to_four_axes_are_drawn(shape, name, drawn):
    figure = plotting.difference(np.zeros(shape), np.ones(shape))
    assert titles(figure)[1] == name
    assert [image.shape for image in shown(figure)] == [drawn] * 3


def edges(ax):
    """The drawn edges around wrong places, as frozen sets of two points."""
    [lines] = ax.collections
    return {frozenset(map(tuple, segment)) for segment in lines.get_segments()}


def test_a_region_of_wrong_places_has_one_line_around_it():
    expected, got = np.zeros((3, 3)), np.zeros((3, 3))
    got[1, 1:] = 1  # a region of one row and two columns
    figure = plotting.difference(expected, got)
    around = {frozenset(pair) for pair in [
        ((0.5, 0.5), (1.5, 0.5)), ((1.5, 0.5), (2.5, 0.5)),  # above
        ((0.5, 1.5), (1.5, 1.5)), ((1.5, 1.5), (2.5, 1.5)),  # below
        ((0.5, 0.5), (0.5, 1.5)), ((2.5, 0.5), (2.5, 1.5))]}  # left and right
    assert len(figure.axes[0].collections) == 0  # what is expected is not wrong
    assert edges(figure.axes[1]) == edges(figure.axes[2]) == around


def test_where_says_what_is_wrong_instead_of_the_tolerance():
    where = np.zeros((1, 2, 2, 3), bool)
    where[0, 0, 0, 2] = True
    figure = plotting.difference(np.zeros(where.shape), np.ones(where.shape),
                                 where=where)
    assert titles(figure)[0] == "expected[0, :, :, 2]"
    assert len(edges(figure.axes[1])) == 4


def test_differences_within_the_tolerance_are_not_outlined():
    expected = np.array([[1000.0, 1.0]])
    got = expected + [0.9, 0.01]  # allowed: 0.0001 + 1, and 0.0001 + 0.001
    assert len(edges(plotting.difference(expected, got).axes[1])) == 4


def test_equal_arrays_are_drawn_without_an_outline():
    figure = plotting.difference(np.ones((2, 2)), np.ones((2, 2)))
    assert edges(figure.axes[1]) == set()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e308])
@pytest.mark.filterwarnings("error")
def test_numbers_that_are_none_are_seen_and_break_nothing(odd):
    expected = np.arange(6.0).reshape(2, 3)
    got = expected.copy()
    got[1, 2] = odd
    figure = plotting.difference(expected, got)
    figure._repr_png_()
    assert len(edges(figure.axes[1])) == 4
    texts = [text.get_text() for text in figure.axes[1].texts]
    if not np.isfinite(odd):
        assert f"{odd}" in texts
        assert shown(figure)[1].mask.tolist() == [[False] * 3, [False, False, True]]


def test_expected_and_got_have_one_scale_which_is_that_of_expected():
    figure = plotting.difference(np.full((2, 2), 3.0), np.full((2, 2), 500.0))
    assert [ax.images[0].get_clim() for ax in figure.axes] == [
        (0, 3), (0, 3), (-497, 497)]


@pytest.mark.parametrize(("values", "texts"), [
    ([[1, -2]], ["1", "-2"]), ([[0.5, -0.25]], ["0.50", "-0.25"]),
    ([[0.001, 0]], ["0.001", "0"]), ([[12345.0, 0.5]], ["1e+04", "0.5"])])
def test_numbers_are_written_in_few_characters(values, texts):
    figure = plotting.difference(np.array(values), np.array(values))
    assert [text.get_text() for text in figure.axes[0].texts] == texts


def test_numbers_of_a_large_map_are_not_written():
    figure = plotting.difference(np.zeros((10, 10)), np.ones((10, 10)))
    assert not any(ax.texts for ax in figure.axes)


def test_of_different_shapes_both_first_maps_are_shown_and_nothing_subtracted():
    expected, got = np.zeros((2, 3, 4, 5)), np.ones((3, 3))
    figure = plotting.difference(expected, got)
    assert titles(figure) == ["expected, shape (2, 3, 4, 5)", "got, shape (3, 3)"]
    assert [image.shape for image in shown(figure)] == [(3, 4), (3, 3)]


@pytest.mark.parametrize("got", [
    np.array([1j]), np.array(["a"]), np.array([None]), np.zeros((0, 3)),
    np.zeros((1,) * 5)])
def test_what_cannot_be_drawn_is_refused(got):
    with pytest.raises(ValueError, match="real numbers in one to four axes"):
        plotting.difference(np.zeros(3), got)


def test_where_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"where has shape \(3,\) and .* \(2,\)"):
        plotting.difference(np.zeros(2), np.ones(2), where=np.ones(3, bool))


# --- files


def test_an_svg_says_what_is_on_it_and_is_the_same_each_time(tmp_path):
    alt = "Loss falls <fast> & well.  It goes from 2 to 1.5\nin two epochs."
    for name in ("one.svg", "deep/two.svg"):
        plotting.save_svg(plotting.training_curves(HISTORY), tmp_path / name, alt)
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "deep" / "two.svg").read_text()
    assert not re.search(r"<dc:date>|20\d\d-\d\d-\d\d", text)
    root = ET.fromstring(text)
    title, description = list(root)[:2]
    assert title.text == "Loss falls <fast> & well."
    assert description.text == (
        "Loss falls <fast> & well. It goes from 2 to 1.5 in two epochs.")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == description.get("id")
    assert {p.name for p in tmp_path.iterdir()} == {"one.svg", "deep"}


def test_an_svg_is_transparent(tmp_path):
    plotting.save_svg(plotting.training_curves(HISTORY), tmp_path / "a.svg", "Two.")
    root = ET.parse(tmp_path / "a.svg").getroot()
    patches = [e for e in root.iter() if e.get("id") in ("patch_1", "patch_2")]
    assert len(patches) == 2
    for patch in patches:
        assert re.search("fill: none|opacity: 0", patch[0].get("style"))


@pytest.mark.parametrize("alt", ["", " \n"])
def test_an_svg_without_alt_text_is_refused(tmp_path, alt):
    with pytest.raises(ValueError, match="a.svg needs an alt text"):
        plotting.save_svg(plotting.training_curves(HISTORY), tmp_path / "a.svg", alt)
    assert list(tmp_path.iterdir()) == []

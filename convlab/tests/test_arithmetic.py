"""Every number that the lecture gives, and brute force for the others."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convlab.arithmetic import (
    Conv,
    Dense,
    Dropout,
    Norm,
    Pool,
    Relu,
    SizeError,
    conv_parameters,
    dense_parameters,
    numbers_in,
    output_size,
    pair,
    receptive_field,
    same_padding,
    times,
    trace,
    unrounded_size,
)

VGG16_CONVOLUTIONS = [
    layer for convolutions, filters in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
    for layer in [Conv(filters, 3, pad=1), Relu()] * convolutions + [Pool()]]


# --- the lecture's numbers


@pytest.mark.parametrize("stride, size", [(1, 5), (2, 3)])  # slides 34-42
def test_3x3_filter_on_7x7_image(stride, size):
    assert output_size(7, 3, stride) == size


def test_stride_3_does_not_fit():  # slides 43-45: 2.33
    assert unrounded_size(7, 3, 3) == Fraction(7, 3)
    with pytest.raises(SizeError, match=r"\(7 \+ 2\*0 - 3\)/3 \+ 1 = 2\.33 is not a "
                                        r"whole number.*Strides that fit: 1, 2, 4; "
                                        r"with stride 3, padding that fits: 1"):
        output_size(7, 3, 3)


def test_padding_keeps_the_size():  # slides 46-48
    assert output_size(7, 3, 1, pad=1) == 7
    assert [same_padding(f) for f in (1, 3, 5, 7)] == [0, 1, 2, 3]
    with pytest.raises(SizeError, match="even size 4"):
        same_padding(4)


def test_without_padding_volumes_shrink():  # slides 30-31 and 49
    rows = trace([Conv(6, 5), Relu(), Conv(10, 5), Relu()], (32, 32, 3))
    assert [row.output_shape for row in rows] == [
        (28, 28, 6), (28, 28, 6), (24, 24, 10), (24, 24, 10)]


def test_ten_5x5_filters():  # slides 50-53
    (row,) = trace([Conv(10, 5, pad=2)], (32, 32, 3))
    assert row.output_shape == (32, 32, 10)
    assert conv_parameters(3, 1, 5) == 5 * 5 * 3 + 1 == 76
    assert row.parameters == 10 * 76 == 760
    assert row.macs == 32 * 32 * 10 * 75


def test_one_number_is_a_75_dimensional_dot_product():  # slide 26
    assert numbers_in((5, 5, 3)) == 75
    assert Conv(1, 5).macs((5, 5, 3)) == 75


def test_1x1_convolution():  # slide 55
    (row,) = trace([Conv(32, 1)], (56, 56, 64))
    assert row.output_shape == (56, 56, 32)
    assert row.parameters == 32 * (64 + 1)


def test_fully_connected():  # slides 62-63
    (row,) = trace([Dense(10)], (32, 32, 3))
    assert (row.input_shape, row.output_shape) == ((32, 32, 3), (10,))
    assert dense_parameters(3072, 10, bias=False) == row.macs == 10 * 3072
    assert row.parameters == 10 * 3072 + 10
    assert row.receptive_field is None


def test_pooling_halves():  # slides 60-61
    (row,) = trace([Pool(2, 2)], (224, 224, 64))
    assert row.output_shape == (112, 112, 64)
    assert (row.parameters, row.macs) == (0, 0)


# --- other numbers worked out by hand


@pytest.mark.parametrize("shape, channels", [((32, 30, 7), 7), ((1, 1, 5), 5),
                                             ((12,), 12)])
def test_layers_that_keep_the_shape(shape, channels):
    for layer, parameters in ((Relu(), 0), (Norm(), 2 * channels), (Dropout(20), 0)):
        (row,) = trace([layer], shape)
        assert (row.output_shape, row.parameters, row.macs) == (shape, parameters, 0)
        assert row.receptive_field == (1, 1)


def test_receptive_fields():
    assert receptive_field([Conv(1, 5)]) == (5, 5)  # slides 56-58
    assert receptive_field([Conv(1, 3)] * 2) == (5, 5)  # as one 5x5
    assert receptive_field([Conv(1, 3)] * 3) == (7, 7)  # as one 7x7
    # 3, then the pool's second window one further: 4; then two windows of
    # jump 2 on either side: 4 + 2*2
    assert receptive_field([Conv(1, 3), Pool(), Conv(1, 3)]) == (4 + 2 * 2,) * 2
    assert receptive_field([Conv(1, (3, 5)), Relu(), Conv(1, (1, 3))]) == (3, 7)
    assert receptive_field([Conv(1, 3), Norm(), Dropout(), Conv(1, 3)]) == (5, 5)
    assert receptive_field([]) == (1, 1)
    with pytest.raises(SizeError, match="full input volume"):
        receptive_field([Conv(1, 3), Dense(10)])


def test_vgg16():
    rows = trace([*VGG16_CONVOLUTIONS, Dense(4096), Relu(), Dense(4096), Relu(),
                  Dense(1000)], (224, 224, 3))
    assert rows[len(VGG16_CONVOLUTIONS) - 1].output_shape == (7, 7, 512)
    assert rows[len(VGG16_CONVOLUTIONS) - 1].receptive_field == (212, 212)
    # Simonyan and Zisserman 2014, table 2: 138 million
    assert sum(row.parameters for row in rows) == 138_357_544


# --- brute force

sizes = st.integers(1, 9)


def starts(n, f, stride, pad):
    """Where a filter can start, counted one by one."""
    return [p for p in range(-pad, n + pad, stride) if p + f <= n + pad]


@given(n=st.integers(1, 30), f=sizes, stride=st.integers(1, 5), pad=st.integers(0, 4))
def test_output_size_counts_positions(n, f, stride, pad):
    positions = starts(n, f, stride, pad)
    whole = positions and positions[-1] + f == n + pad
    if whole:
        assert output_size(n, f, stride, pad) == len(positions)
    else:
        with pytest.raises(SizeError):
            output_size(n, f, stride, pad)


@given(f=sizes, n=st.integers(1, 30), stride=st.integers(1, 6), pad=st.integers(0, 3))
def test_what_a_refusal_offers_fits(f, n, stride, pad):
    assume(n + 2 * pad >= f and (n + 2 * pad - f) % stride)
    with pytest.raises(SizeError) as refusal:
        output_size(n, f, stride, pad)
    strides, _, pads = str(refusal.value).rstrip(".").partition("Strides that fit: ")[
        2].partition(f"; with stride {stride}, padding that fits: ")
    for fitting in strides.split(", "):
        output_size(n, f, int(fitting), pad)
    for fitting in filter(None, pads.split(", ")):
        output_size(n, f, stride, int(fitting))


@given(rows=sizes, columns=sizes, channels=st.integers(1, 3), filters=st.integers(1, 3),
       f_rows=st.integers(1, 4), f_columns=st.integers(1, 4), stride=st.integers(1, 3),
       pad=st.integers(0, 2))
def test_convolution_counts(
    rows, columns, channels, filters, f_rows, f_columns, stride, pad
):
    layer, shape = Conv(filters, (f_rows, f_columns), stride, pad), (
        rows, columns, channels)
    try:
        output = layer.output_shape(shape)
    except SizeError:
        return
    places = list(itertools.product(starts(rows, f_rows, stride, pad),
                                    starts(columns, f_columns, stride, pad)))
    assert numbers_in(output) == len(places) * filters
    chunk = np.zeros((f_rows, f_columns, channels))
    assert layer.macs(shape) == len(places) * filters * chunk.size
    assert layer.parameters(shape) == sum(chunk.size + 1 for _ in range(filters))


layer_lists = st.lists(
    st.builds(Conv, st.just(1), st.tuples(*[st.integers(1, 4)] * 2), st.integers(1, 3))
    | st.builds(Pool, st.integers(1, 3), st.integers(1, 3)) | st.just(Relu()),
    max_size=5)


@given(layer_lists)
def test_receptive_field_is_what_one_number_depends_on(layers):
    """Walk back from one output number, layer by layer."""
    for axis in (0, 1):
        seen = {0}
        for layer in reversed(layers):
            if not isinstance(layer, Relu):
                f = pair(layer.size, "size")[axis]
                seen = {p * layer.stride + i for p in seen for i in range(f)}
        reach = max(seen) - min(seen) + 1
        assert receptive_field(layers)[axis] == reach


# --- refusals


@pytest.mark.parametrize("call, message", [
    (lambda: output_size(5, 7), "a filter of size 7 is larger than the input: 5"),
    (lambda: output_size(5, 0), "the filter size must be at least 1, got 0"),
    (lambda: output_size(5, 3, 0), "the stride must be at least 1, got 0"),
    (lambda: output_size(5, 3, 1, -1), "the padding must be at least 0, got -1"),
    (lambda: output_size(5.0, 3), "the input size must be a whole number, got 5.0"),
    (lambda: output_size(5, True), "the filter size must be a whole number, got True"),
    (lambda: conv_parameters(3, 1, 2.5), "the filter size is a whole number or a pair"),
    (lambda: conv_parameters(3, 1, (3, 3, 3)), "whole number or a pair"),
    (lambda: conv_parameters(3, 1, np.ones(2, int)), "whole number or a pair"),
    (lambda: conv_parameters(3, 1, (0, 3)), "the filter size must be at least 1"),
    (lambda: conv_parameters(0, 1, 3), "the number of channels must be at least 1"),
    (lambda: trace([Pool(kind="min")], (4, 4, 1)), "max or average, got 'min'"),
    (lambda: trace([Conv(1)], (0, 4, 1)), "a size must be at least 1, got 0"),
    (lambda: trace([Dense(10), Conv(1)], (4, 4, 1)),
     "layer 2, Conv.* on 10: a convolution layer takes a volume"),
])
def test_refusals_say_what_is_wrong(call, message):
    with pytest.raises(SizeError, match=message):
        call()


def test_a_misfit_names_its_layer():
    with pytest.raises(SizeError, match=r"layer 3, Pool\(.*\), on 13x13x6: ") as misfit:
        trace([Conv(6, 4), Relu(), Pool()], (16, 16, 3))
    assert misfit.value.layer == 3


def test_sizes_from_numpy_and_as_words():
    assert output_size(np.int64(7), np.int32(3)) == 5
    assert times((32, 32, 3)) == "32x32x3"

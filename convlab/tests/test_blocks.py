"""Blocks of published networks: hand-worked numbers, and counting by brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from convlab.arithmetic import (
    Conv,
    Dense,
    Norm,
    Pool,
    ReceptiveField,
    Relu,
    SizeError,
    receptive_field,
    trace,
)
from convlab.blocks import (
    Distances,
    GroupedConv,
    Parallel,
    PartialConv,
    Residual,
    Subsampling,
    Thinned,
    UnevenConv,
    UnevenPool,
    depth,
    uneven_size,
)

# --- padding that differs from side to side


def test_the_first_layers_of_three_papers():
    assert uneven_size(224, 11, 4, 2, 1) == 55  # AlexNet's map from its 224 pixels
    assert uneven_size(224, 7, 2, 3, 2) == 112  # GoogLeNet, ResNet
    assert uneven_size(112, 3, 2, 0, 1) == 56  # GoogLeNet's pooling
    assert uneven_size(56, 1, 2, 0, -1) == 28  # ResNet-50: the last row left out
    with pytest.raises(SizeError, match=r"224 with 3 before and 3 after is 230: .* = "
                                        "112.50 is not a whole number"):
        uneven_size(224, 7, 2, 3, 3)


@given(n=st.integers(1, 20), f=st.integers(1, 5), stride=st.integers(1, 4),
       before=st.integers(-2, 3), after=st.integers(-2, 3))
def test_uneven_sizes_count_windows_of_a_padded_array(n, f, stride, before, after):
    x = np.pad(np.ones(n), [max(before, 0), max(after, 0)])
    x = x[max(-before, 0):len(x) - max(-after, 0)]
    if len(x) < f or (len(x) - f) % stride:
        with pytest.raises(SizeError):
            uneven_size(n, f, stride, before, after)
    else:
        windows = sliding_window_view(x, f)[::stride]
        assert uneven_size(n, f, stride, before, after) == len(windows)


def test_uneven_layers_are_like_even_ones_where_the_sides_agree():
    shape = (9, 13, 4)
    for one, other in ((UnevenConv(6, (3, 5), 2, (1, 1)), Conv(6, (3, 5), 2, 1)),
                       (UnevenPool(3, 2), Pool(3, 2))):
        (row,), (same,) = trace([one], shape), trace([other], shape)
        assert (row.output_shape, row.parameters, row.macs, row.receptive_field) == (
            same.output_shape, same.parameters, same.macs, same.receptive_field)


# --- connections that are left out


def test_two_groups_halve_weights_and_work():
    # AlexNet's conv2: 256 filters of 5x5x48 on 27x27x96
    layer, shape = GroupedConv(256, 5, pad=2), (27, 27, 96)
    assert layer.output_shape(shape) == (27, 27, 256)
    assert layer.parameters(shape) == 256 * (5 * 5 * 48 + 1)
    assert layer.macs(shape) == 27 * 27 * 256 * (5 * 5 * 48)


@given(groups=st.integers(1, 4), channels=st.integers(1, 4), filters=st.integers(1, 4))
def test_groups_count_pairs_of_channel_and_filter(groups, channels, filters):
    c, k = groups * channels, groups * filters
    joined = np.arange(c)[:, None] // channels == np.arange(k) // filters
    layer = GroupedConv(k, 3, groups=groups)
    assert layer.parameters((5, 6, c)) == 9 * joined.sum() + k
    assert layer.macs((5, 6, c)) == 3 * 4 * 9 * joined.sum()


def test_partial_connections_count_channel_by_channel():
    layer = PartialConv(((0,), (0, 2), (0, 1, 2)), size=3)
    assert layer.output_shape((5, 6, 3)) == (3, 4, 3)
    assert layer.parameters((5, 6, 3)) == (9 + 1) + (9 * 2 + 1) + (9 * 3 + 1)
    assert layer.macs((5, 6, 3)) == 3 * 4 * 9 * (1 + 2 + 3)
    whole = PartialConv(((0, 1, 2),) * 4, size=3)
    assert whole.parameters((5, 6, 3)) == Conv(4, 3).parameters((5, 6, 3))
    assert whole.macs((5, 6, 3)) == Conv(4, 3).macs((5, 6, 3))


def test_small_layers():
    shape = (4, 6, 3)
    assert Subsampling(2, 2).output_shape(shape) == (2, 3, 3)
    assert Subsampling(2, 2).parameters(shape) == 3 * (1 + 1)
    assert Subsampling(2, 2).macs(shape) == (2 * 3 * 3) * 4
    assert (Norm().output_shape(shape), Norm().parameters(shape)) == (
        shape, 3 + 3)
    assert (Distances(10).output_shape((84,)), Distances(10).parameters((84,)),
            Distances(10).macs((84,))) == ((10,), 0, 840)
    assert Thinned(8).output_shape(shape) == (2, 3, 8)


# --- blocks

BRANCHES = Parallel((
    (Conv(4, 1), Relu()),
    (Conv(2, 1), Relu(), Conv(5, 3, pad=1), Relu()),
    (UnevenPool(3, 1, pad=(1, 1)), Conv(3, 1))))


def test_branches_are_stacked_and_added_up():
    shape = (6, 7, 8)
    assert BRANCHES.output_shape(shape) == (6, 7, 4 + 5 + 3)
    assert BRANCHES.parameters(shape) == (
        4 * (8 + 1) + 2 * (8 + 1) + 5 * (9 * 2 + 1) + 3 * (8 + 1))
    assert BRANCHES.macs(shape) == 6 * 7 * (4 * 8 + 2 * 8 + 5 * 9 * 2 + 3 * 8)


def test_a_residual_adds_no_parameters_of_its_own():
    body = (Conv(8, 3, pad=1), Relu(), Conv(8, 3, pad=1))
    (row,) = trace([Residual(body)], (6, 7, 8))
    plain = trace(body, (6, 7, 8))
    assert row.output_shape == (6, 7, 8)
    assert row.parameters == sum(one.parameters for one in plain)
    assert row.macs == sum(one.macs for one in plain)


def test_a_block_sees_as_much_as_its_widest_branch():
    assert receptive_field([BRANCHES]) == (3, 3)
    assert receptive_field([Conv(1, 3), BRANCHES, Conv(1, 5)]) == (
        3 + (3 - 1) + (5 - 1),) * 2
    assert receptive_field([Residual((Conv(1, 3), Conv(1, (1, 5))))]) == (3, 3 + 2 + 2)
    # Stride 2 inside: after it a step is two inputs wide, 3 + (3 - 1)*2.
    halved = Residual((UnevenConv(4, 3, 2, (1, 0)),), (Thinned(4),))
    assert receptive_field([halved, Conv(1, 3)]) == (7, 7)
    assert Parallel(((Dense(3),),)).sees(ReceptiveField()) is None


def test_depth_counts_weighted_layers_on_the_longest_way():
    assert depth([Conv(4, 3), Relu(), BRANCHES, Pool(), Dense(10)]) == 1 + 2 + 1
    assert depth([Residual((Conv(4, 1), Norm(), Conv(4, 1)), (Conv(4, 1),))]) == 2


@pytest.mark.parametrize("call, message", [
    (lambda: GroupedConv(4, 3, groups=2).output_shape((5, 5, 3)),
     "3 channels do not make 2 groups"),
    (lambda: GroupedConv(3, 3, groups=2).output_shape((5, 5, 4)),
     "3 filters do not make 2 groups"),
    (lambda: GroupedConv(4, 3, groups=0).output_shape((5, 5, 4)), "0 groups"),
    (lambda: PartialConv(((0, 3),), 3).parameters((5, 5, 3)),
     r"filter 0 sees the channels \(0, 3\), and there are 0 to 2"),
    (lambda: PartialConv(((),), 3).output_shape((5, 5, 3)), "filter 0 sees"),
    (lambda: Thinned(2).output_shape((4, 4, 3)), "from 3 channels .* not to 2"),
    (lambda: Thinned(4).output_shape((5, 4, 3)), "stride 2 does not divide 5x4"),
    (lambda: Parallel(((Conv(1, 3),), (Conv(1, 1),))).output_shape((5, 5, 1)),
     "heights and widths agree, got 3x3x1, 5x5x1"),
    (lambda: Residual((Conv(2, 1),)).output_shape((5, 5, 1)),
     "makes 5x5x2 and the shortcut 5x5x1"),
    (lambda: receptive_field([Residual((Conv(1, 1, stride=2),))]),
     "different strides: 2, 1"),
    (lambda: uneven_size(2, 1, 1, -1, -1), "nothing is left of 2"),
    (lambda: UnevenPool(3, 2, "min").output_shape((5, 5, 1)), "max or average"),
])
def test_refusals_say_what_is_wrong(call, message):
    with pytest.raises(SizeError, match=message):
        call()

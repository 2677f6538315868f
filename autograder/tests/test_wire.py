"""Values that cross come out as they went in; whatever is malformed is refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder import wire


def crossed(value, layouts=False):
    """What the other side gets, by way of JSON text and joined bytes."""
    encoder = wire.Encoder(layouts)
    tree = json.loads(json.dumps(encoder.encode(value)))
    return wire.decode(tree, b"".join(encoder.chunks), layouts)


NUMBERS = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="<"),
                    hnp.unsigned_integer_dtypes(endianness="<"),
                    hnp.floating_dtypes(endianness="<"),
                    hnp.complex_number_dtypes(endianness="<"))


@given(hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)))
def test_arrays_keep_bytes_dtype_and_shape(array):
    got = crossed(array)
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes()
    assert got.flags.writeable


@pytest.mark.parametrize("view", [
    lambda a: a.T,
    lambda a: a[::2, ::3],
    lambda a: a[:, ::-1],
    lambda a: np.asfortranarray(a),
    lambda a: a[1:3, 2:5],
    lambda a: np.broadcast_to(a[0], (3, 8)),
    lambda a: a[:, :0],
    lambda a: a[2, 3],
])
def test_layouts_arrive_as_sent(view):
    array = np.asarray(view(np.arange(48.0, dtype=np.float32).reshape(6, 8)))
    got = crossed(array, layouts=True)
    assert got.strides == array.strides or not array.size
    assert got.flags.writeable == array.flags.writeable
    assert got.flags.c_contiguous == array.flags.c_contiguous
    assert got.flags.aligned
    np.testing.assert_array_equal(got, array)


def test_only_the_values_of_a_view_cross():
    array = np.full(100, 7.0)
    array[::2] = 1.0
    encoder = wire.Encoder(layouts=True)
    encoder.encode(array[::2])
    assert set(np.frombuffer(encoder.chunks[0])) == {1.0, 0.0}


@pytest.mark.parametrize("value", [
    None, True, 3, -(10**500), 2.5, float("inf"), "text \u00e9", 1 + 2j,
    (1, (2.0, None)), [1, "a"], np.float32(1.5), np.int64(-3), np.bool_(True), (), [],
])
def test_plain_values_keep_their_type(value):
    got = crossed(value)
    assert type(got) is type(value)
    assert got == value


class Array(np.ndarray):
    """A subclass may lie about everything."""


class Number(float):
    def __eq__(self, other):
        return True


@pytest.mark.parametrize("value, kind", [
    (np.zeros(2).view(Array), "Array"),
    (Number(3), "Number"),
    (np.array([object()]), "ndarray of dtype object"),
    (np.array(["a"]), "ndarray of dtype <U1"),
    ({"a": 1}, "dict"),
    (object(), "object"),
    pytest.param(10**5000, "int", id="a number of 5000 digits"),
])
def test_other_values_cross_as_a_name(value, kind):
    got = crossed(value)
    assert isinstance(got, wire.Opaque)
    assert got.kind.endswith(kind)


def test_deep_and_long_tuples_cross_as_a_name():
    deep = ()
    for _ in range(100):
        deep = (deep,)
    assert "Opaque" in repr(crossed(deep))
    assert isinstance(crossed(tuple(range(20_000))), wire.Opaque)


ARRAY = {"array": "<f4", "shape": [2, 2], "at": 0, "bytes": 16}


@pytest.mark.parametrize("tree", [
    None, 3, [], {}, {"what": 1},
    ARRAY | {"bytes": 17},  # longer than what came
    ARRAY | {"at": 4},
    ARRAY | {"shape": [2, 3]},  # does not fit its bytes
    ARRAY | {"shape": [1 << 40, 1 << 40]},
    ARRAY | {"shape": [-2, -2]},
    ARRAY | {"shape": [True, 4]},
    ARRAY | {"shape": [2.0, 2]},
    ARRAY | {"shape": [0, 1 << 70], "bytes": 0},
    ARRAY | {"shape": [2, 2] + [1] * 100},
    ARRAY | {"shape": "22"},
    ARRAY | {"array": "|O8"},  # objects: would be pointers
    ARRAY | {"array": "<U4"},
    ARRAY | {"array": "f4,f4"},
    ARRAY | {"array": "<f3"},
    ARRAY | {"array": 4},
    ARRAY | {"at": -4},
    {"scalar": "<f8", "hex": "00"},
    {"scalar": "|O8", "hex": "00" * 8},
    {"scalar": "<f8", "hex": "zz"},
    {"plain": {"a": 1}}, {"plain": [1]}, {"plain": "x" * 200_000},
    {"int": 5}, {"int": "x"}, {"int": "0x" + "f" * 5000},
    {"complex": [1]}, {"complex": ["a", "b"]},
    {"opaque": 3}, {"tuple": 3}, {"tuple": [[]]},
    {"tuple": [{"plain": None}] * 20_000},
])
def test_malformed_values_are_refused(tree):
    with pytest.raises(wire.ProtocolError):
        wire.decode(tree, b"\0" * 16)


def test_the_graders_side_takes_no_strides():
    wild = ARRAY | {"strides": [1 << 40, 8], "first": 0}
    assert wire.decode(wild, b"\0" * 16).strides == (8, 4)
    with pytest.raises(wire.ProtocolError):
        wire.decode(wild, b"\0" * 16, layouts=True)


def test_deep_json_is_refused_and_not_followed():
    with pytest.raises(wire.ProtocolError):
        wire.unpack_text(b"[" * 100_000)
    with pytest.raises(wire.ProtocolError):
        wire.unpack_text(b"\xff{}")


@given(st.binary(min_size=16, max_size=16))
def test_headers_that_are_not_ours_are_refused(header):
    with pytest.raises(wire.ProtocolError):
        wire.unpack_header(header, 100, 100)


def test_lengths_are_checked_against_the_caps():
    header = wire.HEADER.pack(wire.MAGIC, 10, 1 << 60)
    with pytest.raises(wire.ProtocolError, match="too long"):
        wire.unpack_header(header, 100, 1 << 20)
    assert wire.unpack_header(wire.HEADER.pack(wire.MAGIC, 10, 20), 10, 20) == (10, 20)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(
        st.sampled_from(["tuple", "list", "array", "scalar", "plain", "int", "complex",
                         "opaque", "shape", "at", "bytes", "hex"]), some, max_size=5),
    max_leaves=10))
def test_any_json_is_a_value_or_refused(tree):
    try:
        wire.decode(tree, b"\0" * 64)
    except wire.ProtocolError:
        return

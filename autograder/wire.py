"""How the grader and a student's process talk: frames, and values in them.

A frame is a header (magic, length of the text, length of the data), a JSON
text, and raw data. Arrays are declared in the text (dtype, shape, where in
the data) and their bytes lie in the data: nothing is ever unpickled, and all
sizes are checked before memory is taken.

This file runs on both sides, so it imports nothing but numpy and the standard
library. The grader's side believes nothing: `ProtocolError` for whatever is
malformed. What is well formed can still only be a wrong answer.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

MAGIC = b"CNV1"
HEADER = struct.Struct(">4sIQ")
DEPTH = 4  # tuples in tuples
ITEMS = 10_000  # values in one message
LETTERS = 100_000  # characters of a text value
BITS = 4096  # of an int
DTYPE = re.compile(r"[<|][biufc]\d{1,2}\Z")


class ProtocolError(Exception):
    """What the other side sent is not in this protocol."""


class Opaque:
    """A returned value that is not plain data: only its type's name came over."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"Opaque({self.kind!r})"


def pack(message: dict[str, Any], chunks: Sequence[bytes] = ()) -> list[bytes]:
    """A frame as a list of byte strings to be sent one after the other."""
    text = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    return [HEADER.pack(MAGIC, len(text), sum(map(len, chunks))), text, *chunks]


def unpack_header(header: bytes, text_cap: int, data_cap: int) -> tuple[int, int]:
    """The lengths of a frame's text and data, both within the caps."""
    magic, text, data = HEADER.unpack(header)
    if magic != MAGIC:
        raise ProtocolError("the reply does not start as a reply does")
    if text > text_cap or data > data_cap:
        raise ProtocolError(f"the reply is too long: {text} and {data} bytes, of at "
                            f"most {text_cap} and {data_cap}")
    return text, data


def unpack_text(text: bytes) -> dict[str, Any]:
    """The message in a frame's text."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("the reply is not JSON") from error
    if not isinstance(message, dict):
        raise ProtocolError("the reply is not a message")
    return message


class Encoder:
    """Turns values into JSON's types, and collects the arrays' bytes.

    `layouts`: send an array that is not C-contiguous with its strides, so that
    it is as non-contiguous on the other side; otherwise only values are sent.
    """

    def __init__(self, layouts: bool = False) -> None:
        self.layouts = layouts
        self.chunks: list[bytes] = []
        self.length = 0
        self.items = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        self.items += 1
        kind = type(value)
        if kind in (tuple, list):
            if depth == DEPTH or self.items + len(value) > ITEMS:
                return {"opaque": f"a deeply nested or very long {kind.__name__}"}
            return {kind.__name__: [self.encode(one, depth + 1) for one in value]}
        if kind is np.ndarray and DTYPE.match(value.dtype.str):
            return self._array(value)
        if isinstance(value, np.generic) and DTYPE.match(value.dtype.str):
            return {"scalar": value.dtype.str, "hex": value.tobytes().hex()}
        return _plain(value, kind)

    def _array(self, array: np.ndarray) -> dict[str, Any]:
        found = {"array": array.dtype.str, "shape": list(array.shape),
                 "at": self.length}
        if array.flags.c_contiguous or not self.layouts:
            data = array.tobytes()
        else:
            first, data = _spread(array)
            found |= {"strides": list(array.strides), "first": first}
        if self.layouts and not array.flags.writeable:
            found["readonly"] = True
        self.chunks.append(data)
        self.length += len(data)
        return found | {"bytes": len(data)}


def _plain(value: Any, kind: type) -> dict[str, Any]:
    if value is None or kind in (bool, float):
        return {"plain": value}
    if kind is int and value.bit_length() <= BITS:
        return {"int": hex(value)}
    if kind is str and len(value) <= LETTERS:
        return {"plain": value}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    name = kind.__name__
    if kind is np.ndarray:
        name += f" of dtype {value.dtype}"
    elif kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    return {"opaque": name[:100]}


def _spread(array: np.ndarray) -> tuple[int, bytes]:
    """Memory that holds just this array's values, at its own strides."""
    reach = [(size - 1) * stride
             for size, stride in zip(array.shape, array.strides, strict=True) if size]
    first = -sum(step for step in reach if step < 0)
    last = sum(step for step in reach if step > 0)
    memory = np.zeros(first + last + array.itemsize, np.uint8)
    np.ndarray(array.shape, array.dtype, memory, first, array.strides)[...] = array
    return first, memory.tobytes()


def decode(tree: Any, data: bytes | bytearray, layouts: bool = False) -> Any:
    """The value that an Encoder made this of; raises ProtocolError.

    Arrays are new and writable. `layouts` as for the Encoder: the grader
    leaves it off, and takes C-contiguous arrays alone.
    """
    try:
        return _Decoder(data, layouts).decode(tree, 0)
    except ProtocolError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, OverflowError,
            MemoryError) as error:
        raise ProtocolError(f"a malformed value ({type(error).__name__})") from error


class _Decoder:
    def __init__(self, data: bytes | bytearray, layouts: bool) -> None:
        self.data = memoryview(data)
        self.layouts = layouts
        self.items = 0

    def decode(self, tree: dict[str, Any], depth: int) -> Any:
        self.items += 1
        if not isinstance(tree, dict) or depth > DEPTH or self.items > ITEMS:
            raise ProtocolError("a malformed value")
        for kind, make in (("tuple", tuple), ("list", list)):
            if kind in tree:
                return make(self.decode(one, depth + 1) for one in tree[kind])
        if "array" in tree:
            return self._array(tree)
        if "scalar" in tree:
            raw = bytes.fromhex(tree["hex"])
            return np.frombuffer(raw, _dtype(tree["scalar"]), 1)[0]
        if "plain" in tree:
            return _checked(tree["plain"], (type(None), bool, float, str))
        if "int" in tree:
            return int(_checked(tree["int"], (str,), BITS // 4 + 8), 16)
        if "complex" in tree:
            real, imag = tree["complex"]
            return complex(_checked(real, (float,)), _checked(imag, (float,)))
        return Opaque(_checked(tree["opaque"], (str,))[:100])

    def _array(self, tree: dict[str, Any]) -> np.ndarray:
        dtype, shape = _dtype(tree["array"]), tuple(map(_natural, tree["shape"]))
        at, length = _natural(tree["at"]), _natural(tree["bytes"])
        if at + length > len(self.data):
            raise ProtocolError("an array is said to be longer than its data")
        raw = np.frombuffer(self.data, np.uint8, length, at) if length else b""
        if "strides" in tree and self.layouts:
            strides = tuple(map(int, tree["strides"]))
            array = np.ndarray(shape, dtype, np.array(raw), tree["first"], strides)
        elif len(shape) > 32 or math.prod(shape) * dtype.itemsize != length:
            raise ProtocolError("an array's shape does not fit its data")
        else:
            array = np.empty(shape, dtype)
            array.reshape(-1).view(np.uint8)[...] = raw if length else 0
        if tree.get("readonly"):
            array.flags.writeable = False
        return array


def _dtype(text: str) -> np.dtype:
    if not DTYPE.match(text):
        raise ProtocolError("an array of a type that is not numbers")
    return np.dtype(text)


def _natural(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise ProtocolError("a size that is not a natural number")
    return number


def _checked(value: Any, kinds: tuple[type, ...], longest: int = LETTERS) -> Any:
    if type(value) not in kinds or (type(value) is str and len(value) > longest):
        raise ProtocolError("a malformed value")
    return value

"""Public checks as data: what stands in convlab/checks/cases.

Inputs, the expected outputs, and what each known mistake returns: numbers and
no code, so that no implementation, right or wrong, lies in a student's kit.
`<assignment>.json` holds the structure, `<assignment>.npz` its arrays (read
without pickle).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convlab.checks.layout import with_strides

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Refusal:
    """Instead of an output: this is raised."""

    kind: str = "ValueError"


@dataclass(frozen=True)
class PublicCase:
    """One call, its expected output, and what known mistakes return."""

    about: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    expected: Any  # Refusal() where the call has to raise ValueError
    mistakes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PublicCheck:
    """What `check(name, function)` tries."""

    name: str  # "ps2/conv2d_forward"
    function: str
    arguments: tuple[str, ...]  # names of the function's arguments
    cases: Sequence[PublicCase]
    hints: Mapping[str, str]  # by name of the mistake
    rtol: float
    atol: float
    dtype: bool  # whether the output's dtype counts


def load(name: str) -> PublicCheck:
    """The public check of this name. Raises KeyError listing those there are."""
    names = []
    for path in sorted(FOLDER.glob("*.json")):
        with open(path, encoding="utf-8") as file:
            checks = json.load(file)
        if name in checks:
            with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
                return _decode_check(name, checks[name], arrays)
        names += checks
    raise KeyError(f"there is no check {name!r}; there are: {', '.join(names)}")


def encode(checks: Sequence[PublicCheck]) -> tuple[str, dict[str, np.ndarray]]:
    """The JSON text and the arrays of checks; equal arrays are kept once."""
    arrays: dict[str, np.ndarray] = {}
    known: dict[tuple, str] = {}

    def keep(array: np.ndarray) -> str:
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in known:
            known[key] = f"a{len(known)}"
            arrays[known[key]] = np.ascontiguousarray(array).reshape(array.shape)
        return known[key]

    tree = {check.name: _encode_check(check, keep) for check in checks}
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n", arrays


def _encode_check(check: PublicCheck, keep) -> dict[str, Any]:
    def value(one):
        return _encode(one, keep)

    return {
        "function": check.function,
        "arguments": list(check.arguments),
        "rtol": check.rtol, "atol": check.atol, "dtype": check.dtype,
        "hints": dict(check.hints),
        "cases": [{
            "about": case.about,
            "args": [value(one) for one in case.args],
            "kwargs": {name: value(one) for name, one in case.kwargs.items()},
            "expected": value(case.expected),
            "mistakes": {name: value(one) for name, one in case.mistakes.items()},
        } for case in check.cases],
    }


def _decode_check(name: str, tree: Mapping[str, Any], arrays) -> PublicCheck:
    def value(one):
        return _decode(one, arrays)

    def case(one) -> PublicCase:
        return PublicCase(
            one["about"], tuple(map(value, one["args"])),
            {name: value(arg) for name, arg in one["kwargs"].items()},
            value(one["expected"]),
            {name: value(wrong) for name, wrong in one["mistakes"].items()})

    return PublicCheck(
        name, tree["function"], tuple(tree["arguments"]),
        [case(one) for one in tree["cases"]], tree["hints"],
        tree["rtol"], tree["atol"], tree["dtype"])


def _encode(value: Any, keep) -> Any:
    if isinstance(value, Refusal):
        return {"raises": value.kind}
    if isinstance(value, np.ndarray):
        contiguous = value.flags.c_contiguous
        return {"array": keep(value)} | (
            {} if contiguous else {"strides": list(value.strides)})
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.generic):  # keeps its dtype as an array of no axes
        return {"array": keep(np.asarray(value))}
    if isinstance(value, tuple):
        return {"tuple": [_encode(one, keep) for one in value]}
    return value


def _decode(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if "raises" in value:
        return Refusal(value["raises"])
    if "tuple" in value:
        return tuple(_decode(one, arrays) for one in value["tuple"])
    array = arrays[value["array"]]
    strides = value.get("strides")
    if strides:
        return with_strides(array, tuple(strides))
    return array[()] if array.ndim == 0 else array

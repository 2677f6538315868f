"""Write the public checks: run oracles and misconceptions, keep what they return.

What a student gets in convlab/checks/cases is numbers, so that neither a right
nor a wrong implementation stands there as code.
"""

from __future__ import annotations

import inspect
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograder import hidden
from autograder.comparison import Answer, Returned, answer_of
from autograder.questions import Check
from convlab.checks import public

SEED = 2022
AGREE = 1e-5  # last bits differ between processors; this is no change


def public_check(check: Check) -> public.PublicCheck:
    """The check's cases with what oracle and misconceptions return."""
    cases = []
    for case in check.cases(np.random.default_rng(SEED)):
        right = public.Refusal() if case.refused else _output(
            answer_of(check.oracle, case))
        wrong = {m.name: _output(answer_of(m.wrong, case))
                 for m in check.misconceptions}
        cases.append(public.PublicCase(
            case.about, case.args, case.kwargs, right, wrong))
    return public.PublicCheck(
        check.name, check.function,
        tuple(inspect.signature(check.oracle).parameters), cases,
        {m.name: m.hint for m in check.misconceptions},
        check.rtol, check.atol, check.dtype)


def write(assignment: str, folder: Path = public.FOLDER) -> bool:
    """Write an assignment's public checks. False where nothing had changed."""
    checks = [public_check(one) for one in hidden.checks(assignment).values()]
    text, arrays = public.encode(checks)
    path = folder / f"{assignment}.json"
    if _is_there(path, text, arrays):
        return False
    folder.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    _replace(path.with_suffix(".npz"), packed.getvalue())
    _replace(path, text.encode())
    return True


def same(
    text: str, arrays: Mapping[str, np.ndarray],
    other_text: str, other_arrays: Mapping[str, np.ndarray],
) -> bool:
    """Whether two sets of checks are the same, but for rounding."""
    return json.loads(text) == json.loads(other_text) and sorted(arrays) == sorted(
        other_arrays) and all(
            array.dtype == other_arrays[name].dtype
            and array.shape == other_arrays[name].shape
            and np.allclose(array, other_arrays[name], AGREE, AGREE, equal_nan=True)
            for name, array in arrays.items())


def _is_there(path: Path, text: str, arrays: Mapping[str, np.ndarray]) -> bool:
    try:
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as there:
            return same(text, arrays, path.read_text(encoding="utf-8"), dict(there))
    except (OSError, ValueError):
        return False


def _output(answer: Answer) -> Any:
    """What is kept of an answer. A float keeps its dtype as an array of no axes."""
    if not isinstance(answer, Returned):
        return public.Refusal(answer.types[0])
    return _kept(answer.value)


def _kept(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_kept, value))
    if type(value) is float:
        return np.float64(value)
    if np.ndim(value):
        return np.ascontiguousarray(value)
    return value


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(content)
    os.replace(beside, path)

"""Run a student's function on the public cases and compare what it returns."""

from __future__ import annotations

import contextlib
import io
import linecache
import os
import sysconfig
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from convlab.checks import numba_errors
from convlab.checks.compare import Difference, describe, difference
from convlab.checks.layout import copied
from convlab.checks.public import PublicCase, PublicCheck, Refusal
from convlab.checks.recognise import recognise

HERE = Path(__file__).parent
LIBRARIES = tuple({sysconfig.get_path(which) for which in ("stdlib", "purelib")})
LONGEST = 300  # characters shown of an error's message or a warning
KEPT = 1 << 16  # bytes of what compiled libraries write on the error stream


@dataclass(frozen=True)
class Attempt:
    """What came of one case."""

    case: PublicCase
    got: Any = None
    error: BaseException | None = None
    wrong: Difference | None = None  # None: right
    changed: tuple[int, ...] = ()  # numbers of the arguments it changed

    @property
    def right(self) -> bool:
        return self.wrong is None


@dataclass(frozen=True)
class Result:
    """What came of all cases."""

    check: PublicCheck
    attempts: list[Attempt]
    hint: str | None = None
    said: list[str] = field(default_factory=list)  # warnings, stderr

    @property
    def failed(self) -> Attempt | None:
        """The first attempt that is not right."""
        return next((one for one in self.attempts if not one.right), None)

    @property
    def unwritten(self) -> bool:
        """Nothing is there yet: every case raised NotImplementedError."""
        return all(isinstance(one.error, NotImplementedError)
                   and numba_errors.explain(one.error) is None
                   for one in self.attempts)


def run(check: PublicCheck, function: Callable[..., Any]) -> Result:
    """Try every case, each with arguments of its own."""
    noise = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, _below_python(noise), \
            contextlib.redirect_stderr(noise):
        warnings.simplefilter("always")
        attempts = [_try(check, case, function) for case in check.cases]
    said = [numba_errors.explain_warning(one.message)
            or f"{one.category.__name__}: {one.message}" for one in caught]
    said += [numba_errors.explain_warning(line) or line
             for line in noise.getvalue().splitlines()]
    said = list(dict.fromkeys(short(" ".join(line.split())) for line in said))
    name = _known_mistake(check, attempts)
    return Result(check, attempts, check.hints.get(name), [s for s in said if s])


@contextlib.contextmanager
def _below_python(noise: io.StringIO) -> Iterator[None]:
    """Add to `noise` what compiled libraries, BLAS for one, write on stderr.

    They write to file descriptor 2, past sys.stderr.
    """
    with contextlib.ExitStack() as stack:
        try:
            written = stack.enter_context(tempfile.TemporaryFile())
            usual = os.dup(2)
        except OSError:  # no folder to write in, or no stderr: it is not caught
            yield
            return
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(usual, 2)
            os.close(usual)
            written.seek(0)
            text = written.read(KEPT).decode("utf-8", "replace")
            noise.write(text[:text.rfind("\n") + 1] if len(text) == KEPT else text)


def short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " ..."


def _try(check: PublicCheck, case: PublicCase, function) -> Attempt:
    args, kwargs = copied(case.args), copied(dict(case.kwargs))
    try:
        got, error = function(*args, **kwargs), None
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # a student's exit() ends the check, not Jupyter
        got, error = None, raised
    changed = tuple(
        number for number, (before, after) in
        enumerate(zip(case.args, args, strict=True))
        if isinstance(before, np.ndarray)
        and not np.array_equal(before, after, equal_nan=True))
    return Attempt(case, got, error, _compare(check, case, got, error), changed)


def _compare(check, case, got, error) -> Difference | None:
    if isinstance(case.expected, Refusal):
        if isinstance(error, ValueError):
            return None
        did = f"raised {type(error).__name__}" if error else f"returned {describe(got)}"
        return Difference(f"This must be refused with a ValueError; it {did}.")
    if error is not None:
        return Difference(_error_in_words(error))
    return difference(case.expected, got, check.rtol, check.atol, check.dtype)


def _error_in_words(error: BaseException) -> str:
    translated = numba_errors.explain(error)
    if translated:
        return f"numba could not compile it. {translated}"
    said = short(str(error).strip())
    text = f"It raised {type(error).__name__}" + (f": {said}" if said else ".")
    return text + _where(error)


def _where(error: BaseException) -> str:
    """The line of the student's own code that an error came from."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if Path(frame.filename).parent != HERE
              and not frame.filename.startswith(LIBRARIES)]
    if not frames:
        return ""
    last = frames[-1]
    code = linecache.getline(last.filename, last.lineno or 0).strip()
    return f"\nIn {last.name}, line {last.lineno}" + (f": {code}" if code else "")


def _known_mistake(check: PublicCheck, attempts: list[Attempt]) -> str | None:
    """By name: first where the dtypes agree as well, else by the values alone."""
    def named(dtype: bool) -> str | None:
        return recognise(
            [(one.right, _explanations(check, one, dtype)) for one in attempts],
            list(check.hints))
    return named(check.dtype) or (named(False) if check.dtype else None)


def _explanations(check: PublicCheck, attempt: Attempt, dtype: bool) -> set[str]:
    return {name for name, output in attempt.case.mistakes.items()
            if _is(output, attempt, check, dtype)}


def _is(output: Any, attempt: Attempt, check: PublicCheck, dtype: bool) -> bool:
    if isinstance(output, Refusal) or attempt.error is not None:
        return isinstance(output, Refusal) and (
            output.kind == type(attempt.error).__name__
            or output.kind == "ValueError" and isinstance(attempt.error, ValueError))
    return attempt.got is not None and difference(
        output, attempt.got, check.rtol, check.atol, dtype) is None

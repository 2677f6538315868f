"""Make a known mistake out of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import wraps
from typing import Any

from autograder.questions import Misconception


def refusing(
    right: Callable[..., Any], mistakes: Iterable[Misconception]
) -> tuple[Misconception, ...]:
    """The same mistakes in functions that refuse what is to be refused."""
    def careful(wrong):
        @wraps(wrong)
        def function(*args, **kwargs):
            right(*args, **kwargs)
            return wrong(*args, **kwargs)
        return function
    return tuple(replace(m, wrong=careful(m.wrong)) for m in mistakes)

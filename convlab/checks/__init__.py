"""What a student runs while working: `check("ps2/conv2d_forward", conv2d_forward)`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["check"]


def check(name: str, function: Callable[..., Any]) -> None:
    """Try a function on the public cases of a check, and show what came of it.

    Shows how many cases are right and, for the first that is not, the call, what
    was expected, what came back, and a hint where it is a known mistake. Raises
    KeyError for a check that does not exist, and TypeError for what cannot be
    called; never because of what the function does.
    """
    from convlab.checks import public, report, running

    if not callable(function):
        raise TypeError(f"check wants the function itself, without brackets: "
                        f"check({name!r}, {public.load(name).function})")
    result = report.Report(running.run(public.load(name), function))
    if _in_notebook():
        from IPython.display import display

        display(result)
    else:
        print(result)


def _in_notebook() -> bool:
    """Whether something will show HTML: an IPython kernel is running."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")

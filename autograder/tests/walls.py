"""What tests of the sandbox share: the mark, and processes that start quickly."""

from __future__ import annotations

import pytest

from autograder import sandbox


def _why_none() -> str | None:
    try:
        sandbox.find_bwrap()
    except sandbox.SandboxUnavailable as error:
        return str(error)
    return None


def needs_sandbox(test):
    """Mark a test as one that needs a working bubblewrap."""
    why = _why_none()
    test = pytest.mark.skipif(why is not None, reason=why or "")(test)
    return pytest.mark.sandbox(test)


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the imports of numba and matplotlib, which take a second."""
    monkeypatch.setattr(sandbox, "PRELOAD", ("numpy",))

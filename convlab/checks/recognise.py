"""Which known mistake explains a set of answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def recognise(
    cases: Iterable[tuple[bool, set[str]]], order: Sequence[str]
) -> str | None:
    """The name of the mistake that explains wrong answers, if one does.

    cases: for each case, whether the answer is right, and the names of all
    mistakes that give this very answer there (also where it is right).
    order: all names; the first of equally good ones wins.

    The first wrong answer decides what comes into question. The other
    answers, wrong ones first, narrow that down where they agree with any.
    """
    cases = list(cases)
    wrong = [set(names) for right, names in cases if not right]
    right = [set(names) for right, names in cases if right]
    if not wrong:
        return None
    candidates = wrong[0]
    for names in wrong[1:] + right:
        candidates = (candidates & names) or candidates
    return next((name for name in order if name in candidates), None)

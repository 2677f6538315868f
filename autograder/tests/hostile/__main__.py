"""Print what came of each row: `python -m autograder.tests.hostile [WORD...]`.

With words, only rows that have one of them in their names.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from autograder.tests.hostile.run import Outcome, cpu_seconds, grade_rows
from autograder.tests.hostile.table import ROWS

HEADS = ("", "submission", "points", "deserved", "status", "flags", "the student reads",
         "the instructor reads")  # fmt: skip


def cells(outcome: Outcome) -> tuple[str, ...]:
    row = outcome.row
    said = [" / ".join(" ".join(words.split()) for words in one)
            for one in (row.student, row.instructor)]  # fmt: skip
    return ("FAILS" if outcome.problems() else "ok", row.name,
            f"{outcome.points:g}", f"{row.points:g}", outcome.status, outcome.flags,
            *said)  # fmt: skip


def lines(outcomes: list[Outcome]) -> Iterator[str]:
    rows = [HEADS, *map(cells, outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
        if number:
            yield from (f"       {one}" for one in outcomes[number - 1].problems())


def main() -> int:
    wanted = sys.argv[1:]
    rows = [row for row in ROWS if not wanted or any(w in row.name for w in wanted)]
    began, used = time.monotonic(), cpu_seconds()
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        outcomes = list(grade_rows(Path(folder), rows).outcomes.values())
    print("\n".join(lines(outcomes)))
    failed = sum(bool(one.problems()) for one in outcomes)
    print(f"\n{len(rows)} submissions, {failed} not as they should be; "
          f"{time.monotonic() - began:.0f} s, of them {cpu_seconds() - used:.0f} s of "
          "the grader's own processor time.")  # fmt: skip
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())

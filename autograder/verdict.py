"""What the judge found: a verdict for each question, and what the cells showed.

Plain data that survives a round trip through JSON, so that it can cross a
cluster, lie beside the submission, and be read again by a later regrade.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

RIGHT = "right"
WRONG = "wrong"  # ran, and the answer is not right
ERROR = "error"  # raised where it should have answered
UNWRITTEN = "unwritten"  # raised NotImplementedError
MISSING = "missing"  # the function is not there
SLOW = "slow"  # right, but not fast enough for a speed question
TIMEOUT = "timeout"  # stopped by the clock
CRASH = "crash"  # the process ended, or what it sent made no sense
MEMORY = "memory"  # went over the memory limit
PROCESSES = "processes"  # started too many processes
REFERENCE = "reference"  # the course's function was chosen in place of their own
UNJUDGED = "unjudged"  # the time or restarts for this submission were used up
FAULT = "fault"  # the grader's own mistake: an instructor must look

STATUSES = (RIGHT, WRONG, ERROR, UNWRITTEN, MISSING, SLOW, TIMEOUT, CRASH, MEMORY,
            PROCESSES, REFERENCE, UNJUDGED, FAULT)


@dataclass(frozen=True)
class Verdict:
    """The judge's word on one question; zero points unless it is right."""

    question: str
    points: float
    max_points: float
    status: str
    explanation: str  # one or more lines, for the student
    misconception: str | None = None  # the known mistake, by name
    seconds: float = 0.0  # spent on this question

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"{self.status!r} is not a status: {', '.join(STATUSES)}")
        if not (math.isfinite(self.points) and 0 <= self.points <= self.max_points):
            raise ValueError(f"{self.question}: {self.points} points of "
                             f"{self.max_points} cannot be")

    @property
    def right(self) -> bool:
        return self.status == RIGHT

    def as_outputs(self, execution_count: int | None = None) -> list[dict[str, Any]]:
        """The outputs of the graded cell: the explanation, then the points.

        nbgrader reads the number as the score; a score is always written, as
        a cell without one would count as full marks.
        """
        head = f"{_number(self.points)} of {_number(self.max_points)} points\n"
        return [
            {"output_type": "stream", "name": "stdout",
             "text": head + self.explanation.rstrip("\n") + "\n"},
            {"output_type": "execute_result", "execution_count": execution_count,
             "metadata": {}, "data": {"text/plain": _number(self.points)}},
        ]


@dataclass(frozen=True)
class Incident:
    """Something out of the ordinary while a submission ran."""

    kind: str  # a status, or "forged", "output", "files"
    where: str  # "cell 5" (counted from 1, as a person would) or a question's name
    message: str  # a sentence
    cell: int | None = None  # index into the notebook's cells


@dataclass(frozen=True)
class Judgement:
    """All that came out of running and judging one submission."""

    seed: int
    verdicts: Mapping[str, Verdict]  # by question, in the order of the assignment
    outputs: Mapping[int, list[dict[str, Any]]]  # by index of the cell
    incidents: tuple[Incident, ...] = ()
    seconds: float = 0.0
    # seconds of "start", "cells", "calls"; the number of "restarts"; "peak_mib"
    timings: Mapping[str, float] = field(default_factory=dict)
    sandbox: str = "bwrap"
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def points(self) -> float:
        return sum(verdict.points for verdict in self.verdicts.values())

    @property
    def max_points(self) -> float:
        return sum(verdict.max_points for verdict in self.verdicts.values())

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON's own types; `from_json` makes an equal judgement of it."""
        found = asdict(self)
        found["outputs"] = {str(cell): out for cell, out in self.outputs.items()}
        found["incidents"] = [asdict(incident) for incident in self.incidents]
        return found

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Judgement:
        return cls(**{
            **found,
            "verdicts": {name: Verdict(**verdict)
                         for name, verdict in found["verdicts"].items()},
            "outputs": {int(cell): out for cell, out in found["outputs"].items()},
            "incidents": tuple(Incident(**one) for one in found["incidents"]),
        })


def _number(points: float) -> str:
    return str(int(points)) if points == int(points) else repr(float(points))

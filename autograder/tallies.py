"""What a class's records add up to: counts and sums for whoever teaches it."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autograder import hidden
from autograder.record import Record
from autograder.remark import Remark

MOST_BINS = 12
STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100)  # points that a bar may stand for
SLOWEST = 10


@dataclass(frozen=True)
class Bin:
    """Scores from `low` to under `high`; the last is full marks and more."""

    low: float
    high: float | None
    count: int


def histogram(scores: Iterable[float], most: float) -> list[Bin]:
    """How many scores lie in steps of a round number; full marks stand alone."""
    scores = list(scores)
    step = next((s for s in STEPS if most <= s * (MOST_BINS - 1)), most)
    lows = []
    while len(lows) * step < most:
        lows.append(len(lows) * step)
    edges = [*lows, most]
    bins = [
        Bin(low, high, sum(low <= score < high for score in scores))
        for low, high in zip(edges, edges[1:], strict=False)
    ]
    return [*bins, Bin(most, None, sum(score >= most for score in scores))]


@dataclass(frozen=True)
class Spread:
    """Where a class's scores lie."""

    lowest: float
    quarter: float  # a quarter of the scores is not above it
    median: float
    three_quarters: float
    highest: float
    mean: float


def spread(scores: Sequence[float]) -> Spread | None:
    if not scores:
        return None
    scores = sorted(scores)
    low, middle, high = (
        statistics.quantiles(scores, n=4, method="inclusive")
        if len(scores) > 1
        else scores * 3
    )
    mean = statistics.mean(scores)
    return Spread(scores[0], low, middle, high, scores[-1], mean)


@dataclass
class QuestionTally:
    """One question that has hidden tests, over the class."""

    name: str
    checked: str
    points: float
    bonus: bool
    judged: int = 0
    right: int = 0
    lost: float = 0.0  # points of the whole class; nobody loses those of a bonus
    outcomes: Counter[str] = field(default_factory=Counter)  # how the others ended

    @property
    def share_right(self) -> float:
        return self.right / self.judged if self.judged else 0.0

    @property
    def mean_lost(self) -> float:
        return self.lost / self.judged if self.judged else 0.0


def by_question(assignment: str, judged: Iterable[Record]) -> list[QuestionTally]:
    """The questions, most points lost first, bonus questions last."""
    tallies = {
        name: QuestionTally(name, one.checked, one.points, one.bonus)
        for name, one in hidden.questions(assignment).items()
    }
    for record in judged:
        for name, verdict in record.judgement.verdicts.items():
            if name not in tallies:
                continue
            tally = tallies[name]
            tally.judged += 1
            tally.right += verdict.right
            tally.lost += 0 if tally.bonus else verdict.max_points - verdict.points
            if not verdict.right:
                tally.outcomes[verdict.status] += 1
    return sorted(tallies.values(), key=lambda one: (one.bonus, -one.lost))


@dataclass
class MistakeTally:
    """A known mistake that was made, and by whom."""

    name: str
    hint: str
    students: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)


def mistakes(assignment: str, judged: Iterable[Record]) -> list[MistakeTally]:
    """The known mistakes that were made, most frequent first, with their hints."""
    questions = hidden.questions(assignment)
    found: dict[tuple[str, str], MistakeTally] = {}
    for record in judged:
        for name, verdict in record.judgement.verdicts.items():
            if not verdict.misconception or name not in questions:
                continue
            known = questions[name].misconceptions
            hints = [m.hint for m in known if m.name == verdict.misconception]
            hint = hints[0] if hints else ""
            tally = found.setdefault(
                (verdict.misconception, hint),
                MistakeTally(verdict.misconception.replace("_", " "), hint),
            )
            _add(tally.students, record.student)
            _add(tally.questions, name)
    return sorted(found.values(), key=lambda one: (-len(one.students), one.name))


def _add(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


@dataclass
class KindTally:
    """All remarks of one kind: (student, remark)."""

    kind: str
    words: str
    lines: list[tuple[str, Remark]] = field(default_factory=list)

    @property
    def students(self) -> int:
        return len({student for student, _ in self.lines})


def by_kind(remarks: Iterable[tuple[str, Remark]]) -> list[KindTally]:
    """Remarks sorted by kind, the most frequent kind first."""
    found: dict[str, KindTally] = {}
    for student, remark in remarks:
        tally = found.setdefault(remark.kind, KindTally(remark.kind, remark.words))
        if remark.words != tally.words:
            tally.words = ""  # each line says its own
        tally.lines.append((student, remark))
    return sorted(found.values(), key=lambda one: (-one.students, one.kind))


@dataclass(frozen=True)
class Spent:
    """Seconds that one submission took, as the grader's clock saw them."""

    student: str
    start: float  # starting the student's process, restarts included
    cells: float  # running the notebook
    calls: float  # calling functions with the hidden tests' inputs
    total: float  # all of it, with comparing
    restarts: int
    peak_mib: float


@dataclass(frozen=True)
class Times:
    """The time of a class, and where it went."""

    seconds: float
    start: float
    cells: float
    calls: float
    median: float
    peak_mib: float
    restarts: int
    slowest: tuple[Spent, ...]


def times(judged: Sequence[Record]) -> Times | None:
    if not judged:
        return None
    spent = [_spent(record) for record in judged]
    return Times(
        sum(one.total for one in spent),
        sum(one.start for one in spent),
        sum(one.cells for one in spent),
        sum(one.calls for one in spent),
        statistics.median(one.total for one in spent),
        max(one.peak_mib for one in spent),
        sum(one.restarts for one in spent),
        tuple(sorted(spent, key=lambda one: (-one.total, one.student))[:SLOWEST]),
    )


def _spent(record: Record) -> Spent:
    found = record.judgement.timings
    return Spent(
        record.student, found.get("start", 0.0), found.get("cells", 0.0),
        found.get("calls", 0.0), record.judgement.seconds,
        int(found.get("restarts", 0)), found.get("peak_mib", 0.0),
    )  # fmt: skip

"""The mistakes that hidden tests know, and which question catches each.

Found by grading every wrong implementation as if it were handed in, so the list
says what happens and not what is meant to.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import TextIO

import numpy as np

from autograder import hidden
from autograder.comparison import answer_of, judge_answers
from autograder.questions import Misconception, Question


@dataclass(frozen=True)
class Known:
    """A mistake in one function, and what becomes of it."""

    assignment: str
    function: str
    mistake: str
    caught_by: str  # questions that it fails, separated by spaces
    hint: str  # what a student reads; empty where the mistake is not recognised


def known_mistakes(assignments: Sequence[str], seed: int = 0) -> Iterator[Known]:
    """Each mistake of each function, on the inputs that the seed draws."""
    for assignment in assignments:
        questions = hidden.questions(assignment).values()
        for (function, name), mistake in _mistakes(questions).items():
            asked = [one for one in questions if one.function == function]
            findings = {one.name: _graded(one, mistake, seed) for one in asked}
            failed = {name: one for name, one in findings.items() if not one.right}
            recognised = any(one.misconception == name for one in failed.values())
            yield Known(assignment, function, name, " ".join(failed),
                        mistake.hint if recognised else "")


def _mistakes(questions: Iterable[Question]) -> dict[tuple[str, str], Misconception]:
    return {(question.function, one.name): one
            for question in questions for one in question.misconceptions}


def _graded(question: Question, mistake: Misconception, seed: int):
    cases = list(question.cases(np.random.default_rng(seed)))
    return judge_answers(question, cases,
                         [answer_of(mistake.wrong, case) for case in cases])


def write_csv(mistakes: Iterable[Known], file: TextIO) -> None:
    """One row a mistake, under a row of column names."""
    rows = csv.writer(file)
    rows.writerow(field.name for field in fields(Known))
    rows.writerows(astuple(one) for one in mistakes)

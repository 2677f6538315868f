"""Is an answer right, and if not, which known mistake is it?

Pure: no processes, no files. The judge and `autograder.preview` both judge
with this, so that an instructor's preview says what grading will say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.questions import Case, Question
from convlab.checks.compare import describe, difference
from convlab.checks.layout import copied
from convlab.checks.recognise import recognise

LONGEST = 300  # characters shown of a student's own error message


@dataclass(frozen=True)
class Returned:
    """The function returned: an array, a number, a string, None, or a tuple."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The function raised. `types`: the exception's class, then its bases."""

    types: tuple[str, ...]  # ("SizeError", "ValueError", "Exception", ...)
    message: str = ""


@dataclass(frozen=True)
class NoAnswer:
    """Nothing to compare: too slow, crashed, or returned what is not data."""

    reason: str  # a sentence: "It took longer than 30 s."


Answer = Returned | Raised | NoAnswer


@dataclass(frozen=True)
class Outcome:
    """One answer: right, or a sentence or two on what is wrong."""

    right: bool
    message: str = ""


@dataclass(frozen=True)
class Finding:
    """The answers to a question's cases: all of them right, or no points."""

    right: bool
    explanation: str  # one or more lines, for the student
    misconception: str | None = None  # the known mistake, by name


def answer_of(function: Callable[..., Any], case: Case) -> Answer:
    """Call a trusted function, in this process, on a copy of the arguments."""
    try:
        return Returned(function(*copied(case.args), **copied(dict(case.kwargs))))
    except Exception as error:
        kinds = tuple(kind.__name__ for kind in type(error).__mro__)
        return Raised(kinds, str(error))


def judge_answer(question: Question, case: Case, answer: Answer) -> Outcome:
    """Compare one answer with the oracle's."""
    if isinstance(answer, NoAnswer):
        return Outcome(False, answer.reason)
    if isinstance(answer, Raised):
        return _judge_error(case, answer)
    if case.refused:
        return Outcome(False, "This must be refused with a ValueError; it "
                              f"returned {describe(answer.value)}.")
    expected = question.oracle(*copied(case.args), **copied(dict(case.kwargs)))
    found = difference(
        expected, answer.value, question.rtol, question.atol, question.dtype)
    return Outcome(found is None, found.message if found else "")


def judge_answers(
    question: Question, cases: Sequence[Case], answers: Sequence[Answer]
) -> Finding:
    """Compare all answers; a missing one (the judge may stop early) is not right."""
    outcomes = [judge_answer(question, case, answer)
                for case, answer in zip(cases, answers, strict=False)]
    right = sum(outcome.right for outcome in outcomes)
    head = f"{question.name}: {right} of {len(cases)} cases right."
    if right == len(cases):
        return Finding(True, head)
    failed = next((n for n, outcome in enumerate(outcomes) if not outcome.right),
                  None)
    if failed is None:
        return Finding(False, head)
    name = _recognise(question, cases, answers, outcomes)
    lines = [head, f"The first that is not: {cases[failed].about}.",
             outcomes[failed].message]
    lines += [f"Hint: {m.hint}" for m in question.misconceptions if m.name == name]
    return Finding(False, "\n".join(lines), name)


def same_answer(
    question: Question, case: Case, one: Answer, other: Answer, dtype: bool
) -> bool:
    """Whether two answers to a case are the same, within its tolerance."""
    if isinstance(one, Raised) and isinstance(other, Raised):
        refused = all("ValueError" in answer.types for answer in (one, other))
        return one.types[:1] == other.types[:1] or refused
    if not (isinstance(one, Returned) and isinstance(other, Returned)):
        return False
    return one.value is not None and difference(
        one.value, other.value, question.rtol, question.atol, dtype) is None


def _recognise(question, cases, answers, outcomes) -> str | None:
    """By name: first where the dtypes agree as well, else by the values alone."""
    judged = [(case, answer, outcome.right)
              for case, answer, outcome in zip(cases, answers, outcomes, strict=False)
              if not isinstance(answer, NoAnswer)]
    mistaken = {m.name: [answer_of(m.wrong, case) for case, _, _ in judged]
                for m in question.misconceptions}

    def named(dtype: bool) -> str | None:
        return recognise(
            [(right, {name for name, wrong in mistaken.items()
                      if same_answer(question, case, wrong[n], answer, dtype)})
             for n, (case, answer, right) in enumerate(judged)], list(mistaken))

    return named(question.dtype) or (named(False) if question.dtype else None)


def _judge_error(case: Case, answer: Raised) -> Outcome:
    kind = answer.types[0] if answer.types else "an error"
    if case.refused and "ValueError" in answer.types:
        return Outcome(True)
    if "NotImplementedError" in answer.types:
        return Outcome(False, "It is not written yet: it raised NotImplementedError.")
    said = answer.message.strip()
    if len(said) > LONGEST:
        said = said[:LONGEST] + " ..."
    raised = f"it raised {kind}" + (f": {said}" if said else ".")
    wanted = "This must be refused with a ValueError; " if case.refused else ""
    text = wanted + raised
    return Outcome(False, text[0].upper() + text[1:])

"""Run a submission in the sandbox and judge its answers outside it.

The student's process is asked for values and nothing else. What is right is
decided here, from inputs, oracles and misconceptions that are never there.
"""

from __future__ import annotations

import hashlib
import platform
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from autograder import accuracy, hidden, speed, wire
from autograder import verdict as status
from autograder.accuracy import Accuracy, NotMeasured
from autograder.carried import NOT_CARRIED, Carried, ChoiceError
from autograder.comparison import (
    Answer,
    NoAnswer,
    Raised,
    Returned,
    answer_of,
    judge_answers,
)
from autograder.kernel import KernelLost, KernelStartFailed, Reply
from autograder.questions import Case, Question
from autograder.sandbox import Limits, Sandbox
from autograder.session import Exhausted, Session, cells_to_run
from autograder.verdict import Incident, Judgement, Verdict
from convlab.carry import REFERENCE

# These may come of a process that was ended from outside, and are looked at again.
ONCE_IS_NONE = (status.CRASH, status.FAULT)
DOUBTFUL = (*ONCE_IS_NONE, status.UNJUDGED)
RUNS = 3  # at most, to tell what a submission does from what was done to it
# Lost so, a process may have been spoilt by an earlier question's call.
SPOILT = (status.CRASH, status.MEMORY, status.PROCESSES)


def judge(
    notebook: Mapping[str, Any],
    questions: Mapping[str, Question] | Iterable[Question],
    *,
    seed: int,
    assignment: str = "",
    folder: Path | None = None,
    sandbox: str = "bwrap",
    limits: Limits | None = None,
) -> Judgement:
    """Execute a normalised notebook in the sandbox, then judge each question.

    `folder` holds the other files that the student handed in; copies of them
    lie in the notebook's working directory. `sandbox` is "bwrap" or "limits".
    The judgement has a verdict for every question, and the outputs of every
    code cell that ran; graded test cells are not run, and have none.
    A crash counts once it has happened in two runs, and so does a fault of the
    grader's: what the machine or a person ended once costs nobody a point.
    Raises SandboxUnavailable where no sandbox can be made, KernelStartFailed
    where Python does not start in it: neither is the student's doing.
    """
    asked = list(questions.values() if isinstance(questions, Mapping) else questions)

    def once() -> Run:
        return _judge_once(notebook, asked, seed=seed, assignment=assignment,
                           folder=folder, sandbox=sandbox, limits=limits)

    runs = [once()]
    if not any(one.kind in ONCE_IS_NONE for one in runs[0].doubts):
        return runs[0].judgement
    found = None
    while found is None and len(runs) < RUNS:
        runs.append(once())
        found = _repeated(runs)
    found = found or min(runs, key=lambda run: len(run.doubts))
    return replace(found.judgement,
                   seconds=sum(run.judgement.seconds for run in runs))


@dataclass(frozen=True)
class Run:
    """A submission judged once."""

    judgement: Judgement
    doubts: frozenset[Incident]  # what may be another's doing than the student's


def _repeated(runs: Sequence[Run]) -> Run | None:
    """The run in which nothing doubtful happened that did not in another as well.

    To count is not enough: a process that is ended from outside in one place may
    keep the student's code from ending it in another.
    """
    for run in runs:
        for other in runs:
            if run is not other and run.doubts <= other.doubts:
                return run
    return None


def _judge_once(notebook: Mapping[str, Any], asked: Sequence[Question], *, seed: int,
                assignment: str, folder: Path | None, sandbox: str,
                limits: Limits | None) -> Run:
    began = time.monotonic()
    walls = Sandbox(sandbox, limits, hidden.unseen(assignment))
    session = Session(cells_to_run(notebook), walls, folder)
    carried = (Carried(notebook, folder, sandbox, limits)
               if any(one.carried or one.accuracy for one in asked) else None)
    rooms = Rooms(session, carried, folder, seed)
    try:
        _run_cells(session)
        verdicts = {one.name: _verdict(rooms, one) for one in asked}
    finally:
        rooms.close()
    judgement = Judgement(
        seed=seed, verdicts=verdicts, outputs=dict(sorted(session.outputs.items())),
        incidents=rooms.incidents, seconds=time.monotonic() - began,
        timings=rooms.timings, sandbox=sandbox,
        versions={"python": platform.python_version(), **session.versions})
    seen = (*rooms.incidents, *rooms.asked_again)
    return Run(judgement, frozenset(one for one in seen if one.kind in DOUBTFUL))


def generator(seed: int, question: str) -> np.random.Generator:
    """The random numbers of a question: the same whatever else is judged."""
    name = hashlib.sha256(question.encode()).digest()[:8]
    return np.random.default_rng([seed, int.from_bytes(name)])


@dataclass(frozen=True)
class Found:
    """What judging a question came to, before it is a verdict."""

    status: str
    explanation: str
    misconception: str | None = None


class Missing(Exception):
    """The notebook does not define the function; the message may say why."""


@dataclass
class Rooms:
    """The processes that a submission's questions are asked in."""

    notebook: Session
    carried: Carried | None  # where functions of earlier assignments run alone
    folder: Path | None
    seed: int
    measured: Accuracy | NotMeasured | None = None  # asked once, for all steps

    def of(self, question: Question) -> Session:
        elsewhere = self.carried and (question.carried or question.accuracy)
        return self.carried.session if elsewhere else self.notebook

    def close(self) -> None:
        self.notebook.close()
        if self.carried:
            self.carried.close()

    @property
    def asked_again(self) -> list[Incident]:
        """Losses that cost nothing by themselves: in a new process it went on."""
        more = self.carried.session.asked_again if self.carried else []
        return self.notebook.asked_again + more

    @property
    def incidents(self) -> tuple[Incident, ...]:
        more = self.carried.incidents if self.carried else []
        return (*self.notebook.incidents, *more)

    @property
    def timings(self) -> dict[str, float]:
        """Of both together; the peak of memory is that of the larger."""
        found = dict(self.notebook.timings)
        if self.carried:
            for name, value in self.carried.session.timings.items():
                both = (found[name], value)
                found[name] = max(both) if name == "peak_mib" else sum(both)
        return found


def _run_cells(session: Session) -> None:
    try:
        session.kernel()
    except Exhausted as error:
        session.incident(status.UNJUDGED, "the notebook", str(error))


def _verdict(rooms: Rooms, question: Question) -> Verdict:
    began = time.monotonic()
    found = _judge(rooms, question)
    points = question.points if found.status == status.RIGHT else 0
    return Verdict(
        question.name, points, question.points, found.status,
        f"Checked: {question.checked}\n{found.explanation}", found.misconception,
        round(time.monotonic() - began, 3))


def _judge(rooms: Rooms, question: Question) -> Found:
    session = rooms.of(question)
    try:
        found = _in_its_way(rooms, question)
    except Exhausted as error:
        session.incident(status.UNJUDGED, question.name, str(error))
        return Found(status.UNJUDGED, f"Not judged, so no points: {error}")
    except KernelStartFailed:
        raise
    except Exception:
        session.incident(status.FAULT, question.name, traceback.format_exc())
        return Found(status.FAULT, "The grader itself failed here. This is not your "
                     "mistake; your instructor sees it in the report.")
    if found.status in (*SPOILT, status.TIMEOUT, status.FAULT):
        session.incident(found.status, question.name, found.explanation)
    return found


def _in_its_way(rooms: Rooms, question: Question) -> Found:
    if question.accuracy is not None:
        return _judge_accuracy(rooms, question)
    if question.carried:
        try:
            chosen = rooms.carried.choice(question.function)
        except ChoiceError as error:
            return Found(status.MISSING, str(error))
        if chosen == REFERENCE:
            return Found(status.REFERENCE, "You chose the reference layer in the place "
                         f"of your own {question.function}: these points are not "
                         "earned, and no others are lost by it.")
    session = rooms.of(question)
    return _twice_if_spoilt(
        session, question.name, lambda: _attempt(session, question, rooms.seed),
        lambda found: found.status)


def _twice_if_spoilt(session: Session, where: str, attempt: Callable[[], Any],
                     status_of: Callable[[Any], str]) -> Any:
    """What was lost in a process that an earlier question may have spoilt is asked
    again in a new one."""
    unused = session.unused
    found = attempt()
    if status_of(found) in SPOILT and not unused:
        session.asked_again.append(Incident(status_of(found), where, "Asked again."))
        found = attempt()
    return found


def _judge_accuracy(rooms: Rooms, question: Question) -> Found:
    """A step of accuracy: the network is measured once, for all steps."""
    if rooms.measured is None:
        rooms.measured = _twice_if_spoilt(
            rooms.carried.session, question.name, lambda: _measure(rooms),
            lambda found: getattr(found, "status", status.RIGHT))
    found = rooms.measured
    if isinstance(found, NotMeasured):
        return Found(found.status, str(found))
    step = question.accuracy[found.data]
    if found.reaches(step):
        return Found(status.RIGHT, f"{found.words} This step, {step:.0%}, is reached.")
    return Found(status.WRONG, f"{found.words} This step is {step:.0%}.")


def _measure(rooms: Rooms) -> Accuracy | NotMeasured:
    session = rooms.carried.session
    try:
        found = accuracy.measure(rooms.carried, rooms.folder,
                                 generator(rooms.seed, "accuracy"))
    except NotMeasured as error:
        return error
    except KernelLost as lost:
        return NotMeasured(lost.status, f"{lost.message} This was while your network "
                           "classified held-back images.")
    if found.beyond:
        session.incident("accuracy", accuracy.WEIGHTS, f"{found.words} That is more "
                         "than networks of this course reach: worth a look.")
    return found


def _attempt(session: Session, question: Question, seed: int) -> Found:
    """Judge a question once; a process that is lost ends the attempt."""
    random = generator(seed, question.name)
    cases = list(question.cases(random))
    answers: list[Answer] = []
    lines: list[str] = []  # of the student's code, where it raised
    lost = None
    try:
        for case in cases:
            reply = _call(session, question, case)
            answers.append(_answer(reply))
            lines += [reply.line] if reply.line else []
            if _unwritten(answers[-1]):
                break
        found = _compare(question, cases, answers, lines)
        if found.status == status.RIGHT and question.speed:
            return _judge_speed(session, question, random, found)
        return found
    except Missing as missing:
        why = str(missing) or _why_missing(session, question.function)
        return Found(status.MISSING, why)
    except KernelLost as error:
        lost = error
    timed = len(answers) == len(cases)
    about = "the large input" if timed else cases[len(answers)].about
    return Found(lost.status, f"{lost.message} This was with {about}.")


def _call(session: Session, question: Question, case: Case) -> Reply:
    reply = session.call(question.function, case.args, case.kwargs, question.seconds)
    if reply.kind == "missing":
        raise Missing
    if question.carried and reply.types[:1] == (NOT_CARRIED,):
        raise Missing(reply.message)
    return reply


def _answer(reply: Reply) -> Answer:
    if reply.kind == "raised":
        return Raised(reply.types, reply.message)
    if kind := _opaque(reply.value):
        return NoAnswer(f"It returned a value of type {kind}: that is not an array, a "
                        "number, or a tuple of these.")
    return Returned(reply.value)


def _opaque(value: Any) -> str | None:
    """The type of what is not plain data in a value, if anything is not."""
    if isinstance(value, wire.Opaque):
        return value.kind
    if isinstance(value, (tuple, list)):
        return next(filter(None, map(_opaque, value)), None)
    return None


def _unwritten(answer: Answer) -> bool:
    return isinstance(answer, Raised) and "NotImplementedError" in answer.types


def _compare(question: Question, cases: Sequence[Case], answers: Sequence[Answer],
             lines: Sequence[str]) -> Found:
    try:
        found = judge_answers(question, cases, answers)
    except Exception:
        # Odd values are the student's; if the oracle's own fail too, it is us.
        own = [answer_of(question.oracle, case) for case in cases]
        judge_answers(question, cases, own)
        return Found(status.ERROR, "What it returned cannot be compared with what is "
                                   "expected.")
    if found.right:
        return Found(status.RIGHT, found.explanation)
    if any(map(_unwritten, answers)):
        return Found(status.UNWRITTEN, "It is not written yet: it raised "
                                       "NotImplementedError.")
    raised = all(isinstance(one, Raised) for one in answers)
    said = found.explanation
    if lines:
        said += f"\nThe line that raised: {lines[0]}"
    return Found(status.ERROR if raised else status.WRONG, said, found.misconception)


def _judge_speed(session: Session, question: Question, random: np.random.Generator,
                 right: Found) -> Found:
    def call(case: Case) -> tuple[Answer, float]:
        reply = _call(session, question, case)
        return _answer(reply), reply.seconds

    timing = speed.measure(question.speed, random, call, session.frozen)
    if not timing.fast:
        return Found(status.SLOW, f"{right.explanation}\nBut it is not fast enough. "
                                  f"{timing.explanation}")
    found = _compare(question, [timing.case], [timing.answer], [])
    if found.status != status.RIGHT:
        return Found(found.status, "Right on the small inputs, not on the large one "
                     f"whose time is taken.\n{found.explanation}", found.misconception)
    return Found(status.RIGHT, f"{right.explanation}\n{timing.explanation}")


def _why_missing(session: Session, function: str) -> str:
    said = f"There is no function `{function}` once your notebook has run."
    for cell in session.cells:
        if not cell.defines(function):
            continue
        if lost := session.lost.get(cell.index):
            return f"{said} Its cell ({cell.name}) was left out: {lost.message}"
        for output in session.outputs.get(cell.index, ()):
            if output["output_type"] == "error":
                return (f"{said} Its cell ({cell.name}) stopped with "
                        f"{output['ename']}: {output['evalue'][:200]}")
    return f"{said} Keep its name as it was handed out."

"""Run a submission in the sandbox and judge its answers outside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autograder.questions import Question
from autograder.sandbox import Limits
from autograder.verdict import Judgement


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
    Raises SandboxUnavailable where no sandbox can be made.
    """
    raise NotImplementedError

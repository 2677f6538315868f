"""Hidden tests: one module an assignment, named as the assignment.

Each holds QUESTIONS (graded) and CHECKS (public). They are run by the grader
and never enter the process that runs a student's code.
"""

from __future__ import annotations

import importlib

from autograder.questions import Check, Question


def questions(assignment: str) -> dict[str, Question]:
    """The graded questions of an assignment by name, which is the grade_id."""
    module = importlib.import_module(f"{__name__}.{assignment}")
    return {question.name: question for question in module.QUESTIONS}


def checks(assignment: str) -> dict[str, Check]:
    """The public checks of an assignment by name, as "ps2/output_size"."""
    module = importlib.import_module(f"{__name__}.{assignment}")
    return {check.name: check for check in module.CHECKS}

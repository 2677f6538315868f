"""Hidden tests: one module an assignment, named as the assignment.

Each holds QUESTIONS (graded) and CHECKS (public). They are run by the grader
and never enter the process that runs a student's code. ANSWERS names the modules of
convlab that do what the assignment asks for: they are not there when it is graded.
"""

from __future__ import annotations

import importlib

from autograder.questions import Check, Question
from autograder.sandbox import LAYERS

CAPSTONE = "ps7_cifar10"  # its release has the reference layers, as a fallback


def questions(assignment: str) -> dict[str, Question]:
    """The graded questions of an assignment by name, which is the grade_id."""
    module = importlib.import_module(f"{__name__}.{assignment}")
    return {question.name: question for question in module.QUESTIONS}


def checks(assignment: str) -> dict[str, Check]:
    """The public checks of an assignment by name, as "ps2/output_size"."""
    module = importlib.import_module(f"{__name__}.{assignment}")
    return {check.name: check for check in module.CHECKS}


def unseen(assignment: str) -> tuple[str, ...]:
    """The modules of convlab that the process which runs it does not have.

    Before the capstone these are the reference layers (no assignment is ""); and
    always those that answer one of its own questions.
    """
    layers = () if assignment == CAPSTONE else LAYERS
    if not assignment:
        return layers
    module = importlib.import_module(f"{__name__}.{assignment}")
    return (*layers, *getattr(module, "ANSWERS", ()))

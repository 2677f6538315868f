"""Late penalties, by nbgrader's own step and the instructor's own rule.

nbgrader works a penalty out once, when a submission is autograded. What comes
later, a due date, an extension, another rule or points given by hand, would
leave it as it was. So it is worked out again before scores are shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import nbformat
from nbgrader.api import MissingEntry, SubmittedAssignment
from nbgrader.preprocessors import AssignLatePenalties

from autograder.course import Course, CourseError
from autograder.gradebook import nbgrader_log, opened


def refresh_penalties(course: Course, assignments: Sequence[str]) -> None:
    """Bring the penalties in the gradebook up to date.

    Raises CourseError where the instructor's rule fails.
    """
    if not course.gradebook.is_file():
        return
    with opened(course) as gradebook:
        concerned = [
            (name, submission.student.id, notebook.name)
            for name in assignments
            for submission in _submissions(gradebook, name)
            if submission.total_seconds_late > 0 or submission.late_submission_penalty
            for notebook in submission.notebooks
        ]
    if not concerned:
        return
    step = AssignLatePenalties(config=course.nbgrader(), log=nbgrader_log(course))
    for assignment, student, notebook in concerned:
        ids = {"assignment": assignment, "student": student, "notebook": notebook,
               "db_url": course.database_url}  # fmt: skip
        try:
            step.preprocess(nbformat.v4.new_notebook(), {"nbgrader": ids})
        except Exception as error:
            raise CourseError(
                f"The late penalty of {student} in {assignment} cannot be worked out: "
                f"{type(error).__name__}: {error}. The rule is set in "
                f"{course.settings}."
            ) from error


def _submissions(gradebook, assignment: str) -> list[SubmittedAssignment]:
    try:
        return list(gradebook.find_assignment(assignment).submissions)
    except MissingEntry:
        return []

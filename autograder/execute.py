"""Our steps inside nbgrader's autograde: normalise, then apply the verdicts.

nbgrader runs these in the place of its own Execute. No student code runs here:
what cells showed and what answers are worth comes from the record that the
judge wrote. Without a record that fits, the submission is judged on the spot;
without a verdict, a graded cell gets zero points.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Enum, Unicode

from autograder.course import REPOSITORY, Course, default_folder
from autograder.judging import Task, judge_submission, release_of, up_to_date
from autograder.keys import code_digest
from autograder.rebuild import rebuild
from autograder.record import Record, read_record
from autograder.sanitise import make_safe, safe_outputs
from autograder.scores import bonus_questions
from autograder.seeds import seed_of
from autograder.showable import Effort

NO_VERDICT = "There is no verdict for this question, so it has no points yet.\n"


class CourseStep(NbGraderPreprocessor):
    """An nbgrader step that knows the course it works for."""

    folder = Unicode(str(default_folder()), help="The course folder.").tag(config=True)
    repository = Unicode(str(REPOSITORY), help="The repository.").tag(config=True)

    @property
    def course(self) -> Course:
        return Course(Path(self.folder), Path(self.repository))


class Normalise(CourseStep):
    """Put a notebook back on the release, so that nbgrader's own steps can work.

    `python -m autograder grade` has done it already, and then nothing changes;
    plain `nbgrader autograde` reads what students handed in.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict
    ) -> tuple[NotebookNode, dict]:
        release = release_of(self.course, resources["nbgrader"]["assignment"])
        rebuilt, repairs = rebuild(nb, release)
        for repair in repairs:
            self.log.warning("Repaired %s: %s", repair.where, repair.words)
        return rebuilt, resources


class ApplyVerdicts(CourseStep):
    """Fill in what cells showed and what the judge said of each question."""

    sandbox = Enum(
        ["bwrap", "limits"], "bwrap", help="Where student code runs, if it must."
    ).tag(config=True)
    rejudge = Bool(
        True, help="Judge on the spot where no record fits the submission."
    ).tag(config=True)

    def preprocess(
        self, nb: NotebookNode, resources: dict
    ) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        record = self._record(ids["assignment"], ids["student"], code_digest(nb))
        judgement = record.judgement if record else None
        effort = Effort()
        for index, cell in enumerate(nb.cells):
            if cell.cell_type != "code":
                if not utils.is_locked(cell):
                    effort.limit_text(cell)
                    make_safe(cell)
                continue
            if utils.is_grade(cell) and not utils.is_solution(cell):
                outputs = self._verdict(cell, record)
            else:
                shown = judgement.outputs.get(index, []) if judgement else []
                outputs = safe_outputs(effort.limited(shown))
            cell.outputs = [nbformat.from_dict(output) for output in outputs]
            cell.execution_count = index + 1 if outputs else None
        return nb, resources

    def _record(self, assignment: str, student: str, digest: str) -> Record | None:
        """The record that was made from just this code, or None."""
        course = self.course
        record = read_record(course.verdicts, assignment, student)
        folder = course.submitted / student / assignment
        if self.rejudge and folder.is_dir():
            seed = seed_of(course, assignment)
            task = Task(course, assignment, student, folder, seed, self.sandbox)
            record = self._judged(record, task)
        fits = record and record.judgement and record.digest == digest
        return record if fits else None

    def _judged(self, record: Record | None, task: Task) -> Record:
        """The record where nothing changed, files beside the notebook included."""
        if record and record.judgement:
            same = replace(task, sandbox=record.judgement.sandbox)
            if up_to_date(same):
                return record
        self.log.info("Judging %s's %s on the spot", task.student, task.assignment)
        return judge_submission(task)

    def _verdict(self, cell: NotebookNode, record: Record | None) -> list[dict]:
        name = cell.metadata.nbgrader["grade_id"]
        verdicts = record.judgement.verdicts if record and record.judgement else {}
        if name in verdicts:
            said, points = verdicts[name].as_outputs()
            most = cell.metadata.nbgrader["points"]
            if verdicts[name].points > most:  # a bonus, which ExtraCredit adds
                points["data"] = {"text/plain": f"{most:g}"}
            return [said, points]
        self.log.error("No verdict for %s: zero points", name)
        return [
            {"output_type": "stream", "name": "stdout", "text": NO_VERDICT},
            {
                "output_type": "execute_result",
                "execution_count": None,
                "metadata": {},
                "data": {"text/plain": "0"},
            },
        ]


class ExtraCredit(CourseStep):
    """Enter the points of bonus questions, which no cell's own points can hold."""

    def preprocess(
        self, nb: NotebookNode, resources: dict
    ) -> tuple[NotebookNode, dict]:
        ids = resources["nbgrader"]
        record = read_record(self.course.verdicts, ids["assignment"], ids["student"])
        fits = record and record.judgement and record.digest == code_digest(nb)
        verdicts = record.judgement.verdicts if fits else {}
        bonuses = bonus_questions(ids["assignment"])
        if bonuses:
            with Gradebook(ids["db_url"]) as gradebook:
                for name in bonuses:
                    grade = gradebook.find_grade(
                        name, ids["notebook"], ids["assignment"], ids["student"]
                    )
                    earned = name in verdicts and verdicts[name].points
                    grade.extra_credit = float(earned or 0)
                gradebook.db.commit()
        return nb, resources

"""Where a course keeps its files, and how nbgrader is told.

A course is one class of students: what they handed in, their verdicts, the
gradebook, feedback and reports, all in one folder that git ignores. Notebooks
and hidden tests belong to the repository and are shared by every course.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from traitlets.config import Config, PyFileConfigLoader

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDER_VARIABLE = "CONVNET_COURSE"
TEMPLATES = Path(__file__).resolve().parent / "templates"
COURSE_ID = "convnet"
SETTINGS = "nbgrader_settings.py"
# Never copied along with a notebook: what tools leave, and what running a source
# notebook leaves beside it, a module of solutions.
IGNORED = [".*", "__pycache__", "*.pyc", "*.part", "carried"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")


class CourseError(Exception):
    """Something an instructor can put right; the message says how."""


def is_student_id(name: str) -> bool:
    """Whether a name can be a student's: safe as a file name and in a glob."""
    return _NAME.fullmatch(name) is not None


def default_folder(repository: Path = REPOSITORY) -> Path:
    """The course folder: $CONVNET_COURSE, else autograder/course."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else repository / "autograder" / "course"


@dataclass(frozen=True)
class Course:
    """The folders of one course, as absolute paths.

    `folder` holds the class; `repository` holds solutions/ and exercises/.
    """

    folder: Path = field(default_factory=default_folder)
    repository: Path = REPOSITORY

    def __post_init__(self) -> None:
        for name in ("folder", "repository"):
            object.__setattr__(self, name, Path(getattr(self, name)).resolve())

    @property
    def solutions(self) -> Path:
        """nbgrader's source notebooks, answers and hidden blocks included."""
        return self.repository / "solutions"

    @property
    def exercises(self) -> Path:
        """What students get, generated from solutions/."""
        return self.repository / "exercises"

    @property
    def submitted(self) -> Path:
        """What students handed in, untouched: <student>/<assignment>/."""
        return self.folder / "submitted"

    @property
    def released(self) -> Path:
        """The release this course's gradebook was made from: <assignment>/."""
        return self.folder / "released"

    @property
    def intake(self) -> Path:
        """Submissions made whole again, as nbgrader reads them."""
        return self.folder / "intake"

    @property
    def verdicts(self) -> Path:
        """One record a submission: <assignment>/<student>.json."""
        return self.folder / "verdicts"

    @property
    def stamps(self) -> Path:
        """What has been done already, so that it is not done again."""
        return self.folder / "stamps"

    @property
    def autograded(self) -> Path:
        return self.folder / "autograded"

    @property
    def feedback(self) -> Path:
        return self.folder / "feedback"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    @property
    def gradebook(self) -> Path:
        return self.folder / "gradebook.db"

    @property
    def grades(self) -> Path:
        return self.folder / "grades.csv"

    @property
    def seeds(self) -> Path:
        """The seed of each assignment's hidden tests, kept for grading again."""
        return self.folder / "seeds.json"

    @property
    def log(self) -> Path:
        """What nbgrader said while it worked."""
        return self.folder / "nbgrader.log"

    @property
    def settings(self) -> Path:
        """The instructor's own settings of nbgrader, where there are any."""
        return self.folder / SETTINGS

    @property
    def roster(self) -> Path:
        """Who takes the course, as last imported."""
        return self.folder / "roster.csv"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.gradebook}"

    def assignments(self) -> list[str]:
        """The assignments there are: the folders of solutions/."""
        if not self.solutions.is_dir():
            return []
        return sorted(
            path.name
            for path in self.solutions.iterdir()
            if (path / f"{path.name}.ipynb").is_file()
        )

    def check_assignments(self, names: tuple[str, ...] | list[str]) -> None:
        """Raise CourseError for a name that is no assignment."""
        known = self.assignments()
        for name in names:
            if name not in known:
                there = ", ".join(known) or "none yet"
                raise CourseError(
                    f"There is no assignment called {name!r}. There are: {there}."
                )

    def source(self, assignment: str) -> Path:
        """An assignment's source notebook, with answers."""
        return self.solutions / assignment / f"{assignment}.ipynb"

    def nbgrader(self, submitted: Path | None = None) -> Config:
        """nbgrader's configuration for this course, the instructor's settings last.

        `submitted` is the folder nbgrader grades from: what students handed
        in unless told otherwise. Raises CourseError where the settings cannot
        be read.
        """
        config = Config()
        folders = config.CourseDirectory
        folders.root = str(self.repository)
        folders.course_id = COURSE_ID
        folders.ignore = IGNORED
        folders.db_url = self.database_url
        folders.source_directory = self._named(self.solutions)
        folders.release_directory = self._named(self.exercises)
        folders.submitted_directory = self._named(submitted or self.submitted)
        folders.autograded_directory = self._named(self.autograded)
        folders.feedback_directory = self._named(self.feedback)
        folders.source_with_tests_directory = self._named(self.folder / "with_tests")
        folders.solution_directory = self._named(self.folder / "answers")
        self._configure_stages(config)
        config.merge(self._own_settings())
        return config

    def _own_settings(self) -> Config:
        """What the instructor's file sets: trusted Python, run as it is."""
        if not self.settings.is_file():
            return Config()
        loader = PyFileConfigLoader(self.settings.name, str(self.folder))
        try:
            return loader.load_config()
        except Exception as error:
            raise CourseError(
                f"{self.settings} cannot be read: {type(error).__name__}: {error}"
            ) from error

    def _named(self, folder: Path) -> str:
        """A folder as nbgrader wants it: below its root where that is so.

        nbgrader makes a regular expression of it and escapes only the root.
        """
        if folder.is_relative_to(self.repository):
            return str(folder.relative_to(self.repository))
        return str(folder)

    def _configure_stages(self, config: Config) -> None:
        """Our steps among nbgrader's own, whose order is otherwise kept."""
        config.ClearSolutions.code_stub = {
            "python": 'raise NotImplementedError("write your answer here")'
        }
        config.Autograde.sanitize_preprocessors = [
            "autograder.execute.Normalise",
            "nbgrader.preprocessors.ClearOutput",
            "nbgrader.preprocessors.DeduplicateIds",
            "nbgrader.preprocessors.OverwriteKernelspec",
            "nbgrader.preprocessors.OverwriteCells",
            "nbgrader.preprocessors.CheckCellMetadata",
        ]
        config.Autograde.autograde_preprocessors = [
            "autograder.execute.ApplyVerdicts",
            "nbgrader.preprocessors.IgnorePattern",
            "nbconvert.preprocessors.ClearMetadataPreprocessor",
            "nbgrader.preprocessors.LimitOutput",
            "nbgrader.preprocessors.SaveAutoGrades",
            "autograder.execute.ExtraCredit",
            "nbgrader.preprocessors.AssignLatePenalties",
            "nbgrader.preprocessors.CheckCellMetadata",
        ]
        config.GenerateFeedback.preprocessors = [
            "nbgrader.preprocessors.GetGrades",
            "autograder.feedback.Explain",
        ]
        # What platforms let an instructor download, for zip_collect.
        collect = config.ZipCollectApp
        collect.extractor_plugin = "autograder.uploads.SafeExtractor"
        collect.collector_plugin = "autograder.uploads.StudentFolders"
        downloaded = self.folder / "downloaded"
        collect.downloaded_directory = os.path.relpath(downloaded, self.repository)
        config.SafeExtractor.folder = str(self.folder)
        config.SafeExtractor.repository = str(self.repository)
        config.CourseStep.folder = str(self.folder)
        config.CourseStep.repository = str(self.repository)
        # Below GenerateFeedback only: formgrader's pages keep their own templates.
        page = config.GenerateFeedback.HTMLExporter
        page.template_name = "course_feedback"
        page.filters = {
            "coloured": "autograder.feedback.coloured",
            "below": "autograder.feedback.below",
        }
        page.extra_template_basedirs = [str(TEMPLATES)]

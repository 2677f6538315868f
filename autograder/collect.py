"""Collecting from Canvas and Moodle: a platform's archive becomes submissions.

nbgrader's zip_collect does it, with our plugins (uploads.py), in a folder of its
own. Then each submission is put in its place: what is there is replaced only by a
newer one, and kept aside.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from nbgrader.apps import ZipCollectApp
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from autograder.course import Course, CourseError
from autograder.gradebook import nbgrader_log
from autograder.handin import list_files
from autograder.intake import TIMESTAMP
from autograder.keys import hash_files
from autograder.record import write_text
from autograder.roster import roster_of
from autograder.uploads import SafeExtractor, Whence


@dataclass(frozen=True)
class Collected:
    """What collecting came to, by student."""

    new: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    older: tuple[str, ...] = ()  # what was there is newer
    unsure: tuple[str, ...] = ()  # which is newer cannot be told
    late: tuple[str, ...] = ()  # by the platform's own word
    strangers: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


def collect(
    course: Course,
    assignment: str,
    archive: Path,
    *,
    platform: str = "",
    worksheet: Path | None = None,
    replace: bool = False,
) -> Collected:
    """Collect an archive's submissions into the course's submitted folder.

    `replace` puts them in the place of others whose age cannot be told. Raises
    CourseError, and then nothing was collected.
    """
    course.check_assignments([assignment])
    if not archive.is_file():
        raise CourseError(f"There is no file {archive}.")
    course.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=course.folder, prefix=".collect-") as folder:
        staging = Path(folder)
        extractor = _run(course, assignment, archive, staging, platform, worksheet)
        outcome: dict[str, list[str]] = {}
        for student, whence in sorted(extractor.whence.items()):
            new = staging / "submitted" / student / assignment
            if not new.is_dir():
                continue
            done = _put_in_place(course, assignment, student, new, whence, replace)
            outcome.setdefault(done, []).append(student)
    roster = roster_of(course)
    students = sorted(name for names in outcome.values() for name in names)
    return Collected(
        **{kind: tuple(names) for kind, names in outcome.items()},
        late=tuple(name for name in students if extractor.whence[name].late),
        strangers=tuple(n for n in students if roster is not None and n not in roster),
        left_out=tuple(extractor.left_out),
    )


def _run(
    course: Course,
    assignment: str,
    archive: Path,
    staging: Path,
    platform: str,
    worksheet: Path | None,
) -> SafeExtractor:
    """nbgrader's own steps, in a folder of their own; the extractor afterwards."""
    config = course.nbgrader(submitted=staging / "submitted")
    downloaded = os.path.relpath(staging, course.repository)
    config.ZipCollectApp.downloaded_directory = downloaded
    config.SafeExtractor.platform = platform
    config.SafeExtractor.worksheet = str(worksheet.resolve()) if worksheet else ""
    inbox = staging / assignment / "archive"
    inbox.mkdir(parents=True)
    (inbox / archive.name).symlink_to(archive.resolve())
    log = nbgrader_log(course)
    app = ZipCollectApp(config=config, log=log)
    app.coursedir = CourseDirectory(config=config, log=log)
    app.coursedir.assignment_id = assignment
    app.init_plugins()
    try:
        app.extract_archive_files()
        app.process_extracted_files()
    except SystemExit as error:
        raise CourseError(
            f"nbgrader could not collect {archive}: see the end of {course.log}."
        ) from error
    return app.extractor_plugin_inst


def _put_in_place(
    course: Course,
    assignment: str,
    student: str,
    new: Path,
    whence: Whence,
    replace: bool,
) -> str:
    """Move a submission to its place unless what is there is newer; what was done."""
    place = course.submitted / student / assignment
    note = course.folder / "collected" / assignment / f"{student}.json"
    kind = "new"
    if os.path.lexists(place):
        if place.is_dir() and not place.is_symlink() and _digest(place) == _digest(new):
            kind = "unchanged"
        else:
            newer = True if replace else _is_newer(whence, _whence(note, place))
            if newer is None:
                return "unsure"
            if not newer:
                return "older"
            kind = "replaced"
            os.replace(place, _aside(course, assignment, student))
    if kind != "unchanged":
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(new, place)
    write_text(note, json.dumps(asdict(whence), indent=1) + "\n")
    return kind


def _is_newer(new: Whence, old: Whence) -> bool | None:
    """By time of handing in, else by Canvas's numbers, else by the archives'."""
    for mark in ("handed_in", "order", "written"):
        this, that = getattr(new, mark), getattr(old, mark)
        if this and that and this != that:
            return this > that
    return None


def _whence(note: Path, place: Path) -> Whence:
    """What is known of a submission that is in its place."""
    try:
        known = Whence(**json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        known = Whence("", "", False)
    if known.handed_in:
        return known
    try:
        time = parse_utc((place / TIMESTAMP).read_text(encoding="utf-8").strip())
    except (OSError, ValueError, OverflowError, TypeError):
        return known
    return Whence(**asdict(known) | {"handed_in": f"{time:%Y-%m-%d %H:%M:%S}"})


def _digest(folder: Path) -> str:
    return hash_files((file.name, file.path) for file in list_files(folder).files)


def _aside(course: Course, assignment: str, student: str) -> Path:
    """A new place for a submission that another one replaces."""
    folder = course.folder / "replaced" / student
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while os.path.lexists(folder / f"{assignment}.{number}"):
        number += 1
    return folder / f"{assignment}.{number}"

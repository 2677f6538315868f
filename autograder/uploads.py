"""What Canvas and Moodle let an instructor download, as one folder a student.

These are the two plugins that nbgrader's zip_collect has for this. They unpack
nothing that has not been looked at (archive.py), and know whose a file is. A
student's own archive is opened too, one level deep.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zipfile import ZipFile

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
from traitlets import Enum, Unicode

from autograder import canvas, moodle
from autograder.archive import BadArchive, Limits, Member, members, opened, unpack
from autograder.course import REPOSITORY, Course, CourseError, default_folder
from autograder.handin import FOLDER_BYTES, MOST_FILES
from autograder.intake import TIMESTAMP
from autograder.matching import plain
from autograder.remark import excerpt
from autograder.roster import Owner, Student, roster_of
from autograder.spreadsheet import read_sheet

CANVAS, MOODLE = "canvas", "moodle"
# A class of a thousand with ten files each; a student's folder, and some more.
CLASS = Limits(100_000, 2 * FOLDER_BYTES, 50_000_000_000, 100_000_000)
STUDENT = Limits(5 * MOST_FILES, FOLDER_BYTES, 2 * FOLDER_BYTES, 1_000_000)


@dataclass
class Upload:
    """What a student handed in, as a platform's archive has it."""

    number: str  # the platform's, for the student
    name: str
    late: bool = False
    order: int = 0  # Canvas's number for the latest file; they grow with time
    doubt: str = ""  # why the number is not believed
    files: list[tuple[str, Member]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return self.number, self.name


@dataclass(frozen=True)
class Whence:
    """Where a submission came from, and what tells which of two is newer."""

    archive: str
    number: str
    late: bool
    handed_in: str = ""  # UTC
    order: int = 0
    written: str = ""  # when the archive was made


class SafeExtractor(ExtractorPlugin):
    """Unpack a platform's archives into one folder a student.

    Works for plain `nbgrader zip_collect` as for ours.
    """

    folder = Unicode(str(default_folder()), help="The course folder.").tag(config=True)
    repository = Unicode(str(REPOSITORY), help="The repository.").tag(config=True)
    platform = Enum(
        ["", CANVAS, MOODLE], "", help="Whose archives; by their names if empty."
    ).tag(config=True)
    worksheet = Unicode("", help="Moodle's grading worksheet.").tag(config=True)

    def extract(self, archive_path: str, extracted_path: str) -> None:
        course = Course(Path(self.folder), Path(self.repository))
        self.whence: dict[str, Whence] = {}
        self.left_out: list[tuple[str, str]] = []
        for path in sorted(Path(archive_path).iterdir()):
            try:
                self._extract_one(course, path, Path(extracted_path))
            except BadArchive as error:
                words = f"{path.name} cannot be collected: {error}."
                raise CourseError(words) from error
        for name, why in self.left_out:
            self.log.warning("Left out %s: %s", name, why)

    def _extract_one(self, course: Course, path: Path, extracted: Path) -> None:
        with opened(path, CLASS) as archive:
            found, left_out = members(archive, CLASS)
            self.left_out += left_out
            _check_space(extracted, found)
            platform = self.platform or _platform(path, found)
            uploads = _uploads(platform, found, self.left_out)
            whose = self._whose(course, platform, uploads)
            written = max((member.written for member in found), default="")
            for upload in uploads:
                owner = whose.get(upload.key)
                why = self._why_not(upload, owner)
                if owner is None or why:
                    named = f"{upload.name} ({upload.number})".strip()
                    self.left_out.append((named, why))
                    continue
                self._write(archive, platform, upload, owner, extracted)
                self.whence[owner.student] = Whence(
                    path.name, upload.number, upload.late, _utc(owner.handed_in),
                    upload.order, written,
                )  # fmt: skip

    def _why_not(self, upload: Upload, owner: Owner | None) -> str:
        """Why an upload is not taken; empty if it is."""
        if owner is None:
            return upload.doubt or "whose it is cannot be told"
        if owner.student in self.whence:
            return f"something of {owner.student} was there before"
        return ""

    def _write(
        self,
        archive: ZipFile,
        platform: str,
        upload: Upload,
        owner: Owner,
        extracted: Path,
    ) -> None:
        """Lay out one student's files, and when they were handed in."""
        folder = extracted / owner.student
        files = _named(platform, upload, self.parent.coursedir.assignment_id)
        Unpacking(archive, folder, self.left_out, owner.student).files(files)
        if owner.handed_in and folder.is_dir():
            time = f"{_utc(owner.handed_in)} UTC\n"
            (folder / TIMESTAMP).write_text(time, encoding="utf-8")

    def _whose(
        self, course: Course, platform: str, uploads: Sequence[Upload]
    ) -> dict[tuple[str, str], Owner]:
        roster = roster_of(course)
        if platform == CANVAS:
            return _canvas_students(roster or {}, uploads)
        if self.worksheet:
            sheet = read_sheet(Path(self.worksheet))
            known = moodle.participants(sheet, roster)
            return {u.key: known[u.number] for u in uploads if u.number in known}
        if roster is None:
            raise CourseError(
                "Moodle's archive has names and numbers that are other ones in each "
                "assignment. Import a roster first, or give this assignment's grading "
                "worksheet with --worksheet."
            )
        return _by_name(roster, uploads)


class StudentFolders(FileNameCollectorPlugin):
    """Whose a file is, from the folder that our extractor put it in."""

    def collect(self, submitted_file: str) -> dict[str, str]:
        root = self.parent._format_collect_path(self.parent.extracted_directory)
        student, *rest = Path(submitted_file).relative_to(root).parts
        return {"student_id": student, "file_id": os.path.join(*rest)}


def _platform(path: Path, found: Iterable[Member]) -> str:
    """Whose archive it is, by the names in it."""
    names = [member.name for member in found]
    if any(_parsed(moodle.SUBMISSION, name) for name in names):
        return MOODLE
    if any(_parsed(canvas.SUBMISSION, n) or canvas.ANONYMOUS.match(n) for n in names):
        return CANVAS
    there = ", ".join(excerpt(name, 60) for name in names[:3]) or "nothing"
    raise CourseError(
        f"{path.name} is neither an archive of submissions from Canvas (names such as "
        "onename_7001_55_ps2.ipynb) nor from Moodle (Name One_41_assignsubmission_file"
        f"/ps2.ipynb). It has: {there}."
    )


def _parsed(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    """A name's parts, if need be without a folder around the whole archive."""
    return pattern.fullmatch(name) or pattern.fullmatch(name.partition("/")[2])


def _uploads(
    platform: str, found: Iterable[Member], left_out: list[tuple[str, str]]
) -> list[Upload]:
    """What each student handed in; each name and number of the platform is one."""
    pattern = canvas.SUBMISSION if platform == CANVAS else moodle.SUBMISSION
    uploads: dict[tuple[str, str], Upload] = {}
    for member in found:
        parsed = _parsed(pattern, member.name)
        why = _why_not(platform, member.name, parsed)
        if why or parsed is None:
            left_out.append((excerpt(member.name, 120), why))
            continue
        parts = parsed.groupdict()
        who = (parts["number"], parts["name"] or "")
        upload = uploads.setdefault(who, Upload(*who))
        upload.late |= bool(parts.get("late"))
        upload.order = max(upload.order, int(parts.get("order") or 0))
        upload.files.append((parts["file"], member))
    return list(uploads.values())


def _why_not(platform: str, name: str, parsed: re.Match[str] | None) -> str:
    if platform == CANVAS and canvas.ANONYMOUS.match(name):
        return "Canvas grades it anonymously and does not say whose it is"
    if parsed is None:
        return "it is not named as a student's file"
    if platform == MOODLE and parsed["kind"] != "file":
        return "it was typed into Moodle, not handed in as a file"
    return ""


def _named(
    platform: str, upload: Upload, assignment: str
) -> Iterator[tuple[str, Member]]:
    """A student's files by name, the one handed in last first.

    The notebook's own name, without Canvas's mark of another try, comes first.
    """

    def newest_first(file: tuple[str, Member]) -> int:
        parsed = _parsed(canvas.SUBMISSION, file[1].name)
        return -int(parsed["order"]) if parsed and platform == CANVAS else 0

    for name, member in sorted(upload.files, key=newest_first):
        again = canvas.AGAIN.sub("", name)
        if platform == CANVAS and again == f"{assignment}.ipynb":
            name = again
        yield name, member


def _canvas_students(
    roster: Mapping[str, Student], uploads: Sequence[Upload]
) -> dict[tuple[str, str], Owner]:
    """By Canvas's number, as the roster has it or as a name of its own.

    People choose their names, and one can be made to look as if another's number
    were in it. So a number with two names is only whose name the roster has there.
    """
    known = {one.lms_user_id: one for one in roster.values() if one.lms_user_id}
    names = Counter(upload.number for upload in uploads)
    owners = {}
    for upload in uploads:
        student = known.get(upload.number)
        right = student and canvas.file_name_of(student) == upload.name
        if names[upload.number] > 1 and not right:
            upload.doubt = "another name has the same number"
            continue
        name = student.id if student else canvas.PREFIX + upload.number
        owners[upload.key] = Owner(name)
    return owners


def _by_name(
    roster: Mapping[str, Student], uploads: Iterable[Upload]
) -> dict[tuple[str, str], Owner]:
    """By full name, where just one on the roster has it."""
    by_name: dict[str, set[str]] = {}
    for student in roster.values():
        first, last = student.first_name, student.last_name
        for name in {f"{first} {last}", f"{last} {first}", f"{last}, {first}"}:
            by_name.setdefault(_as_in_files(name), set()).add(student.id)
    found = {}
    for upload in uploads:
        who = by_name.get(_as_in_files(upload.name), set())
        if upload.name.strip() and len(who) == 1:
            (student,) = who
            found[upload.key] = Owner(student)
    return found


def _as_in_files(name: str) -> str:
    """A name as Moodle writes it into a file's: no underscore, no odd sign."""
    return plain(re.sub(r"[_&<>\"`|':\\/*?,]", " ", name))


def _check_space(folder: Path, found: Iterable[Member]) -> None:
    needed = sum(member.size for member in found)
    free = shutil.disk_usage(folder).free
    if 2 * needed > free:  # nbgrader copies what is unpacked
        raise BadArchive(
            f"unpacked it is {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        )


def _utc(time: datetime | None) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if time else ""


class Unpacking:
    """Writes one student's files, within the limits for one student."""

    def __init__(
        self,
        archive: ZipFile,
        folder: Path,
        left_out: list[tuple[str, str]],
        student: str,
    ) -> None:
        self.archive, self.folder, self.left_out = archive, folder, left_out
        self.student, self.bytes, self.count = student, 0, 0

    def files(self, files: Iterable[tuple[str, Member]]) -> None:
        for name, member in files:
            if name.lower().endswith(".zip"):
                self._open(name, member)
            else:
                self._write(self.archive, name, member)

    def _open(self, name: str, member: Member) -> None:
        """Lay out a student's own archive; one that cannot be opened stays closed."""
        with tempfile.TemporaryDirectory(dir=self.folder.parent.parent) as folder:
            path = Path(folder) / "inner.zip"
            try:
                unpack(self.archive, member, path)
                with opened(path, STUDENT) as inner:
                    found, left_out = members(inner, STUDENT)
                    for one, why in left_out:
                        self._leave_out(f"{name}: {one}", why)
                    top = _common_folder(member.name for member in found)
                    for one in found:
                        self._write(inner, one.name.removeprefix(top), one, name)
            except BadArchive as error:
                self._leave_out(name, str(error))
                if path.is_file():
                    self._write(self.archive, name, member)

    def _write(
        self, archive: ZipFile, name: str, member: Member, inside: str = ""
    ) -> None:
        """Write a file under its name; what is there already is not touched."""
        shown = f"{inside}: {name}" if inside else name
        if name == TIMESTAMP:
            self._leave_out(shown, "the platform says when it was handed in")
            return
        self.bytes += member.size
        self.count += 1
        if self.count > STUDENT.files or self.bytes > STUDENT.bytes:
            self._leave_out(shown, "it is too much for one student")
            self.bytes -= member.size
            return
        path = self.folder / name
        if os.path.lexists(path):
            path = self.folder / f"other-{self.count}" / name
        try:
            unpack(archive, member, path)
        except (OSError, BadArchive) as error:
            why = str(error) if isinstance(error, BadArchive) else (
                f"it cannot be written ({error.strerror})"
            )
            self._leave_out(shown, why)

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out.append((f"{self.student}: {excerpt(name, 120)}", why))


def _common_folder(names: Iterable[str]) -> str:
    """The folder, with its slash, that all names are in; empty if there is none."""
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and "" not in tops else ""

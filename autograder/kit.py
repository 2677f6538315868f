"""The student kit: one archive with all that a student needs, and nothing else.

Released notebooks, what to install, and of convlab what the notebooks import. So
the reference layers are in it from the capstone's release on, as its opt-in fallback;
before that a student's layers are the only ones. And what a notebook asks for, as the
capstone's training, is not in it. The same files always make the same bytes.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import re
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import nbformat
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

import convlab
from autograder.course import REPOSITORY, TEMPLATES, Course, CourseError
from autograder.hidden import CAPSTONE
from autograder.needed import needed
from autograder.release import NOT_RELEASED, lines_of_text, secret_lines

NAME = "convnet-course-kit"
# What convlab and the notebooks import, and what opens them. numba multiplies
# matrices (`@` in compiled code) by scipy.
PACKAGES = (
    "numpy", "numba", "scipy", "matplotlib", "tqdm", "platformdirs", "requests",
    "filelock", "scikit-learn", "jupyterlab", "ipywidgets",
)  # fmt: skip
WITH_LAYERS = ("threadpoolctl",)
ENDINGS = (".py", ".json", ".npz", ".ipynb", ".png", ".svg", ".txt", ".csv")
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say
TELLING = 30  # characters of a line that two people do not write by chance
GRADER = Path(__file__).parent.name

PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "convlab"
version = "{version}"
description = "The library of the course's notebooks"
requires-python = "{python}"
license = "MIT"

[tool.setuptools.packages.find]
include = ["convlab*"]

[tool.setuptools.package-data]
convlab = ["checks/cases/*"]
"""

Files = dict[str, bytes]


def write_kit(course: Course, assignments: Sequence[str]) -> Path:
    """Write the archive with these assignments, which are released; its path.

    Raises CourseError where it would give an answer away; then nothing changes.
    """
    files = kit_files(course, assignments)
    check_kit(course, files)
    path = course.repository / "build" / "kit" / f"{NAME}.zip"
    data = as_archive(files)
    if not path.is_file() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        beside.write_bytes(data)
        os.replace(beside, path)
    return path


def kit_files(course: Course, assignments: Sequence[str]) -> Files:
    """What is in the kit: name -> bytes."""
    layers = CAPSTONE in assignments
    files = {
        "README.md": readme(assignments),
        "LICENSE": (REPOSITORY / "LICENSE").read_bytes(),
        "pyproject.toml": project(),
        "requirements.txt": requirements(layers),
        "constraints.txt": constraints(layers),
    }
    for assignment in assignments:
        folder = course.exercises / assignment
        for name, path in _below(folder):
            if not any(PurePosixPath(name).match(f"{one}*") for one in NOT_RELEASED):
                files[f"exercises/{assignment}/{name}"] = path.read_bytes()
    code = needed(path for assignment in assignments
                  for path in (course.exercises / assignment).glob("*.ipynb"))
    for name, path in _below(Path(convlab.__file__).parent):
        if path in code or PurePosixPath(name).parts[:2] == ("checks", "cases") and (
                path.stem in assignments):
            files[f"convlab/{name}"] = path.read_bytes()
    return files


def _below(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith((".", "__pycache__")) for part in name.split("/"))
        if path.is_file() and path.suffix in ENDINGS and not hidden:
            yield name, path


# --- what to install


def requirements(layers: bool) -> bytes:
    """The project's own versions of what a student needs, and convlab itself."""
    lines = [f"{name}=={version}" for name, version in _pins(layers)]
    head = "# What the notebooks need, in the versions the course is tested with."
    return _text([head, "-c constraints.txt", "-e .", *lines])


def _pins(layers: bool) -> Iterator[tuple[str, str]]:
    pinned = {}
    for line in _lines(REPOSITORY / "requirements.txt"):
        try:
            found = Requirement(line.partition("#")[0])
        except InvalidRequirement:
            continue  # an option
        pinned[canonicalize_name(found.name)] = str(found.specifier)
    for name in (*PACKAGES, *(WITH_LAYERS if layers else ())):
        yield name, pinned[name].removeprefix("==")


def constraints(layers: bool) -> bytes:
    """The project's constraints on these packages and all that those need."""
    needed = _closure([name for name, _ in _pins(layers)])
    return _text(
        line
        for line in _lines(REPOSITORY / "constraints.txt")
        if canonicalize_name(line.partition("==")[0]) in needed
    )


def _closure(names: Sequence[str]) -> set[str]:
    """Packages and what they need, whatever the machine; extras as asked for."""
    found: set[str] = set()
    todo = [Requirement(name) for name in names]
    seen = set()
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        key = (name, tuple(sorted(wanted.extras)))
        if key in seen:
            continue
        seen.add(key)
        found.add(name)
        try:
            texts = importlib.metadata.requires(name) or ()
        except importlib.metadata.PackageNotFoundError:
            continue  # wanted on other systems only
        for needs in map(Requirement, texts):
            extra = re.search(r"extra == \"([^\"]+)\"", str(needs.marker or ""))
            if extra is None or extra.group(1) in wanted.extras:
                todo.append(needs)
    return found


def project() -> bytes:
    """The kit's own pyproject.toml, which makes convlab installable."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    ours = tomllib.loads(text)["project"]
    filled = PROJECT.format(version=ours["version"], python=ours["requires-python"])
    return filled.encode()


def readme(assignments: Sequence[str]) -> bytes:
    text = (TEMPLATES / "kit" / "README.md").read_text(encoding="utf-8")
    listed = "\n".join(f"- `exercises/{one}/{one}.ipynb`" for one in assignments)
    return text.format(first=assignments[0], assignments=listed).encode()


# --- nothing but that


def check_kit(course: Course, files: Files) -> None:
    """Raise CourseError where a kit holds an answer or a part of the grader.

    The reference layers are answers of a kind: they are not looked through. Short
    lines may happen to be those of another assignment's answer.
    """
    secret: set[str] = set()
    for assignment in course.assignments():
        notebook = nbformat.read(course.source(assignment), as_version=4)
        secret |= {line for line in secret_lines(notebook) if len(line) > TELLING}
    for name, data in files.items():
        if name.startswith("convlab/layers/") or name.endswith(".npz"):
            continue
        text = data.decode("utf-8")
        told = secret.intersection(lines_of_text(text, name.endswith(".ipynb")))
        if GRADER in text:
            told.add(GRADER)
        if told:
            raise CourseError(
                f"{name} of the student kit would give away: {min(told)!r}. The kit "
                "is not written."
            )


def as_archive(files: Files) -> bytes:
    """A zip archive whose bytes depend on nothing but the files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(f"{NAME}/{name}", FIRST_DAY)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.create_system = 3  # Unix, wherever it is made
            about.external_attr = 0o100644 << 16
            archive.writestr(about, files[name])
    return buffer.getvalue()


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()

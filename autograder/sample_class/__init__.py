"""A class of submissions to try the grader on: good, mistaken, broken, hostile.

They are made from the released notebook and the solutions, the same ones every
time, and laid where students' own would lie.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from autograder.course import Course, CourseError
from autograder.record import write_text
from autograder.sample_class.submissions import Idea, Maker, demo_ideas, random_idea

MANIFEST = ".sample-class.json"
Made = list[tuple[str, str]]


def make_demo(course: Course, assignment: str) -> Made:
    """The demonstration's six submissions; (student, what it is) for each."""
    return _write(course, assignment, demo_ideas())


def make_class(course: Course, assignment: str, students: int, seed: int = 0) -> Made:
    """A mixed class; the same seed makes the same class."""
    maker = Maker(course, assignment)
    ideas = [random_idea(maker, seed, number) for number in range(students)]
    return _write(course, assignment, ideas)


def _write(course: Course, assignment: str, ideas: list[Idea]) -> Made:
    """Lay the submissions out; what is there already and ours stays as it is."""
    maker = Maker(course, assignment)
    width = max(3, len(str(len(ideas))))
    files: dict[str, bytes] = {}
    made = []
    for number, idea in enumerate(ideas, start=1):
        student = f"s{number:0{width}d}"
        about, handed_in = idea(maker)
        made.append((student, about))
        for name, data in handed_in.items():
            files[f"{student}/{assignment}/{name}"] = data
    known = _manifest(course)
    _refuse_strangers(course, assignment, [student for student, _ in made], known)
    fresh = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    _save_manifest(course, known | fresh)
    for name, data in files.items():
        path = course.submitted / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return made


def _refuse_strangers(
    course: Course, assignment: str, students: list[str], known: dict[str, str]
) -> None:
    """Nothing that someone else put there, or changed, is overwritten."""
    for student in students:
        for path in (course.submitted / student / assignment).rglob("*"):
            name = path.relative_to(course.submitted).as_posix()
            if path.is_file() and name not in known:
                raise CourseError(
                    f"{path} was not made by sample-class, and is not overwritten. "
                    "Make the sample class in a course folder of its own: --course DIR."
                )


def _manifest(course: Course) -> dict[str, str]:
    """The files that we made, with their hashes."""
    try:
        return json.loads((course.submitted / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _save_manifest(course: Course, files: dict[str, str]) -> None:
    path: Path = course.submitted / MANIFEST
    text = json.dumps(files, indent=1, sort_keys=True) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)

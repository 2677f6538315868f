"""The seeds of a course: one an assignment, recorded, so that a regrade repeats."""

from __future__ import annotations

import json
import secrets

from autograder.course import Course, CourseError
from autograder.record import write_text


def seed_of(course: Course, assignment: str, wanted: int | None = None) -> int:
    """The assignment's seed in this course; made and recorded on first use.

    `wanted` sets it, which makes every later grading use that one.
    """
    seeds = _read(course)
    seed = seeds.get(assignment) if wanted is None else wanted
    if seed is None:
        seed = secrets.randbelow(2**32)
    if seeds.get(assignment) != seed:
        seeds[assignment] = seed
        write_text(course.seeds, json.dumps(seeds, indent=1, sort_keys=True) + "\n")
    return seed


def _read(course: Course) -> dict[str, int]:
    try:
        return json.loads(course.seeds.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CourseError(
            f"{course.seeds} cannot be read ({error}). Put it right, or remove it to "
            "draw new hidden tests."
        ) from error

"""The record of one submission: what came in, what was found, what was judged.

It is written once, by whoever judged the submission, and read by the gradebook,
the feedback and the report. Its key says what it was made from.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autograder.remark import Remark
from autograder.verdict import Incident, Judgement

GRADED, REPAIRED, QUARANTINED = "graded", "repaired", "quarantined"
FORMAT = 1
TIMES = ("seconds", "timings")  # of a judgement and its verdicts


@dataclass(frozen=True)
class Record:
    """One student's submission to one assignment, judged or quarantined."""

    student: str
    assignment: str
    key: str  # of the files, the hidden tests, the grader and the seed
    source: str  # the folder that was handed in
    seed: int
    reason: str = ""  # why it is in quarantine, for student and instructor
    digest: str = ""  # of the code that was judged
    repairs: tuple[Remark, ...] = ()
    findings: tuple[Remark, ...] = ()
    judgement: Judgement | None = None

    @property
    def status(self) -> str:
        if self.reason:
            return QUARANTINED
        return REPAIRED if self.repairs else GRADED

    @property
    def flags(self) -> list[str]:
        """One word for each kind of repair, finding and incident."""
        kinds = {remark.kind for remark in (*self.repairs, *self.findings)}
        if self.judgement:
            kinds |= {incident.kind for incident in self.judgement.incidents}
        return sorted(kinds)

    @property
    def incidents(self) -> list[Incident]:
        """What happened while it ran, the same words said once, for all places."""
        found: dict[tuple[str, str], list[str]] = {}
        for incident in self.judgement.incidents if self.judgement else ():
            places = found.setdefault((incident.kind, incident.message), [])
            places.append(incident.where)
        return [
            Incident(kind, ", ".join(places), message)
            for (kind, message), places in found.items()
        ]

    def quarantined(self, reason: str) -> Record:
        return replace(self, reason=reason, judgement=None)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "student": self.student,
            "assignment": self.assignment,
            "key": self.key,
            "source": self.source,
            "seed": self.seed,
            "reason": self.reason,
            "digest": self.digest,
            "repairs": [remark.as_json() for remark in self.repairs],
            "findings": [remark.as_json() for remark in self.findings],
            "judgement": self.judgement.to_json() if self.judgement else None,
        }

    def substance(self) -> dict[str, Any]:
        """All it says but for how long things took: the same when judged again."""
        return _without_times(self.to_json())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """The record again; ValueError if another version wrote it."""
        if data.get("format") != FORMAT:
            raise ValueError(f"a record of format {data.get('format')!r}")
        fields = {name: data[name] for name in data if name != "format"}
        fields["repairs"] = tuple(Remark.from_json(r) for r in data["repairs"])
        fields["findings"] = tuple(Remark.from_json(r) for r in data["findings"])
        if data["judgement"]:
            fields["judgement"] = Judgement.from_json(data["judgement"])
        return cls(**fields)


def _without_times(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            name: _without_times(value)
            for name, value in data.items()
            if name not in TIMES
        }
    return [_without_times(one) for one in data] if isinstance(data, list) else data


def record_path(folder: Path, assignment: str, student: str) -> Path:
    return folder / assignment / f"{student}.json"


def write_record(folder: Path, record: Record) -> None:
    """Write a record into the verdicts folder, beside and renamed."""
    path = record_path(folder, record.assignment, record.student)
    write_text(path, json.dumps(record.to_json(), indent=1) + "\n")


def read_record(folder: Path, assignment: str, student: str) -> Record | None:
    """A student's record, or None where there is none that can be read."""
    path = record_path(folder, assignment, student)
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_records(folder: Path, assignment: str) -> list[Record]:
    """All records of an assignment, by student."""
    return list(each_record(folder, assignment))


def each_record(folder: Path, assignment: str) -> Iterator[Record]:
    """The same, one at a time: with its pictures, a record may have megabytes."""
    for path in sorted((folder / assignment).glob("*.json")):
        if record := read_record(folder, assignment, path.stem):
            yield record


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place and rename it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Judges on several machines may have the same process id.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with open(beside, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)

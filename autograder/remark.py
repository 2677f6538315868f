"""A remark: one line of a report about a submission, with its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

EVIDENCE_CHARACTERS = 400


@dataclass(frozen=True)
class Remark:
    """What was repaired or seen, in neutral words.

    `kind` is one word for tables ("duplicated-cell"); `where` names the cell
    or file; `evidence` is a short excerpt, as handed in.
    """

    kind: str
    words: str
    where: str = ""
    evidence: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Remark:
        return cls(**{key: str(value) for key, value in data.items()})


def excerpt(text: str, length: int = EVIDENCE_CHARACTERS) -> str:
    """The beginning of a text, its control characters made visible."""
    shown = "".join(
        c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text[:length]
    )
    return shown + (" ..." if len(text) > length else "")

"""Tables that platforms and spreadsheets write and read: CSV with care.

A cell that begins like a formula is run by the spreadsheet that opens it, so what
people can choose, as their names, is never written that way (OWASP, "CSV
Injection").
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.course import CourseError

BYTES = 50_000_000
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")
_NUMBER = re.compile(r"\s*[-+]?\d+([.,]\d+)?\s*%?")
_QUOTED = re.compile(r'="(.*)"')
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"),
         (codecs.BOM_UTF16_BE, "utf-16"))  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """A table: its headings, and its rows with the line each ends at.

    Every row is as long as the header.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    delimiter: str = ","

    def column(self, *headings: str) -> int | None:
        """Where one of these headings is, whatever their case; None if nowhere."""
        names = [name.strip().lower() for name in self.header]
        return next((names.index(h.lower()) for h in headings if h.lower() in names),
                    None)  # fmt: skip


def read_sheet(path: Path) -> Sheet:
    """A CSV file with comma, semicolon or tab; CourseError where it is none."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= BYTES else b""
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}).") from error
    if size > BYTES:
        raise CourseError(f"{path} is larger than {BYTES // 1_000_000} MB.")
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise CourseError(
            f"{path} is not UTF-8 (byte {error.start}). Save it again as CSV UTF-8."
        ) from error
    if "\0" in text:
        raise CourseError(f"{path} is not text. Export it as CSV.")
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise CourseError(f"{path}, line {reader.line_num}: {error}.") from error
    if len(lines) < 1:
        raise CourseError(f"{path} is empty.")
    header = tuple(lines[0][1])
    rows = tuple((line, _as_long(row, len(header))) for line, row in lines[1:])
    return Sheet(path, header, rows, delimiter)


def as_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table as text, comma-separated."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; a number stays as it is."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def unquoted(text: str) -> str:
    """A text without what `harmless`, or Canvas ("=" and quotes), put around it."""
    if text.startswith("'") and _FORMULA.match(text[1:]):
        return text[1:]
    canvas = _QUOTED.fullmatch(text)
    return canvas.group(1) if canvas else text


def _as_long(row: Sequence[str], length: int) -> tuple[str, ...]:
    return tuple(row[:length]) + ("",) * (length - len(row))

"""What a check says, as text and as HTML for a notebook."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

import numpy as np

from convlab import plotting
from convlab.checks.public import PublicCase
from convlab.checks.running import Attempt, Result

LARGEST = 8  # rows or columns of a map that is written out
MOST_MAPS = 3  # maps of one input that are written out
GOOD, BAD = plotting.PALETTE[2], plotting.WRONG


@dataclass(frozen=True)
class Table:
    """A small map, written out: its name, its numbers, which are wrong."""

    name: str
    values: np.ndarray  # two axes
    wrong: np.ndarray | None = None

    def cells(self) -> list[list[tuple[str, bool]]]:
        wrong = (np.zeros(self.values.shape, bool) if self.wrong is None
                 else self.wrong)
        return [[(f"{value:.4g}", bool(flag)) for value, flag in
                 zip(row, flags, strict=True)]
                for row, flags in zip(self.values, wrong, strict=True)]


class Report:
    """Shown by a notebook as HTML, printed elsewhere."""

    def __init__(self, result: Result) -> None:
        self.result = result
        self.failed = result.failed
        self.inputs, self.outputs = [], []
        if self.failed and self.failed.error is None:
            self.inputs = input_tables(self.failed.case, result.check.arguments)
            self.outputs = output_tables(self.failed)

    def __str__(self) -> str:
        lines = [f"{self.mark()[0]} {self.headline()}"]
        lines += self.paragraphs()
        for tables in (self.inputs, self.outputs):
            if tables:
                lines += ["", side_by_side(tables)]
        return "\n".join(lines)

    __repr__ = __str__

    def mark(self) -> tuple[str, str]:
        """A sign and its colour."""
        if self.result.unwritten:
            return "○", plotting.INK
        return ("✗", BAD) if self.failed else ("✓", GOOD)

    def headline(self) -> str:
        name, attempts = self.result.check.name, self.result.attempts
        if self.result.unwritten:
            return f"{name}: not written yet."
        right = sum(one.right for one in attempts)
        return f"{name}: {right} of {len(attempts)} cases right."

    def paragraphs(self) -> list[str]:
        if self.result.unwritten:
            return ["Put your answer in place of the line that raises "
                    "NotImplementedError, run that cell, then this one again."]
        parts = []
        if self.failed:
            parts += [f"The first that is not: {self.call()}",
                      self.failed.wrong.message]
            if self.result.hint:
                parts.append(f"Hint: {self.result.hint}")
        return parts + self.notes()

    def call(self) -> str:
        """The call in words: what it is about, and how to make it."""
        case, name = self.failed.case, self.result.check.function
        arguments = dict(zip(self.result.check.arguments, case.args, strict=False))
        shown = [label if isinstance(value, np.ndarray) else _short(value)
                 for label, value in arguments.items()]
        shown += [f"{label}={value!r}" for label, value in case.kwargs.items()]
        call = f"{name}({', '.join(shown)})"
        arrays = [f"{label} {value.shape} {value.dtype}"
                  for label, value in arguments.items()
                  if isinstance(value, np.ndarray)]
        if not arrays:
            return call
        return f"{case.about}\n    {call}   with {', '.join(arrays)}"

    def notes(self) -> list[str]:
        notes = []
        changed = {n for one in self.result.attempts for n in one.changed}
        if changed:
            names = ", ".join(self.result.check.arguments[n] for n in sorted(changed))
            notes.append(f"Note: your function changes {names}, which belongs to "
                         "whoever calls it. Write into an array of your own.")
        if self.result.said:
            notes.append("Note: it also said: " + " / ".join(self.result.said[:2]))
        return notes

    def _repr_html_(self) -> str:
        sign, colour = self.mark()
        body = [f'<b><span style="color:{colour}">{sign}</span> '
                f"{escape(self.headline())}</b>"]
        body += [_html_paragraph(text) for text in self.paragraphs()]
        for tables in (self.inputs, self.outputs):
            if tables:
                body.append(_html_tables(tables))
        if self.failed and not self.outputs and not self.result.unwritten:
            body.append(_html_picture(self.failed))
        return (f'<div style="border-left:4px solid {colour};padding:4px 12px;'
                f'max-width:46em">{"".join(body)}</div>')


def input_tables(case: PublicCase, names: Iterable[str]) -> list[Table]:
    """The arrays that went in, if all are small enough to be read."""
    tables: list[Table] = []
    for name, value in zip(names, case.args, strict=False):
        if isinstance(value, np.ndarray):
            maps = list(_maps(name, value))
            if len(maps) > MOST_MAPS or not all(map(_is_small, maps)):
                return []
            tables += maps
    return tables


def expected_and_got(failed: Attempt) -> tuple[object, object]:
    """What to show of both; of several values returned, the one that is wrong."""
    expected, got, part = failed.case.expected, failed.got, failed.wrong.part
    return (expected, got) if part is None else (expected[part], got[part])


def output_tables(failed: Attempt) -> list[Table]:
    """Expected and got, where both are small arrays of numbers."""
    expected, got = expected_and_got(failed)
    if not (_is_numeric(expected) and _is_numeric(got)):
        return []
    if expected.shape == got.shape and failed.wrong.where is not None:
        place = _first_map(failed.wrong.where)
        where = np.atleast_2d(failed.wrong.where[place])
        tables = [Table(f"expected{_indexing(place)}", np.atleast_2d(expected[place])),
                  Table(f"got{_indexing(place)}", np.atleast_2d(got[place]), where)]
    else:
        tables = [next(_maps("expected", expected)), next(_maps("got", got))]
    return tables if all(map(_is_small, tables)) else []


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def side_by_side(tables: list[Table]) -> str:
    """Tables as text beside one another; a wrong number has a star."""
    blocks = []
    for table in tables:
        rows = [[text + ("*" if wrong else " ") for text, wrong in row]
                for row in table.cells()]
        wide = max(len(text) for row in rows for text in row)
        lines = [table.name] + [" ".join(text.rjust(wide) for text in row)
                                for row in rows]
        across = max(map(len, lines))
        blocks.append([line.ljust(across) for line in lines])
    high = max(map(len, blocks))
    for block in blocks:
        block += [" " * len(block[0])] * (high - len(block))
    return "\n".join("    ".join(parts).rstrip()
                     for parts in zip(*blocks, strict=True))


def _is_numeric(value: object) -> bool:
    return (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
            and 0 < value.ndim <= 4 and value.size > 0)


def _is_small(table: Table) -> bool:
    return max(table.values.shape) <= LARGEST


def _maps(name: str, array: np.ndarray) -> Iterable[Table]:
    """Each map of an array as a table of its own."""
    outer = [n for axis, n in enumerate(array.shape)
             if axis not in _rows_and_columns(array.ndim)]
    for index in np.ndindex(*outer):
        place = _place(array.ndim, index)
        yield Table(name + _indexing(place), np.atleast_2d(array[place]))


def _rows_and_columns(axes: int) -> tuple[int, ...]:
    return {1: (0,), 2: (0, 1), 3: (0, 1)}.get(axes, (1, 2))


def _place(axes: int, outer: tuple[int, ...]) -> tuple:
    """(n, :, :, c) of (n, c), and so on."""
    rest = iter(outer)
    inner = _rows_and_columns(axes)
    return tuple(slice(None) if axis in inner else next(rest)
                 for axis in range(axes))


def _first_map(where: np.ndarray) -> tuple:
    inner = _rows_and_columns(where.ndim)
    wrong = np.argwhere(where.any(axis=inner))
    return _place(where.ndim, tuple(map(int, wrong[0])))


def _indexing(place: tuple) -> str:
    if all(isinstance(one, slice) for one in place):
        return ""
    return "[" + ", ".join(":" if isinstance(one, slice) else str(one)
                           for one in place) + "]"


def _html_paragraph(text: str) -> str:
    head, colon, rest = text.partition(": ")
    inside = escape(text).replace("\n    ", '<br><code>', 1)
    if inside != escape(text):
        inside = inside.replace("   with ", "</code> with ", 1)
    if head in ("Hint", "Note"):
        inside = f"<b>{head}{colon}</b>{escape(rest)}"
    return f'<p style="margin:6px 0">{inside}</p>'.replace("\n", "<br>")


def _html_tables(tables: list[Table]) -> str:
    cell = "padding:1px 6px;text-align:right;font-family:monospace"
    parts = []
    for table in tables:
        rows = "".join(
            "<tr>" + "".join(
                f'<td style="{cell}'
                + (f';outline:2px solid {BAD};outline-offset:-2px' if wrong else "")
                + f'">{text}</td>' for text, wrong in row) + "</tr>"
            for row in table.cells())
        parts.append(
            '<div style="display:inline-block;vertical-align:top;'
            f'margin:4px 24px 4px 0"><code>{escape(table.name)}</code>'
            '<table style="border-collapse:collapse;margin:2px 0">'
            f"{rows}</table></div>")
    return f"<div>{''.join(parts)}</div>"


def _html_picture(failed: Attempt) -> str:
    expected, got = expected_and_got(failed)
    if not (_is_numeric(expected) and _is_numeric(got)):
        return ""
    figure = plotting.difference(expected, got, where=failed.wrong.where)
    png, size = figure._repr_png_()
    return (f'<img width="{size["width"]}" alt="{escape(failed.wrong.message)}" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}">')

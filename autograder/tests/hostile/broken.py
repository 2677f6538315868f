"""Rows: files and notebooks that come in broken, by accident or not."""

from __future__ import annotations

import copy
import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.tests.hostile.row import HandIn, Row, files, notebook
from autograder.tests.hostile.small import (
    ALL,
    ANSWERS,
    NAME,
    Small,
    as_bytes,
    other_source,
)
from autograder.tests.tiny import cell_of, code, graded, settings

FILE = f"{NAME}.ipynb"


def place_of(book: dict, grade_id: str) -> int:
    return book["cells"].index(cell_of(book, grade_id))


# What is done to a notebook of right answers.


def duplicate(grade_id: str) -> Callable[[dict], None]:
    def change(book: dict) -> None:
        twin = copy.deepcopy(cell_of(book, grade_id))
        book["cells"].insert(place_of(book, grade_id) + 1, twin)

    return change


def delete(*grade_ids: str) -> Callable[[dict], None]:
    def change(book: dict) -> None:
        for grade_id in grade_ids:
            book["cells"].pop(place_of(book, grade_id))

    return change


def set_in(grade_id: str, **changed: object) -> Callable[[dict], None]:
    """Change nbgrader's settings of a cell."""

    def change(book: dict) -> None:
        cell_of(book, grade_id)["metadata"]["nbgrader"].update(changed)

    return change


def put_in(grade_id: str, **changed: object) -> Callable[[dict], None]:
    """Change a cell itself."""

    def change(book: dict) -> None:
        cell_of(book, grade_id).update(changed)

    return change


def strip(book: dict) -> None:
    for cell in book["cells"]:
        cell["metadata"] = {}


def strip_all(book: dict) -> None:
    strip(book)
    for cell in book["cells"]:
        cell.pop("id", None)


def turn_around(book: dict) -> None:
    book["cells"].reverse()


def earlier_try(book: dict) -> None:
    first = copy.deepcopy(cell_of(book, "double"))
    first["source"] = "def double(x):\n    return x + 2"
    book["cells"].insert(place_of(book, "double"), first)


def older_release(book: dict) -> None:
    """Other cells, names, points and texts: an answer and its test were renamed."""
    for name in ("triple", "triple_values"):
        cell = cell_of(book, name)
        cell["metadata"]["nbgrader"]["grade_id"] = f"old_{name}"
        cell["id"] = f"old-{name.replace('_', '-')}"
    cell_of(book, "double_values")["metadata"]["nbgrader"]["points"] = 4
    cell_of(book, "total_values")["source"] = '"""Checks the sum."""'
    quarter = graded("quarter_values", 3)
    quarter["source"] = '"""Checks quarter."""'
    book["cells"].append(quarter)
    book["cells"].pop(place_of(book, "why"))


def stranger(book: dict) -> None:
    marks = settings("someone_elses", solution=True)
    book["cells"].append(code("theirs", "1", marks))


def not_a_cell(book: dict) -> None:
    book["cells"].insert(2, ["not", "a", "cell"])


def many_cells(book: dict) -> None:
    book["cells"] += [{"cell_type": "markdown", "source": "x", "metadata": {}}] * 3000


def deep_metadata(book: dict) -> None:
    deep: dict = {}
    for _ in range(300):
        deep = {"a": deep}
    for cell in book["cells"]:
        cell["metadata"]["deep"] = deep
    book["metadata"]["deep"] = deep


def nan_points(book: dict) -> None:
    for name in ("double_values", "triple_values", "total_values"):
        cell_of(book, name)["metadata"]["nbgrader"]["points"] = float("nan")


# What is handed in as it is.


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) * 2 // 3]


def merged(whole: bytes) -> bytes:
    lines = whole.split(b"\n")
    lines[5:6] = [b"<<<<<<< HEAD", lines[5], b"=======", lines[5], b">>>>>>> mine"]
    return b"\n".join(lines)


def zipped(whole: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"../../s001/{NAME}/{FILE}", whole)
    return buffer.getvalue()


def altered(change: Callable[[bytes], bytes], name: str = FILE) -> HandIn:
    def hand_in(small: Small, folder: Path) -> None:
        (folder / name).write_bytes(change(as_bytes(small.answered())))

    return hand_in


def huge(_: Small, folder: Path) -> None:
    """Half a gigabyte, of which the disk holds one byte."""
    (folder / FILE).write_bytes(b"{")
    os.truncate(folder / FILE, 500_000_000)


def pieces(_: Small, folder: Path) -> None:
    """Few bytes a piece: read as JSON it would take a hundred times its size."""
    (folder / FILE).write_bytes(b'{"cells": [' + b"[]," * 6_000_000 + b"[]]}")


def link(target: str, name: str = FILE) -> HandIn:
    def hand_in(small: Small, folder: Path) -> None:
        (folder / name).symlink_to(target.replace("ROOT", str(small.root)))

    return hand_in


def linked_folder(small: Small, folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to(small.folder("s001"))


def both(*ways: HandIn) -> HandIn:
    def hand_in(small: Small, folder: Path) -> None:
        for way in ways:
            way(small, folder)

    return hand_in


def special_files(_: Small, folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    os.mkfifo(folder / "copy.ipynb")
    if os.geteuid() == 0:
        try:
            os.mknod(folder / "zero.bin", 0o020666, os.makedev(1, 5))
        except OSError:
            return


def odd_names(_: Small, folder: Path) -> None:
    for name in ("a\nb.py", "$(touch ran).csv", "; rm -rf x", "--force", b"\xff.txt"):
        with open(os.path.join(os.fsencode(folder), os.fsencode(name)), "w") as file:
            file.write("x")


def stamped(text: str) -> HandIn:
    return notebook(beside={"timestamp.txt": text.encode()})


def from_now(**shift: int) -> str:
    return (datetime.now(UTC) + timedelta(**shift)).strftime("%Y-%m-%d %H:%M:%S UTC")


def of_another(_: Small, folder: Path) -> None:
    (folder / FILE).write_bytes(as_bytes(other_source()))


def unwritten(small: Small, folder: Path) -> None:
    (folder / FILE).write_bytes(as_bytes(small.untouched()))


def old_format(small: Small, folder: Path) -> None:
    """nbformat 3: `input` for `source`, worksheets, no ids."""
    cells = [
        {"cell_type": "code", "input": [f"{text}\n"], "outputs": [], "metadata": {},
         "language": "python", "prompt_number": 1}
        for text in ANSWERS.values()
    ]  # fmt: skip
    book = {"worksheets": [{"cells": cells, "metadata": {}}], "nbformat": 3,
            "nbformat_minor": 0, "metadata": {"name": ""}}  # fmt: skip
    (folder / FILE).write_text(json.dumps(book))


def quarantined(name: str, hand_in: HandIn, *said: str, flags: str = "") -> Row:
    """Student and instructor read the same reason."""
    return Row(name, hand_in, 0, "quarantined", flags, said, said)


def repaired(name: str, hand_in: HandIn, flags: str, *said: str,
             points: float = ALL, student: tuple[str, ...] = ()) -> Row:  # fmt: skip
    """All that was right counts; student and instructor read what was repaired."""
    return Row(name, hand_in, points, "repaired", flags, (*said, *student), said)


BROKEN_NOTEBOOKS = (
    repaired("an answer is there twice", notebook(duplicate("double")),
             "duplicated-cell", "there 2 times"),
    repaired("a test is there twice", notebook(duplicate("double_values")),
             "duplicated-cell", "double_values", "there 2 times"),
    repaired("an earlier try is left before the answer", notebook(earlier_try),
             "duplicated-cell", "the last that was worked on"),
    repaired("a test is gone", notebook(delete("total_values")), "deleted-test",
             "total_values", "put back as released"),
    repaired("all tests are gone",
             notebook(delete("double_values", "triple_values", "total_values")),
             "deleted-test", "put back as released"),
    repaired("an answer is gone", notebook(delete("triple")), "deleted-answer",
             "The answer cell was missing", points=1 + 4,
             student=("not written yet",)),
    repaired("the imports are gone", notebook(delete("imports")), "deleted-cell",
             "imports"),
    repaired("all grading settings are gone", notebook(strip), "stripped-metadata",
             "had lost their grading settings"),
    repaired("settings and ids are gone", notebook(strip_all), "stripped-metadata",
             "had lost their grading settings"),
    repaired("grade is switched off", notebook(set_in("total_values", grade=False)),
             "changed-settings", "grading settings were changed"),
    repaired("a test is marked as an answer",
             notebook(set_in("total_values", solution=True, locked=False)),
             "changed-settings", "grading settings were changed"),
    repaired("points are edited", notebook(set_in("double_values", points=1000)),
             "changed-points", "double_values", "grading settings were changed"),
    repaired("points are not a number", notebook(nan_points), "changed-points",
             "grading settings were changed"),
    repaired("a test is edited", notebook(put_in("total_values", source="7")),
             "edited-test", "total_values", "the released text was put back"),
    repaired("a test is edited to 4 MB",
             notebook(put_in("total_values", source="x = 1\n" * 700_000)),
             "edited-test", "total_values", "the released text was put back"),
    repaired("the imports are edited",
             notebook(put_in("imports", source="import mine as np")), "edited-cell",
             "imports", "the released text was put back"),
    repaired("a test is turned into text",
             notebook(put_in("total_values", cell_type="markdown")), "changed-type",
             "turned into markdown"),
    repaired("an unknown schema_version",
             notebook(set_in("double", schema_version=99)), "changed-version",
             "unknown version"),
    repaired("a schema_version of words",
             notebook(set_in("double", schema_version="new")), "changed-version",
             "unknown version"),
    repaired("the cells are turned around", notebook(turn_around), "moved-cells",
             "the released order was put back"),
    repaired("something that is not a cell", notebook(not_a_cell), "invalid-cell",
             "not a cell"),
    repaired("3,000 cells too many", notebook(many_cells), "too-many-cells",
             "only the first 3000 were read"),
    Row("metadata nested deeply", notebook(deep_metadata)),
    repaired("of an older release of the assignment", notebook(older_release),
             "changed-points deleted-answer edited-test older-release",
             "another release of the assignment"),
    Row("an answer cell of another notebook", notebook(stranger), 7, "repaired",
        "unknown-cells", ("kept as plain cells",), ("someone_elses",)),
    repaired("nbformat 3", old_format,
             "deleted-answer deleted-cell deleted-test stripped-metadata",
             "put back as released"),
)  # fmt: skip

BROKEN_FILES = (
    repaired("another name", notebook(name=f"{NAME} (1).ipynb"), "renamed-notebook",
             "recognised under another name"),
    repaired("two notebooks, one of them as it was released",
             both(unwritten, notebook(name=f"{NAME} (1).ipynb")),
             "renamed-notebook several-notebooks", "2 notebooks of this assignment",
             f"{NAME} (1).ipynb was graded"),
    repaired("two notebooks, both worked on",
             both(notebook(), notebook(name="a copy.ipynb", total="x = 1")),
             "several-notebooks", "2 notebooks of this assignment",
             f"{NAME}.ipynb was graded"),
    quarantined("cut off in the middle", altered(cut), "cut short"),
    quarantined("marks of a merge", altered(merged), "merge conflict"),
    quarantined("an empty file", files({FILE: b""}), "The file is empty"),
    quarantined("null bytes", files({FILE: b"\0" * 5000}), "The file is empty"),
    quarantined("null bytes within", altered(lambda whole: whole[:90] + b"\0" * 40),
                "cut short"),
    quarantined("binary", files({FILE: bytes(range(128, 256)) * 50}), "not text"),
    quarantined("a zip archive with a path out of it", altered(zipped),
                "a zip archive"),
    quarantined("a web page", files({FILE: b"<!DOCTYPE html><html></html>"}),
                "a web page"),
    quarantined("a PDF and no notebook", files({"homework.pdf": b"%PDF-1.4\n"}),
                "There is no notebook. Handed in: homework.pdf"),
    quarantined("nothing", files({}), "Nothing was handed in"),
    quarantined("another assignment's notebook", of_another,
                "the notebook of another assignment, other"),
    quarantined("half a gigabyte", huge, "larger than 20 MB"),
    quarantined("millions of empty lists", pieces, "pieces"),
    quarantined("nested 200,000 deep",
                files({FILE: b'{"cells": ' + b"[" * 200_000}), "nested too deeply"),
    quarantined("a link to /etc/passwd", link("/etc/passwd"),
                "links are not followed", flags="left-out"),
    quarantined("a link to another student's notebook",
                link(f"ROOT/course/submitted/s001/{NAME}/{FILE}"),
                "links are not followed", flags="left-out"),
    quarantined("a folder that is a link to another's", linked_folder,
                "only a link to one"),
    repaired("a folder within that is a link",
             both(notebook(), link("ROOT/course/submitted", "data")), "left-out",
             "links are not followed"),
    repaired("pipes and devices", both(notebook(), special_files), "left-out",
             "not a regular file"),
    repaired("file names with new lines and shell code", both(notebook(), odd_names),
             "left-out", "no plain file name"),
    Row("UTF-16", altered(lambda whole: whole.decode().encode("utf-16"))),
    Row("UTF-8 with a byte order mark, Windows line ends",
        altered(lambda whole: b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n"))),
    repaired("an unreadable timestamp", stamped("yesterday"), "unreadable-timestamp",
             "time of submission cannot be read"),
    Row("late", stamped("2026-03-02 12:00:00 UTC"), flags="late"),
    Row("in time", stamped("2026-02-28 12:00:00 UTC")),
    Row("handed in tomorrow", stamped(from_now(days=1)),
        flags="doubtful-timestamp late", instructor=("is in the future",)),
    Row("handed in in 1970", stamped("1970-01-01 00:00:00 UTC"),
        flags="doubtful-timestamp", instructor=("a clock that was not set",)),
    Row("one student under two names", notebook(), folder="s900",
        flags="similar-name", instructor=("S900",)),
    Row("the other name, in capitals", notebook(total="def total(x):\n    return 0"),
        1 + 2, folder="S900", flags="similar-name", instructor=("s900",)),
    Row("a third name, with a space at its end", notebook(), 0, "quarantined",
        folder="s900 "),
)  # fmt: skip

ROWS = (*BROKEN_NOTEBOOKS, *BROKEN_FILES)

"""Broken and hostile submissions: repaired or quarantined, never a crash."""

from __future__ import annotations

import copy
import io
import json
import os
import zipfile

import nbformat
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nbgrader.nbgraderformat import MetadataValidator

from autograder import handin
from autograder.intake import lay_out, take_in
from autograder.keys import folder_hash
from autograder.tests.tiny import DOUBLE, TRIPLE, cell_of, code, settings


def taken(tiny, notebook=None, name="tiny.ipynb", others=None):
    if notebook is not None:
        tiny.hand_in("s001", notebook, name)
    return take_in(tiny.folder("s001"), "tiny", tiny.release, others)


def kinds(intake):
    return [remark.kind for remark in intake.repairs]


def sources(intake):
    return [cell.source for cell in intake.notebook.cells]


def remove(notebook, grade_id):
    notebook["cells"].remove(cell_of(notebook, grade_id))


def test_a_sound_submission_is_left_as_it_is(tiny):
    answered = tiny.answered()
    intake = taken(tiny, answered)
    assert kinds(intake) == []
    assert sources(intake) == [cell.source for cell in answered.cells]
    nbformat.validate(intake.notebook)
    MetadataValidator().validate_nb(intake.notebook)


def test_outputs_and_run_numbers_do_not_come_in(tiny):
    notebook = tiny.answered()
    cell = cell_of(notebook, "double_values")
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "3"})]
    cell.execution_count = 12
    intake = taken(tiny, notebook)
    assert kinds(intake) == []
    assert cell_of(intake.notebook, "double_values").outputs == []


def test_own_cells_keep_their_place(tiny):
    notebook = tiny.answered()
    notebook.cells.insert(3, code("mine", "helper = 2"))
    intake = taken(tiny, notebook)
    assert kinds(intake) == []
    assert sources(intake)[2:5] == ["Write `double`.", "helper = 2", DOUBLE]


# Repaired: (what was done to the notebook, the kind of remark).


def duplicate_answer(notebook):
    notebook["cells"].insert(4, copy.deepcopy(cell_of(notebook, "double")))


def duplicate_test(notebook):
    notebook["cells"].insert(6, copy.deepcopy(cell_of(notebook, "double_values")))


def delete_test(notebook):
    remove(notebook, "double_values")


def delete_locked(notebook):
    remove(notebook, "imports")


def strip_metadata(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def strip_metadata_and_ids(notebook):
    strip_metadata(notebook)
    for cell in notebook["cells"]:
        del cell["id"]


def flip_settings(notebook):
    cell_of(notebook, "double_values")["metadata"]["nbgrader"]["grade"] = False


def edit_points(notebook):
    cell_of(notebook, "double_values")["metadata"]["nbgrader"]["points"] = 1000


def edit_test(notebook):
    cell_of(notebook, "double_values")["source"] = "1000"


def edit_locked(notebook):
    cell_of(notebook, "imports")["source"] = "import mine as np"


def test_to_markdown(notebook):
    cell_of(notebook, "double_values")["cell_type"] = "markdown"


test_to_markdown.__test__ = False


def new_schema(notebook):
    cell_of(notebook, "double")["metadata"]["nbgrader"]["schema_version"] = 99


def schema_of_words(notebook):
    cell_of(notebook, "double")["metadata"]["nbgrader"]["schema_version"] = "x"


def move_cells(notebook):
    notebook["cells"].reverse()


def not_a_cell(notebook):
    notebook["cells"].insert(2, ["not", "a", "cell"])


def older_release(notebook):
    notebook["cells"].append(code("old", "1", settings("gone_values", locked=True)))


REPAIRS = [
    (duplicate_answer, "duplicated-cell"),
    (duplicate_test, "duplicated-cell"),
    (delete_test, "deleted-test"),
    (delete_locked, "deleted-cell"),
    (strip_metadata, "stripped-metadata"),
    (strip_metadata_and_ids, "stripped-metadata"),
    (flip_settings, "changed-settings"),
    (edit_points, "changed-points"),
    (edit_test, "edited-test"),
    (edit_locked, "edited-cell"),
    (test_to_markdown, "changed-type"),
    (new_schema, "changed-version"),
    (schema_of_words, "changed-version"),
    (move_cells, "moved-cells"),
    (not_a_cell, "invalid-cell"),
    (older_release, "unknown-cells"),
]


@pytest.mark.parametrize(
    ("harm", "kind"), REPAIRS, ids=lambda x: getattr(x, "__name__", x)
)
def test_what_can_be_repaired_is(tiny, harm, kind):
    notebook = json.loads(json.dumps(tiny.answered()))
    harm(notebook)
    intake = taken(tiny, notebook)
    assert kind in kinds(intake)
    assert_whole(intake, tiny)
    answers = [cell_of(intake.notebook, name).source for name in ("double", "triple")]
    assert answers == [DOUBLE, TRIPLE]


def assert_whole(intake, tiny):
    """Every cell of the release that nbgrader knows is there once, as released."""
    nbformat.validate(intake.notebook)
    MetadataValidator().validate_nb(intake.notebook)
    for ours in tiny.release.cells:
        if "nbgrader" in ours.metadata:
            found = cell_of(intake.notebook, ours.metadata.nbgrader.grade_id)
            assert found.metadata == ours.metadata
            assert found.cell_type == ours.cell_type
            if not ours.metadata.nbgrader.solution:
                assert found.source == ours.source


def test_a_deleted_answer_comes_back_unwritten(tiny):
    notebook = tiny.answered()
    remove(notebook, "double")
    intake = taken(tiny, notebook)
    assert kinds(intake) == ["deleted-answer"]
    assert "NotImplementedError" in cell_of(intake.notebook, "double").source


@pytest.mark.parametrize("stub_first", [True, False])
def test_of_two_answers_the_one_worked_on_counts(tiny, stub_first):
    notebook = tiny.answered()
    stub = copy.deepcopy(cell_of(tiny.release, "double"))
    place = notebook.cells.index(cell_of(notebook, "double"))
    notebook.cells.insert(place + (not stub_first), stub)
    intake = taken(tiny, notebook)
    assert kinds(intake) == ["duplicated-cell"]
    assert cell_of(intake.notebook, "double").source == DOUBLE
    assert len(intake.notebook.cells) == len(tiny.release.cells)


def test_an_earlier_answer_is_kept_as_a_plain_cell_before_the_last(tiny):
    notebook = tiny.answered()
    first = copy.deepcopy(cell_of(notebook, "double"))
    first.source = "def double(x):\n    return 0"
    notebook.cells.insert(3, first)
    intake = taken(tiny, notebook)
    texts = sources(intake)
    assert texts.index(first.source) < texts.index(DOUBLE)


def test_an_edited_test_shows_its_change(tiny):
    notebook = tiny.answered()
    cell_of(notebook, "double_values").source += "\nprint(3)"
    [repair] = taken(tiny, notebook).repairs
    assert (repair.where, repair.evidence) == ("double_values", "+print(3)")


def test_a_copy_of_a_test_that_was_edited_stays_as_a_plain_cell(tiny):
    notebook = tiny.answered()
    again = copy.deepcopy(cell_of(notebook, "double_values"))
    again.source = "double(10)"
    notebook.cells.insert(5, again)
    intake = taken(tiny, notebook)
    assert kinds(intake) == ["duplicated-cell"]
    plain = next(c for c in intake.notebook.cells if c.source == "double(10)")
    assert "nbgrader" not in plain.metadata


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_other_encodings_are_read(tiny, encoding):
    intake = taken(tiny, json.dumps(tiny.answered()).encode(encoding))
    assert not intake.reason
    assert cell_of(intake.notebook, "double").source == DOUBLE


def test_an_old_notebook_format_is_read(tiny):
    cells = [
        {"cell_type": "code", "input": [DOUBLE + "\n", "\n"], "outputs": [],
         "metadata": {}, "language": "python"},
        {"cell_type": "heading", "level": 1, "source": "Mine", "metadata": {}},
    ]  # fmt: skip
    notebook = {"worksheets": [{"cells": cells}], "nbformat": 3, "metadata": {}}
    intake = taken(tiny, notebook)
    assert cell_of(intake.notebook, "double").source.strip() == DOUBLE
    assert "Mine" in sources(intake)


@pytest.mark.parametrize(
    "name", ["tiny (1).ipynb", "my homework.ipynb", "tiny.ipynb.txt", "sub/tiny.ipynb"]
)
def test_a_renamed_notebook_is_recognised(tiny, name):
    (tiny.folder("s001") / "sub").mkdir()
    intake = taken(tiny, tiny.answered(), name)
    assert kinds(intake) == ["renamed-notebook"]
    assert cell_of(intake.notebook, "double").source == DOUBLE


def test_of_two_notebooks_the_one_with_the_right_name_counts(tiny):
    tiny.hand_in("s001", tiny.untouched(), "tiny (1).ipynb")
    intake = taken(tiny, tiny.answered())
    assert kinds(intake) == ["several-notebooks"]
    assert cell_of(intake.notebook, "double").source == DOUBLE


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("tiny.ipynb", data)
    return buffer.getvalue()


def quarantined(tiny):
    whole = json.dumps(tiny.answered(), indent=1).encode()
    other = nbformat.v4.new_notebook(cells=[code("a", "import numpy as np")])
    merge = whole.replace(b' "cells": [', b'<<<<<<< HEAD\n "cells": [', 1)
    return {
        "truncated": (whole[: len(whole) // 2], "cut short"),
        "merge": (merge, "merge conflict"),
        "empty": (b"", "empty"),
        "blank": (b" \n\n", "empty"),
        "nulls": (b"\0" * 5000, "empty"),
        "zip": (zipped(whole), "zip archive"),
        "pdf": (b"%PDF-1.4 ...", "a PDF"),
        "binary": (bytes(range(128, 256)) * 9, "not text"),
        "page": (b"<!DOCTYPE html><html></html>", "web page"),
        "python": (b"def double(x):\n    return 2 * x\n", "not valid JSON"),
        "json": (b'{"name": "tiny"}', "no cells"),
        "list": (b"[1, 2]", "no cells"),
        "cells": (b'{"cells": 7}', "no cells"),
        "deep": (b"[" * 200_000, "nested too deeply"),
        "number": (b'{"cells": [], "n": ' + b"9" * 5000 + b"}", "not valid JSON"),
        "other": (json.dumps(other).encode(), "another assignment"),
        "nothing": (b'{"cells": []}', "another assignment"),
    }


@pytest.mark.parametrize(
    "case",
    ["truncated", "merge", "empty", "blank", "nulls", "zip", "pdf", "binary", "page",
     "python", "json", "list", "cells", "deep", "number", "other", "nothing"],
)  # fmt: skip
def test_what_cannot_be_read_is_quarantined_with_a_reason(tiny, case):
    data, reason = quarantined(tiny)[case]
    intake = taken(tiny, data)
    assert intake.notebook is None
    assert reason in intake.reason
    assert len(intake.reason) < 400


def test_another_assignments_notebook_is_named(tiny):
    other = nbformat.v4.new_notebook(
        cells=[code("x", "1", settings("x_values", grade=True, locked=True, points=1))]
    )
    intake = taken(tiny, other, others={"ps9_other": other})
    assert "another assignment, ps9_other" in intake.reason


def test_no_notebook_says_what_is_there(tiny):
    (tiny.folder("s001") / "report.docx").write_bytes(b"x")
    assert "Handed in: report.docx" in taken(tiny).reason


def test_an_empty_folder_is_quarantined(tiny):
    tiny.folder("s001")
    assert "Nothing was handed in" in taken(tiny).reason


def test_a_huge_notebook_is_refused_unread(tiny):
    path = tiny.hand_in("s001", b"{")
    os.truncate(path, 500_000_000)
    assert "larger than 20 MB" in taken(tiny).reason


def test_links_and_pipes_are_not_followed(tiny):
    folder = tiny.folder("s001")
    tiny.hand_in("s002", tiny.answered())
    (folder / "tiny.ipynb").symlink_to(tiny.folder("s002") / "tiny.ipynb")
    (folder / "up").symlink_to("/")
    os.mkfifo(folder / "pipe.csv")
    intake = taken(tiny)
    assert intake.notebook is None
    assert sorted(r.where for r in intake.repairs if r.kind == "left-out") == [
        "pipe.csv", "tiny.ipynb", "up"
    ]  # fmt: skip


def test_a_folder_that_is_a_link_is_refused(tiny):
    tiny.hand_in("s002", tiny.answered())
    link = tiny.course.submitted / "s009"
    link.mkdir()
    (link / "tiny").symlink_to(tiny.folder("s002"))
    assert "link" in take_in(link / "tiny", "tiny", tiny.release).reason


def test_files_that_shadow_modules_are_set_aside(tiny, tmp_path):
    folder = tiny.folder("s001")
    (folder / "numba").mkdir()
    for name in ("numpy.py", "numba/__init__.py", "ipykernel_launcher.py", "json.py"):
        (folder / name).write_text("raise SystemExit")
    (folder / "helper.py").write_text("x = 1")
    (folder / "data").mkdir()
    (folder / "data" / "numpy.py").write_text("kept: nothing imports it from here")
    intake = taken(tiny, tiny.answered())
    assert {finding.where for finding in intake.findings} == {
        "numpy.py", "numba/__init__.py", "ipykernel_launcher.py", "json.py"
    }  # fmt: skip
    lay_out(intake, tmp_path / "out")
    out = tmp_path / "out"
    laid_out = {str(path.relative_to(out)) for path in out.rglob("*.py")}
    assert laid_out == {"helper.py", "data/numpy.py"}


def test_what_is_carried_along_goes_with_the_notebook(tiny, tmp_path):
    folder = tiny.folder("s001")
    (folder / "carried").mkdir()
    (folder / "carried" / "ps2_convolution.py").write_text("x = 1")
    (folder / "weights.npz").write_bytes(bytes(2_500_000))
    (folder / "carried" / "__pycache__").mkdir()
    (folder / "carried" / "__pycache__" / "x.pyc").write_bytes(b"left by Python")
    intake = taken(tiny, tiny.answered())
    assert kinds(intake) == []
    lay_out(intake, tmp_path / "out")
    out = tmp_path / "out"
    assert {str(path.relative_to(out)) for path in out.rglob("*.*")} == {
        "tiny.ipynb", "carried/ps2_convolution.py", "weights.npz"
    }  # fmt: skip


def test_files_that_are_too_large_are_left_out_and_the_limits_named(tiny):
    for name, size in (("weights.npz", 21e6), ("a.bin", 19e6), ("b.bin", 19e6),
                       ("c.bin", 19e6), ("d.bin", 19e6)):  # fmt: skip
        (tiny.folder("s001") / name).touch()
        os.truncate(tiny.folder("s001") / name, int(size))
    intake = taken(tiny, tiny.answered())
    assert [file.name for file in intake.files] == ["a.bin", "b.bin", "c.bin"]
    assert [(one.kind, one.where) for one in intake.repairs] == [
        ("left-out", "d.bin"), ("left-out", "weights.npz")
    ]  # fmt: skip
    assert intake.repairs[1].words == (
        "A file of 21 MB was left out: a file may have 20 MB, all together 60 MB."
    )


@pytest.mark.parametrize("text", [b"yesterday", b"\xff\xfe\x00", b"9" * 5000, b"\0\0"])
def test_an_unreadable_timestamp_is_ignored_and_said(tiny, text):
    (tiny.folder("s001") / "timestamp.txt").write_bytes(text)
    intake = taken(tiny, tiny.answered())
    assert kinds(intake) == ["unreadable-timestamp"]
    assert intake.timestamp == ""


def test_a_timestamp_goes_with_the_notebook(tiny, tmp_path):
    (tiny.folder("s001") / "timestamp.txt").write_text("2026-03-01 10:00:00 UTC\n")
    intake = taken(tiny, tiny.answered())
    lay_out(intake, tmp_path / "out")
    assert (tmp_path / "out" / "timestamp.txt").read_text().startswith("2026-03-01")


def test_laying_out_quarantine_removes_what_was_there(tiny, tmp_path):
    lay_out(taken(tiny, tiny.answered()), tmp_path / "out")
    assert (tmp_path / "out" / "tiny.ipynb").is_file()
    lay_out(taken(tiny, b"{"), tmp_path / "out")
    assert list(tmp_path.glob("*out*")) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["cell_type", "source", "metadata", "nbgrader", "grade_id",
                         "id", "attachments", "cells", "worksheets", "code", "double"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@hypothesis_settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(JSON, max_size=4), st.sampled_from(["cells", "worksheets"]))
def test_no_json_crashes_the_intake(tiny, cells, key):
    notebook = json.loads(json.dumps(tiny.answered()))
    notebook[key] = notebook["cells"][:5] + cells
    if key == "worksheets":
        del notebook["cells"]
    intake = taken(tiny, notebook)
    assert (intake.notebook is None) == bool(intake.reason)
    if intake.notebook:
        assert_whole(intake, tiny)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(data):
    try:
        handin.parse_notebook(data)
    except handin.Unreadable as error:
        assert str(error)


# Names, times and releases.


@pytest.mark.parametrize(
    ("text", "flags", "says"),
    [
        ("2026-03-01 10:00:00 UTC", [], ""),
        ("2099-03-01 10:00:00 UTC", ["doubtful-timestamp"], "is in the future"),
        ("1970-01-01 00:00:00 UTC", ["doubtful-timestamp"], "clock that was not set"),
    ],
)
def test_a_time_that_cannot_be_is_kept_and_said(tiny, text, flags, says):
    (tiny.folder("s001") / "timestamp.txt").write_text(text)
    intake = taken(tiny, tiny.answered())
    assert [finding.kind for finding in intake.findings] == flags
    assert all(says in finding.words for finding in intake.findings)
    assert (intake.timestamp, intake.repairs) == (text, [])


@pytest.mark.parametrize("other", ["S001", "s001 ", "\uff53001", "s 001"])
def test_names_that_are_almost_the_same_are_said_to_both(tiny, other):
    tiny.hand_in(other, tiny.answered())
    [finding] = taken(tiny, tiny.answered()).findings
    assert (finding.kind, finding.where) == ("similar-name", "s001")
    assert repr(other)[1:-1] in finding.evidence
    assert handin.names_alike(tiny.folder(other)) == ["s001"]


def test_another_name_changes_what_a_verdict_is_made_from(tiny):
    tiny.hand_in("s001", tiny.answered())
    before = folder_hash(tiny.folder("s001"))
    tiny.hand_in("s002", tiny.answered())
    assert folder_hash(tiny.folder("s001")) == before
    tiny.hand_in("S001", tiny.answered())
    assert folder_hash(tiny.folder("s001")) != before


def test_of_an_older_release_what_was_renamed_is_found(tiny):
    notebook = tiny.answered()
    cell_of(notebook, "double")["metadata"]["nbgrader"]["grade_id"] = "twice"
    notebook["cells"].append(code("old", "1", settings("gone_values", locked=True)))
    intake = taken(tiny, notebook)
    assert kinds(intake) == ["older-release"]
    assert intake.repairs[0].evidence == "gone_values, twice, twice is now double"
    assert cell_of(intake.notebook, "double").source == DOUBLE


def test_a_written_answer_without_settings_is_known_by_its_place(tiny):
    notebook = json.loads(json.dumps(tiny.answered()))
    strip_metadata_and_ids(notebook)
    intake = taken(tiny, notebook)
    assert kinds(intake) == ["stripped-metadata"]
    assert cell_of(intake.notebook, "why").source == "It multiplies."


def test_of_two_notebooks_one_that_was_not_worked_on_does_not_count(tiny):
    tiny.hand_in("s001", tiny.answered(), "tiny (1).ipynb")
    intake = taken(tiny, tiny.untouched())
    assert kinds(intake) == ["renamed-notebook", "several-notebooks"]
    assert cell_of(intake.notebook, "double").source == DOUBLE


def test_a_notebook_of_megabytes_of_code_is_refused(tiny):
    long = DOUBLE + "\n" + "# so long\n" * 200_000
    assert "million are read" in taken(tiny, tiny.answered(double=long)).reason

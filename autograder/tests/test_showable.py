"""What would hold up a page is shown in short; everything else as it is."""

from __future__ import annotations

import nbformat
import pytest

from autograder.showable import MOST, NOTE, Effort, without_lost


def text_cell(source: str, **more) -> nbformat.NotebookNode:
    return nbformat.v4.new_markdown_cell(source, **more)


@pytest.mark.parametrize("mark", MOST)
def test_a_text_of_very_many_marks_is_shown_in_short(mark):
    cell = text_cell(mark * (MOST[mark] + 1))
    Effort().limit_text(cell)
    assert cell.source.startswith(NOTE)
    assert len(cell.source) < 3_000
    assert cell.cell_type == "markdown"


def test_so_are_many_texts_of_many_marks():
    effort, cells = Effort(), [text_cell("<b>" * 1_500) for _ in range(20)]
    for cell in cells:
        effort.limit_text(cell)
    assert sum(cell.source.startswith(NOTE) for cell in cells) == 20 - 20_000 // 1_500


@pytest.mark.parametrize("source", [
    "# A title\n\n- $x_{ij}$ and `a[0]`, see [here](https://example.org) <br>\n" * 50,
    "",
])  # fmt: skip
def test_ordinary_texts_stay_as_they_are(source):
    cell = text_cell(source)
    Effort().limit_text(cell)
    assert cell.source == source


def test_outputs_of_ordinary_size_stay_as_they_are():
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "\x1b[31mred\x1b[0m"},
        {"output_type": "display_data", "metadata": {},
         "data": {"text/html": "<td>1</td>" * 500, "text/plain": "1",
                  "image/png": "iVBORw0KGgo="}},
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["\x1b[0m"]},
    ]  # fmt: skip
    assert Effort().limited(outputs) == outputs


def test_outputs_that_are_too_much_lose_their_form_alone():
    html = "<div>" * 50_000
    shown = Effort().limited([
        {"output_type": "stream", "name": "stdout", "text": "a\x1b[31m" * 9_000},
        {"output_type": "display_data", "data": {"text/html": html}, "metadata": {}},
        {"output_type": "display_data", "metadata": {},
         "data": {"text/html": html, "text/plain": "a table"}},
    ])  # fmt: skip
    assert shown[0]["text"] == "a" * 9_000
    assert shown[1]["data"]["text/plain"].startswith(NOTE)
    assert shown[2]["data"] == {"text/plain": "a table"}


def test_a_reference_to_a_lost_picture_does_not_stay():
    text = "![a](attachment:a.png) ![b](attachment:b.png)"
    assert without_lost(text, {"a.png": {}}) == (
        "![a](attachment:a.png) ![b](lost-picture-b.png)"
    )
    assert without_lost(text, {"a.png": {}, "b.png": {}}) == text

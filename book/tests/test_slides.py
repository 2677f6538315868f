"""The lecture's slides: each is told, and covered by a section that exists."""

from __future__ import annotations

import re

import pytest
import yaml
from book_pages import chapters, sources

from book.build import BOOK
from book.extension.slides import (
    LECTURE,
    by_slide,
    coverage,
    front_matter,
    on_slides,
    quote_lone_slides,
    rows,
)
from book.stated import unproved


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_chapter_says_which_section_covers_which_slide(source):
    page = source.read_text()
    slides = front_matter(page)["slides"]
    covered = by_slide(slides)
    numbers = [number for number, _ in covered]
    assert numbers == sorted(set(numbers)), "each slide once a chapter, in order"
    headings = re.findall(r"^\(([\w-]+)\)=\n##+ ", page, re.MULTILINE)
    assert {label for _, label in covered} <= set(headings)


def test_all_slides_are_told():
    assert sorted(on_slides(BOOK)) == list(LECTURE)


def test_what_is_told_states_no_number_that_code_does_not_give():
    told = "\n\n".join(on_slides(BOOK).values())
    assert unproved(f"{(BOOK / 'slides.md').read_text()}\n\n{told}") == []


def test_every_slide_is_covered():
    assert set(coverage(sources(), BOOK)) == set(LECTURE)


@pytest.mark.xdist_group("book")
def test_the_table_links_every_covered_slide(built):
    page = (built / "slides.html").read_text()
    table = page[page.index("<table"):page.index("</table>")]
    lines = re.findall(r"<tr.*?</tr>", table, re.DOTALL)[1:]
    covered = coverage(sources(), BOOK)
    assert len(lines) == len(rows(on_slides(BOOK), covered))
    for page, label in {section for found in covered.values() for section in found}:
        place = f"#{label}" if label else ""
        assert f'href="{page}.html{place}"' in table


@pytest.mark.parametrize("slides", ["0-2", "66-67", "5-4", "x"])
def test_slides_that_the_lecture_has_not_are_refused(slides):
    with pytest.raises(ValueError):
        by_slide({slides: "somewhere"})


def test_neighbours_share_a_row_when_text_and_sections_agree():
    told = {1: "title", 2: "sizes", 3: "sizes", 4: "sizes", 5: "end"}
    a, b = ("chapters/sizes", "a"), ("chapters/sizes", "b")
    covered = {2: [a], 3: [a], 4: [a, b]}
    assert rows(told, covered) == [
        ("1", "title", []), ("2-3", "sizes", [a]), ("4", "sizes", [a, b]),
        ("5", "end", [])]


@pytest.mark.parametrize("slides", [
    '{20-21: fig-3, 22: on-4, "23": c}',
    '\n  20-21: fig-3\n  22: on-4\n  "23": c'])
def test_lone_slides_become_text_and_lines_stay(slides):
    page = f"---\nkernelspec: {{a: 1}}\nslides: {slides}\n---\n22: a line\n"
    source = [page]
    quote_lone_slides(None, "page", source)
    changed = yaml.safe_load(source[0].split("---")[1])
    assert changed["slides"] == {"20-21": "fig-3", "22": "on-4", "23": "c"}
    assert changed["kernelspec"] == {"a": 1}
    assert source[0].count("\n") == page.count("\n")
    assert source[0].endswith("\n22: a line\n")

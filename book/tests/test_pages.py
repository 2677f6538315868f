"""What every page has: a description, an order, alternative texts, sources."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from book_pages import PAGES, chapters, sources

from book.build import BOOK, ROOT
from book.extension.slides import front_matter

LAST_SECTIONS = ["Summary", "Check yourself", "Your turn", "Further reading"]


def sections(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_chapter_opens_with_a_question_and_ends_as_all_do(source):
    text = source.read_text()
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    opening = without_code.split("\n# ", 1)[1]
    assert ":class: question" in opening[:200]
    assert re.search(r":class: question\n[^:]+\?\n:::", opening)
    assert "Common mistakes" in sections(text)
    assert sections(text)[-4:] == LAST_SECTIONS


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_chapter_has_questions_with_folded_answers(source):
    part = source.read_text().split("## Check yourself")[1].split("\n## ")[0]
    numbers = [int(n) for n in re.findall(r"^\*\*(\d+)\.\*\* ", part, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 3 <= len(numbers) <= 6
    assert part.count(":::{dropdown} Answer") == len(numbers)


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_chapter_has_quick_questions(source):
    part = source.read_text().split("## Check yourself")[1].split("\n## ")[0]
    assert 2 <= part.count(":::{question}") <= 4


def test_the_right_answer_is_not_always_at_the_same_place():
    places = {
        re.findall(r"^\[(.)\] ", question, re.MULTILINE).index("x")
        for source in chapters()
        for question in source.read_text().split(":::{question}")[1:]}
    assert len(places) > 1


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_chapter_leads_to_an_assignment_that_exists(source):
    part = source.read_text().split("## Your turn")[1].split("\n## ")[0]
    assert ":class: assignment\n" in part
    notebooks = re.findall(r"exercises/(\w+)/\1\.ipynb", part)
    assert notebooks
    for name in notebooks:
        assert (ROOT / "exercises" / name / f"{name}.ipynb").is_file()


@pytest.mark.parametrize("source", chapters(), ids=lambda path: path.stem)
def test_further_reading_cites_several_sources(source):
    part = source.read_text().split("## Further reading")[1]
    assert len(set(re.findall(r"\{cite:t\}`(\w+)`", part))) >= 3


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_description_reads_well_in_a_search_result(source):
    meta = front_matter(source.read_text())["myst"]["html_meta"]
    description = meta["description lang=en"]
    assert 70 <= len(description) <= 165
    assert description.endswith(".")


def test_every_source_is_cited():
    text = "".join(source.read_text() for source in sources())
    cited = {key for keys in re.findall(r"\{cite:\w+\}`([^`]+)`", text)
             for key in keys.split(",")}
    entries = re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text(),
                         re.MULTILINE)
    assert sorted(cited) == sorted(entries)


def test_every_chapter_is_in_the_contents():
    assert sorted(chapters()) == sorted((BOOK / "chapters").glob("*.md"))


def test_glossary_is_in_order_and_short():
    body = (BOOK / "glossary.md").read_text().split("```{glossary}\n")[1]
    entries = dict(re.findall(r"^(\S.*)\n((?:  .*\n)+)", body, re.MULTILINE))
    assert len(entries) == len(re.findall(r"^\w", body, re.MULTILINE)) >= 60
    assert list(entries) == sorted(entries, key=str.lower)
    for term, meaning in entries.items():
        assert meaning.strip().endswith("."), term
        assert 1 <= len(re.findall(r"[.?](?=\s)", meaning)) <= 3, term


class Seen(HTMLParser):
    """Pictures with their alternative texts, headings, landmarks, language."""

    def __init__(self, text: str):
        super().__init__()
        self.alts, self.levels, self.marks, self.lang = [], [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == "img":
            self.alts.append(values.get("alt"))
        if tag == "svg" and values.get("role") == "img":
            self.alts.append(values.get("aria-label"))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "html":
            self.lang = values.get("lang")
        self.marks.add(values.get("id") or tag)
        self.marks.add(tag)


@pytest.fixture(params=PAGES)
def seen(request, built) -> Seen:
    text = (built / request.param).read_text()
    # The theme repeats title and contents for print, hidden on the screen.
    printed = text.find('id="jb-print-docs-body"')
    article = text.find('<article class="bd-article">')
    return Seen(text[:printed] + text[article:])


@pytest.mark.xdist_group("book")
def test_every_picture_is_told_in_words(seen):
    for alt in seen.alts:
        assert alt, "a picture without alternative text"
        assert len(alt.split()) > 8, alt
        assert not re.search(r"\.(png|svg)$|^(image|figure|picture)\b", alt, re.I), alt


@pytest.mark.xdist_group("book")
def test_headings_nest_and_landmarks_are_there(seen):
    assert seen.lang == "en"
    assert seen.levels.count(1) == 1
    assert all(deeper - level <= 1
               for level, deeper in zip(seen.levels, seen.levels[1:], strict=False))
    assert {"main", "nav", "main-content", "pst-skip-link"} <= seen.marks


@pytest.mark.xdist_group("book")
def test_chapters_have_pictures_that_were_drawn_for_them(built):
    for source in chapters():
        page = (built / f"chapters/{source.stem}.html").read_text()
        assert page.count('class="drawing-part"') >= 3, source.stem

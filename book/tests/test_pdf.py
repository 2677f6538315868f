"""The book as one PDF: whole, numbered, with every answer and formula drawn."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from unicodedata import normalize

import pytest
from book_pages import PAGES
from bs4 import BeautifulSoup
from pypdf import PdfReader

from book import pdf
from book.build import ROOT
from convlab.browser import NAMES, NoBrowser, find_browser

pytestmark = pytest.mark.xdist_group("book")


@pytest.fixture(scope="module")
def printed(built, tmp_path_factory) -> PdfReader:
    """The PDF of all pages, printed in a process of its own."""
    try:
        find_browser()
    except NoBrowser as error:
        pytest.skip(str(error))
    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    code = ("import sys, pathlib; from book.pdf import make; "
            "make(*map(pathlib.Path, sys.argv[1:]))")
    run = subprocess.run([sys.executable, "-c", code, built, target], cwd=ROOT,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [path.name for path in target.parent.iterdir()] == ["book.pdf"]
    return PdfReader(target)


@pytest.fixture(scope="module")
def texts(printed) -> list[str]:
    """The words of each page; letters drawn as one sign are letters again."""
    return [" ".join(normalize("NFKC", page.extract_text()).split())
            for page in printed.pages]


def title(built: Path, name: str) -> str:
    page = BeautifulSoup((built / name).read_text(), "html.parser")
    heading = page.select_one("article.bd-article h1")
    heading.select_one(".headerlink").decompose()
    return " ".join(heading.get_text().split())


@pytest.mark.browser
def test_contents_lead_to_the_page_where_each_title_stands(built, texts):
    listed = " ".join(texts[1:4])  # the contents
    for name in PAGES:
        heading = title(built, name)
        number = re.search(re.escape(heading) + r" (\d+)", listed)
        assert number, heading
        page = texts[int(number[1]) - 1]
        # A line may end at a space or behind a hyphen.
        assert heading.replace(" ", "") in page.replace(" ", ""), heading


@pytest.mark.browser
def test_no_page_is_blank_and_each_has_its_number(texts):
    assert texts[0].startswith("Convolutional Neural Networks")
    for number, text in enumerate(texts, start=1):
        assert text.endswith(str(number)), number
        assert len(text) > len(str(number)) + 1, number


@pytest.mark.browser
def test_mathematics_is_drawn_and_answers_are_open(texts):
    whole = " ".join(texts)
    assert "\\(" not in whole
    assert "\\frac" not in whole
    assert "Same padding: half of what the filters take away" in whole  # a right answer
    assert "As deep as its input: 5x5x6, which is 150 numbers." in whole  # unfolded
    assert "That is how high and wide each filter is." not in whole  # a wrong one


@pytest.mark.browser
def test_links_lead_within_the_file(printed):
    names = {name.lstrip("/") for name in printed.named_destinations}
    assert {Path(name).stem for name in PAGES} <= names
    outside = [annotation.get_object()["/A"]["/URI"]
               for page in printed.pages for annotation in page.get("/Annots", [])
               if "/URI" in annotation.get_object().get("/A", {})]
    assert outside
    assert [link for link in outside if not link.startswith("https://")] == []


@pytest.mark.browser
def test_chapters_are_bookmarks(built, printed):
    marks = {" ".join(one.title.split()) for one in printed.outline
             if not isinstance(one, list)}
    assert {title(built, name) for name in PAGES} <= marks


@pytest.mark.parametrize(("link", "expected"), [
    ("#sec", "#loss--sec"),
    ("pooling.html#max", "#pooling--max"),
    ("../index.html", "#index"),
    ("https://example.org/a.html#b", "https://example.org/a.html#b"),
])
def test_links_of_a_page_in_the_one_file(link, expected):
    assert pdf.within(link, "loss") == expected


def test_without_a_browser_it_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(NoBrowser, match="apt-get install chromium"):
        find_browser()
    assert pdf.main(["--output", str(tmp_path)]) == 1
    assert NAMES[0] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

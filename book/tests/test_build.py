"""The build: complete, strict, without network, quick when nothing changed."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from book_pages import PAGES

from book import build
from book.build import BOOK, ROOT

pytestmark = pytest.mark.xdist_group("book")

LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src",
           "video": "src", "audio": "src", "embed": "src", "object": "data"}


class Page(HTMLParser):
    """What a page links to, loads, and offers as targets."""

    def __init__(self, text: str):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if values.get("id"):
            self.anchors.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon"):
            self.loads.append(values["href"])
        if LOADING.get(tag) in values:
            self.loads.append(values[LOADING[tag]])


@pytest.fixture(scope="module")
def site(built) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in built.rglob("*.html")
            if "_static" not in path.parts}  # the theme leaves templates there


def test_every_page_is_built(built):
    assert [name for name in PAGES if not (built / name).is_file()] == []


def test_pages_load_nothing_from_outside(site):
    outside = {(path.name, address) for path, page in site.items()
               for address in page.loads if urlsplit(address).scheme or
               address.startswith("//")}
    assert outside == set()


def test_stylesheets_load_nothing_from_outside(built):
    addresses = [(path.name, found) for path in built.rglob("*.css") for found in
                 re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^)'\"]+)",
                            path.read_text())]
    assert addresses == []


def test_what_pages_load_is_there(site):
    missing = [(path.name, address) for path, page in site.items()
               for address in page.loads
               if not (path.parent / unquote(urlsplit(address).path)).is_file()]
    assert missing == []


def test_links_within_the_book_lead_somewhere(site):
    broken = []
    for path, page in site.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() \
                if parts.path else path
            anchors = site[target].anchors if target in site else ()
            if not target.is_file() or parts.fragment and (
                    parts.fragment not in anchors):
                broken.append((path.name, link))
    assert broken == []


def test_links_to_outside_are_encrypted(site):
    schemes = {urlsplit(link).scheme for page in site.values() for link in page.links}
    assert schemes <= {"", "https"}


def test_mathjax_is_one_file_of_the_24_megabytes(built):
    files = [path.name for path in (built / "_static/mathjax").rglob("*")]
    assert files == ["tex-svg.js"]


def test_site_stays_small(built):
    total = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
    heaviest = max((built / name).stat().st_size for name in PAGES)
    assert total < 10e6
    assert heaviest < 400e3


def test_nothing_of_this_machine_is_on_a_page(built):
    for name in PAGES:
        assert str(ROOT) not in (built / name).read_text(), name


def test_second_build_reads_nothing_again(built):
    if (built.parent / "code.sha256").read_text() != build.fingerprint():
        pytest.skip("the code was edited while the tests ran: run them again")
    run = subprocess.run(
        [sys.executable, "-m", "book.build", "--output", built.parent],
        cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "reading" not in run.stdout
    assert "Open " in run.stdout


BROKEN = {
    "a number that can't be computed": "{calc}`output_size(7, 3, 3)`",
    "a figure that refuses its numbers": "```{drawn} positions(2, 3)\nCaption.\n```",
    "a reference to nothing": "{numref}`fig-nowhere`",
    "a citation of nothing": "{cite:t}`nobody1900`",
    "a question without a right answer": ":::{question}\nWhy?\n---\n[ ] So\n> No.\n"
                                         "[ ] Thus\n> No.\n---\n:::",
    "an answer without a reason": ":::{question}\nWhy?\n---\n[x] So\n[ ] Thus\n"
                                  "> No.\n---\n:::",
    "a cell that fails": "```{code-cell} ipython3\n1 / 0\n```",
    "a cell that warns": "```{code-cell} ipython3\n"
                         "import warnings\nwarnings.warn('old')\n```",
}
FRONT = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {name: python3, display_name: Python 3}
---

# Page

"""


def small_book(folder: Path, text: str) -> Path:
    """A book of one page with our settings."""
    folder.mkdir()
    (folder / "_config.yml").write_text((BOOK / "_config.yml").read_text())
    (folder / "references.bib").write_text("")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (folder / "index.md").write_text(f"{FRONT}{text}\n")
    return folder


def build_small(source: Path, output: Path) -> subprocess.CompletedProcess:
    code = ("import sys, pathlib; from book.build import build; "
            "sys.exit(not build(*map(pathlib.Path, sys.argv[1:])))")
    return subprocess.run([sys.executable, "-c", code, output, source], cwd=ROOT,
                          capture_output=True, text=True)


def test_each_kind_of_mistake_is_a_warning_of_its_own(tmp_path):
    """All on one page, to build once; then again, for Sphinx forgets warnings."""
    text = "\n\n".join(BROKEN.values())
    source = small_book(tmp_path / "source", text)
    for _ in range(2):
        run = build_small(source, tmp_path / "output")
        assert run.returncode == 1
        for sign in ("is not a whole number", "larger than the input", "fig-nowhere",
                     "nobody1900", "2 answers, 0 of them right",
                     "an answer has no reason", "ZeroDivisionError"):
            assert sign in run.stderr, sign


def test_a_cell_that_warns_fails_the_build(tmp_path):
    source = small_book(tmp_path / "source", BROKEN["a cell that warns"])
    run = build_small(source, tmp_path / "output")
    assert run.returncode == 1
    assert "stderr" in run.stderr


def test_changed_code_empties_the_output(tmp_path, monkeypatch):
    output = tmp_path / "out"
    build.discard_stale(output)
    (output / "html").mkdir()
    build.discard_stale(output)
    assert (output / "html").exists()
    monkeypatch.setattr(build, "fingerprint", lambda: "other code")
    build.discard_stale(output)
    assert not (output / "html").exists()


def test_fingerprint_covers_the_code_that_pages_run():
    covered = {path for glob in build.CODE for path in ROOT.glob(glob)}
    for needed in ("convlab/arithmetic.py", "convlab/data/shapes.py",
                   "book/figures/grids.py", "book/extension/calc.py",
                   "constraints.txt"):
        assert ROOT / needed in covered

"""A published copy: 404 page below a sub-path, sitemap, titles, the workflow."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from book_pages import PAGES

from book.build import BOOK, ROOT

ADDRESS = "https://example.org/course/"
PAGE = """---
myst: {html_meta: {"description lang=en": "A page."}}
---

# %s

See {doc}`index`.
"""
WORKFLOW = ROOT / ".github/workflows/book.yml"


def build(source: Path, output: Path, address: str) -> subprocess.CompletedProcess:
    code = ("import sys, pathlib; from book.build import build; "
            "sys.exit(not build(*map(pathlib.Path, sys.argv[1:])))")
    return subprocess.run([sys.executable, "-c", code, output, source], cwd=ROOT,
                          env={"PATH": "/usr/bin:/bin", "BOOK_URL": address},
                          capture_output=True, text=True)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A book of two pages with our settings, built for an address."""
    folder = tmp_path_factory.mktemp("published")
    source = folder / "source"
    (source / "deep").mkdir(parents=True)
    (source / "_config.yml").write_text((BOOK / "_config.yml").read_text())
    (source / "references.bib").write_text("")
    (source / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters:\n  - file: deep/inside\n")
    (source / "index.md").write_text(PAGE % "First")
    (source / "deep/inside.md").write_text((PAGE % "Inside").replace("`i", "`/i"))
    run = build(source, folder / "output", ADDRESS.rstrip("/"))
    assert run.returncode == 0, run.stdout + run.stderr
    return folder / "output/html"


def test_sitemap_lists_every_page_by_its_address(published):
    root = ElementTree.parse(published / "sitemap.xml").getroot()
    assert {one.text for one in root.iter() if one.tag.endswith("loc")} == {
        f"{ADDRESS}index.html", f"{ADDRESS}deep/inside.html"}
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (published / "robots.txt").read_text()


def test_pages_name_their_address(published):
    page = (published / "deep/inside.html").read_text()
    assert f'<link rel="canonical" href="{ADDRESS}deep/inside.html" />' in page


def test_404_page_works_at_any_depth_below_a_sub_path(published):
    page = (published / "404.html").read_text()
    assert "<h1>Page not found</h1>" in page
    addresses = [one.partition("?")[0].partition("#")[0] for one in
                 re.findall(r'(?:href|src|action)="([^"#]+)', page)
                 if not one.startswith("http")]
    assert len(addresses) > 10
    for address in addresses:
        assert address.startswith("/course/"), address
        assert (published / address.removeprefix("/course/")).is_file(), address


@pytest.mark.xdist_group("book")
def test_a_copy_without_an_address_has_none_of_these(built):
    for name in ("404.html", "sitemap.xml", "robots.txt"):
        assert not (built / name).exists()


@pytest.mark.parametrize("address", ["example.org", "ftp://example.org/",
                                     "https://example.org/?a=b"])
def test_an_address_that_is_none_is_refused(address, monkeypatch):
    from sphinx.errors import ConfigError

    from book.extension.published import site_address

    monkeypatch.setenv("BOOK_URL", address)
    with pytest.raises(ConfigError, match="first page, such as https://"):
        site_address()


@pytest.mark.xdist_group("book")
def test_titles_read_well_in_a_search_result(built):
    titles = [re.search(r"<title>(.*?)</title>", (built / name).read_text(),
                        re.DOTALL)[1] for name in PAGES]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert not re.match(r"\d", title), title
        assert len(title.replace("&#8212;", "-")) <= 90, title
        assert title.count("Convolutional Neural Networks") == 1, title


def test_workflow_calls_make_targets_that_exist():
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    commands = "\n".join(step.get("run", "") for step in steps)
    targets = re.findall(r"\bmake (\w+)", commands)
    makefile = (ROOT / "Makefile").read_text()
    assert "book" in targets
    assert [one for one in targets if not re.search(rf"^{one}:", makefile, re.M)] == []


def test_workflow_pins_the_major_version_of_every_action():
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    used = [step["uses"] for job in jobs.values() for step in job["steps"]
            if "uses" in step]
    assert used
    assert [one for one in used if not re.fullmatch(r"actions/[\w-]+@v\d+", one)] == []


def test_workflow_publishes_what_was_built_at_its_own_address():
    text = WORKFLOW.read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert "BOOK_URL: ${{ steps.pages.outputs.base_url }}/" in text
    assert "path: book/_build/html" in text
    assert jobs["publish"]["permissions"] == {"pages": "write", "id-token": "write"}
    assert jobs["publish"]["needs"] == "build"

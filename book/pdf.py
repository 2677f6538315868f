"""`python -m book.pdf [--output FOLDER]`: the whole book as one PDF, by Chromium.

The built pages are put behind one another in one HTML file: titles, contents, then
each page's article, its ids made its own so that links lead within the file. It is
printed twice, for page numbers are known only when it has been printed once.
Answers are unfolded, the explorers stand still, and the theme is light.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from pypdf import PdfReader, PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from book.build import BOOK, build
from convlab.browser import NoBrowser, find_browser, started

STYLE = Path(__file__).with_name("pdf.css")
REFERRING = ("aria-labelledby", "aria-describedby", "for", "headers")
NAMED_IN_STYLE = re.compile(r"url\(#([^)]+)\)")
FOOTER = ('<div style="width: 100%; text-align: center; font: 8pt sans-serif">'
          '<span class="pageNumber"></span></div>')
HEADINGS = "h1, h2, h3, h4, h5, h6"
WAIT = 300_000  # milliseconds for all formulas of the book
MATHEMATICS_IS_DRAWN = (
    "document.querySelector('mjx-container') || !document.querySelector('.math')")


def prefix(page: str) -> str:
    """What a page's ids begin with in the one file: chapters/pooling -> pooling."""
    return Path(page).stem


def contents(source: Path) -> list[tuple[str, list[str]]]:
    """(caption, pages) for each part; the first page alone, without a caption."""
    toc = yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    return parts + [(part["caption"], [chapter["file"] for chapter in part["chapters"]])
                    for part in toc["parts"]]


def article(html: Path, page: str) -> Tag:
    """A page's article, its ids, links and pictures made to fit into the one file."""
    text = (html / f"{page}.html").read_text(encoding="utf-8")
    found = BeautifulSoup(text, "html.parser").select_one("article.bd-article")
    for link in found.select(".headerlink, .copybtn, script"):
        link.decompose()
    for details in found.select("details"):
        details["open"] = ""
    own = prefix(page)
    for tag in found.find_all(True):
        _make_own(tag, own, html / page)
    found["id"] = own
    return found


def _make_own(tag: Tag, own: str, page: Path) -> None:
    if tag.get("id"):
        tag["id"] = f"{own}--{tag['id']}"
    for name in REFERRING:
        if name in tag.attrs:
            tag[name] = " ".join(f"{own}--{one}" for one in tag[name].split())
    for name, value in tag.attrs.items():
        if isinstance(value, str) and "url(#" in value:
            tag[name] = NAMED_IN_STYLE.sub(rf"url(#{own}--\1)", value)
    if tag.get("src"):
        tag["src"] = (page.parent / unquote(tag["src"])).resolve().as_uri()
    if tag.get("href"):
        tag["href"] = within(tag["href"], own)


def within(link: str, own: str) -> str:
    """A link of page `own`, as it is in the one file.

    >>> within("#sec", "loss"), within("pooling.html#max", "loss")
    ('#loss--sec', '#pooling--max')
    >>> within("../index.html", "loss"), within("https://a.org/", "loss")
    ('#index', 'https://a.org/')
    """
    parts = urlsplit(link)
    if parts.scheme:
        return link
    target = prefix(parts.path) if parts.path else own
    return f"#{target}--{parts.fragment}" if parts.fragment else f"#{target}"


def loads(html: Path, page: str) -> list[str]:
    """The style sheets and the mathematics of a page, as absolute tags."""
    text = (html / f"{page}.html").read_text(encoding="utf-8")
    found = BeautifulSoup(text, "html.parser").select("link[rel=stylesheet], script")
    tags = []
    for tag in found:
        if tag.name == "link" or "mathjax" in str(tag).lower():
            for name in ("href", "src"):
                if tag.get(name):
                    file = (html / page).parent / tag[name].partition("?")[0]
                    tag[name] = file.resolve().as_uri()
            tags.append(str(tag))
    return tags


def one_file(html: Path, source: Path = BOOK) -> str:
    """The whole book as one HTML page. `html` holds the built pages."""
    parts = [(caption, [(page, article(html, page)) for page in pages])
             for caption, pages in contents(source)]
    loaded = dict.fromkeys(tag for _, pages in parts for page, _ in pages
                           for tag in loads(html, page))
    title = escape(yaml.safe_load((source / "_config.yml").read_text())["title"])
    return "".join([
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{title}</title>", *loaded,
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>",
        f'<section class="cover"><h1>{title}</h1></section>',
        listed(parts),
        *(str(found) for _, pages in parts for _, found in pages),
        "</body></html>"])


def listed(parts: Iterable[tuple[str, list[tuple[str, Tag]]]]) -> str:
    """The contents: captions, titles, and a place for each page number."""
    lines = []
    for caption, pages in parts:
        lines += [f"<h2>{escape(caption)}</h2>"] if caption else []
        for page, found in pages:
            name = prefix(page)
            lines.append(
                f'<p><a href="#{name}">{escape(heading(found))}</a>'
                f'<span class="number" data-page="{name}"></span></p>')
    return f'<nav class="contents"><h1>Contents</h1>{"".join(lines)}</nav>'


def heading(found: Tag) -> str:
    return " ".join(found.h1.get_text().split())


def printed(page, numbers: dict[str, int]) -> bytes:
    """The file as PDF, with these numbers in its contents."""
    page.evaluate("""numbers => document.querySelectorAll("[data-page]").forEach(
        one => { one.textContent = numbers[one.dataset.page] ?? "" })""", numbers)
    return page.pdf(prefer_css_page_size=True, print_background=True, outline=True,
                    tagged=True, display_header_footer=True, header_template="<p></p>",
                    footer_template=FOOTER)


def with_bookmarks(pdf: bytes, titles: list[str]) -> bytes:
    """The PDF, its bookmarks named after the headings they stand for.

    Chromium writes the text of a heading twice where a page begins with it.
    """
    writer = PdfWriter(io.BytesIO(pdf), incremental=True)
    marks = list(_below(writer.root_object["/Outlines"]))
    for mark, title in zip(marks, titles, strict=True):
        mark[NameObject("/Title")] = TextStringObject(title)
    kept = io.BytesIO()
    writer.write(kept)
    return kept.getvalue()


def _below(mark: DictionaryObject) -> Iterator[DictionaryObject]:
    """A bookmark's bookmarks and theirs, in the order of the text."""
    child = mark.get("/First")
    while child is not None:
        child = child.get_object()
        yield child
        yield from _below(child)
        child = child.get("/Next")


def starts(pdf: bytes) -> dict[str, int]:
    """On which page, counted from 1, each part that a link leads to begins."""
    reader = PdfReader(io.BytesIO(pdf))
    return {name.lstrip("/"): reader.get_destination_page_number(place) + 1
            for name, place in reader.named_destinations.items()}


def make(html: Path, target: Path, source: Path = BOOK) -> int:
    """Print the built pages to target; how many pages it has. Raises NoBrowser."""
    whole = target.with_suffix(".html")
    whole.write_text(one_file(html, source), encoding="utf-8")
    try:
        with started() as browser:
            page = browser.new_page(color_scheme="light")
            page.set_default_timeout(WAIT)
            page.goto(whole.as_uri())
            page.wait_for_function(MATHEMATICS_IS_DRAWN)
            page.evaluate("window.MathJax?.startup?.promise")
            numbers = starts(printed(page, {}))
            titles = page.eval_on_selector_all(HEADINGS, "all => all.map("
                                               "one => one.innerText.trim())")
            pdf = with_bookmarks(printed(page, numbers), titles)
    finally:
        whole.unlink()
    beside = target.with_suffix(".part")
    beside.write_bytes(pdf)
    os.replace(beside, target)
    return len(PdfReader(io.BytesIO(pdf)).pages)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m book.pdf", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=BOOK / "_build",
                        help="where to build (default: book/_build)")
    output = parser.parse_args(arguments).output.resolve()
    try:
        find_browser()  # a missing one is told before the book is built
        if not build(output):
            print("The book was built with warnings (above): each must be put right.",
                  file=sys.stderr)
            return 1
        target = output / "convolutional-neural-networks.pdf"
        pages = make(output / "html", target)
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{pages} pages, {target.stat().st_size / 1e6:.1f} MB: {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What students made, without what a browser would run or fetch.

Instructors open students' notebooks in formgrader and in feedback: no script,
no style that covers the page, and no picture that calls home gets that far.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from nbconvert.filters import markdown2html
from nbformat.notebooknode import NotebookNode

TAGS = {
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "dd", "del", "details",
    "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "s", "samp", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
ATTRIBUTES = {"alt", "title", "colspan", "rowspan", "width", "height", "open", "scope"}
STYLES = [
    "background-color", "border", "border-collapse", "color", "display", "font-family",
    "font-size", "font-style", "font-weight", "margin", "margin-right", "margin-top",
    "max-width", "overflow-x", "padding", "text-align", "vertical-align", "white-space",
    "width",
]  # fmt: skip
AS_THEY_ARE = {"text/plain", "text/latex", "image/png", "image/jpeg", "image/gif"}
_MARKUP = re.compile(r"<\s*[a-zA-Z!/?]")
# What browsers leave out of an address, and Markdown's own escape.
_IGNORED_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f\\]")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def safe_html(text: str) -> str:
    """HTML reduced to text, tables and pictures that are in the page itself."""
    return bleach.clean(
        text,
        tags=TAGS,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(allowed_css_properties=STYLES),
        strip=True,
    )


def safe_markdown(text: str) -> str:
    """Markdown whose HTML and links are safe; other text stays as it is.

    A link that would run code is found in the page that nbconvert makes, which
    allows it; such a text becomes that page, made safe.
    """
    if _MARKUP.search(text):
        text = safe_html(text)
    if not _may_run(text):
        return text
    page = markdown2html(text.replace("attachment:", "attached-"))
    links = _Links()
    links.feed(page)
    return safe_html(page) if any(map(_may_run, links.found)) else text


def _may_run(text: str) -> bool:
    """Whether a text has an address that runs code, however it is disguised."""
    plain = _IGNORED_IN_ADDRESSES.sub("", html.unescape(text)).lower()
    return any(scheme in plain for scheme in ("javascript:", "vbscript:", "data:"))


class _Links(HTMLParser):
    """The addresses that a page leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "img":
            self.found += [value or "" for name, value in attrs if name == "href"]


def safe_outputs(outputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A cell's outputs with every form removed that a browser would run."""
    return [_safe_output(dict(output)) for output in outputs]


def make_safe(cell: NotebookNode) -> None:
    """Make a student's text cell safe, in place."""
    if cell.cell_type == "markdown":
        cell.source = safe_markdown(cell.source)
    elif cell.cell_type == "raw":
        cell.source = safe_html(cell.source)


def _safe_output(output: dict[str, Any]) -> dict[str, Any]:
    data = output.get("data")
    if not isinstance(data, Mapping):
        return output
    kept = {}
    for kind, content in data.items():
        text = "".join(content) if isinstance(content, list) else content
        if not isinstance(text, str):
            continue
        if kind == "text/html":
            kept[kind] = safe_html(text)
        elif kind == "text/markdown":
            kept[kind] = safe_markdown(text)
        elif kind.startswith("image/") and not _BASE64.fullmatch(text):
            continue
        elif kind in AS_THEY_ARE:
            kept[kind] = text
    return {**output, "data": kept, "metadata": {}}


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img" and name == "src":
        return value.startswith(("data:image/png", "data:image/jpeg"))
    if tag == "a" and name == "href":
        return value.startswith(("http://", "https://", "mailto:", "#"))
    return name == "style" or name in ATTRIBUTES

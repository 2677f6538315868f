"""What students made, without what a browser would run or fetch.

Instructors open students' notebooks in formgrader and in feedback: no script,
no style that covers the page, and no picture that calls home gets that far.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
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
CLEANED = {"text/html", "text/markdown"}
_MARKUP = re.compile(r"<\s*[a-zA-Z!/?]")
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
    """Markdown whose HTML is safe; text without any stays as it is."""
    return safe_html(text) if _MARKUP.search(text) else text


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
        if kind in CLEANED:
            kept[kind] = safe_html(text)
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

"""Formulas of text cells as MathML, which a browser draws by itself.

A feedback page is one file that is sent around: it must not need a script of
two megabytes, nor fetch one.
"""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element

# Code is left alone; $$...$$ before $...$, whose ends touch no space.
_PARTS = re.compile(
    r"(?P<code>```.*?```|`+[^`]+`+)"
    r"|\$\$(?P<block>.+?)\$\$"
    r"|(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$(?![\d$])",
    re.DOTALL,
)
# A formula can carry links and styles; students write some of them.
_ATTRIBUTES = {"display", "xmlns", "mathvariant", "stretchy", "fence", "form",
               "columnalign", "width", "accent", "movablelimits", "separator"}
_MARKDOWN = str.maketrans({mark: f"&#{ord(mark)};" for mark in "*_`[]\\~|"})
_TEXT = re.compile(r"(?<=>)[^<>]+(?=<)")


def with_mathml(markdown: str) -> str:
    """The text with its formulas as MathML; one that cannot be read stays."""
    return _PARTS.sub(_replaced, markdown)


def _replaced(match: re.Match[str]) -> str:
    if match["code"]:
        return match[0]
    kind = "inline" if match["block"] is None else "block"
    try:
        drawn = convert_to_element(match[kind], display=kind)
    except Exception:  # whatever it is that a student typed between dollars
        return match[0]
    for element in drawn.iter():
        for name in set(element.attrib) - _ATTRIBUTES:
            del element.attrib[name]
        element.text = html.unescape(element.text or "")  # it writes + as &#x0002B;
    text = ElementTree.tostring(drawn, encoding="unicode").replace("\n", " ")
    # Nothing that Markdown would read as its own stands between two tags.
    return _TEXT.sub(lambda found: found[0].translate(_MARKDOWN), text)

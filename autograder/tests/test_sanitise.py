"""Students' text in an instructor's browser: nothing that would run."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from nbconvert.filters import markdown2html

from autograder.sanitise import safe_markdown, safe_outputs

DISGUISES = [
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](jav&#97;script:f)",
    "[x](javascript&colon;f)", "[x](<javascript:f>)", "[x](<java\tscript:f>)",
    "[x](&#1;javascript:f)", "[x](javascript\\:f)", "[x]: javascript:f\n\n[x]",
    "[x](vbscript:f)", "[x](data:text/html;base64,PHNjcmlwdD4=)", "<javascript:f>",
    "[![x](a.png)](javascript:f)", "> - [x](javascript:f)", "# [x](javascript:f)",
]  # fmt: skip


class Addresses(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        assert not any(name.startswith("on") for name, _ in attrs)
        self.found += [value for name, value in attrs if name == "href"]


def runs(address: str) -> bool:
    """Whether a browser would run it: it leaves out blanks and control signs."""
    plain = "".join(c for c in address if ord(c) > 32).lower()
    return plain.startswith(("javascript:", "vbscript:", "data:"))


def test_the_disguises_work_where_nothing_is_done():
    dangerous = [
        text for text in DISGUISES
        if any(map(runs, Addresses(markdown2html(text)).found))
    ]  # fmt: skip
    assert len(dangerous) >= 10


@pytest.mark.parametrize("text", DISGUISES)
def test_no_link_runs_code(text):
    page = markdown2html(safe_markdown(text))
    assert not any(map(runs, Addresses(page).found))
    data = {"text/markdown": text}
    (output,) = safe_outputs([{"output_type": "display_data", "data": data}])
    page = markdown2html(output["data"]["text/markdown"])
    assert not any(map(runs, Addresses(page).found))


@pytest.mark.parametrize(
    "text",
    ["plain", "The data: 3 < 4, and $a < 4$.", "[x](https://example.org)",
     "`javascript:f` is shown", "| a | b |\n|---|---|\n| data: | 2 |"],
)  # fmt: skip
def test_other_text_stays_as_it_is(text):
    assert safe_markdown(text) == text

"""What would take a page hours to make is shown in short, as plain text.

The libraries that make pages read some texts again for each mark in them: a
hundred thousand nested tags, brackets or terminal codes would hold up the pages of
a whole class. And a picture that was lost on its way would end the making of its page.
Nothing is run or judged here, and no score depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from nbformat.notebooknode import NotebookNode

# The most of each in one text, and ten times as much in a notebook.
MOST = {"<": 2_000, "[": 5_000, "\\begin": 100, "\x1b": 500}
NOTEBOOK = 10
LETTERS = 200_000  # of a text that is read as markup
SHOWN = 2_000  # characters of what is too much
RICH = ("text/html", "text/markdown", "text/latex")
NOTE = "[Too much markup to be shown; it begins:]\n"
ATTACHED = "attachment:"
_ATTACHED = re.compile(re.escape(ATTACHED), re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))?")


class Effort:
    """What is left of the effort that may go into one notebook's pages."""

    def __init__(self) -> None:
        self.left = {mark: NOTEBOOK * most for mark, most in MOST.items()}

    def limit_text(self, cell: NotebookNode) -> None:
        """Make a text cell short, in place, if it is too much."""
        cell.source = without_lost(cell.source, cell.get("attachments", {}))
        if not self._takes(cell.source, LETTERS * NOTEBOOK):
            cell.pop("attachments", None)
            begins = _begins(cell.source).replace("~~~", "")
            cell.source = f"{NOTE}\n~~~~\n{begins}\n~~~~"

    def limited(self, outputs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """A cell's outputs, those that are too much in short."""
        return [self._limited(dict(output)) for output in outputs]

    def _limited(self, output: dict[str, Any]) -> dict[str, Any]:
        if "data" in output:
            output["data"] = dict(self._bundle(output["data"]))
        for name in ("text", "traceback", "evalue"):
            if name in output:
                output[name] = self._plain(output[name])
        return output

    def _bundle(self, data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        for kind, content in data.items():
            text = "".join(content) if isinstance(content, list) else content
            if kind == "text/plain":
                yield kind, self._plain(text)
            elif kind not in RICH:
                yield kind, content
            elif self._takes(str(text), LETTERS):
                yield kind, without_lost(str(text), ())
            elif "text/plain" not in data:
                yield "text/plain", NOTE + _begins(str(text))

    def _plain(self, text: Any) -> Any:
        if isinstance(text, list):
            return [self._plain(one) for one in text]
        if not isinstance(text, str) or "\x1b" not in text:
            return text
        return text if self._takes(text, len(text)) else _ESCAPES.sub("", text)

    def _takes(self, text: str, letters: int) -> bool:
        """Whether a text is little enough; what it takes is gone."""
        counts = {mark: text.count(mark) for mark in MOST}
        fits = len(text) <= letters and all(
            count <= min(MOST[mark], self.left[mark]) for mark, count in counts.items()
        )
        if fits:
            for mark, count in counts.items():
                self.left[mark] -= count
        return fits


def without_lost(text: str, attachments: Collection[str]) -> str:
    """Markdown without references to attachments that are not there.

    nbconvert stops at one: a picture is easily lost where a cell is copied.
    """
    there = tuple(f"{ATTACHED}{name}" for name in attachments)
    return _ATTACHED.sub(
        lambda found: found.group()
        if text.startswith(there, found.start())
        else "lost-picture-",
        text,
    )


def _begins(text: str) -> str:
    return _ESCAPES.sub("", text[:SHOWN])

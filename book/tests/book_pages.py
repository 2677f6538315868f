"""Which pages there are: their sources, and where each is built."""

from __future__ import annotations

from pathlib import Path

from book.build import BOOK
from book.extension.slides import in_contents


def sources() -> list[Path]:
    """Every page's source, in the order of the book."""
    return in_contents(BOOK)


def chapters() -> list[Path]:
    """The sources of all chapters."""
    return [source for source in sources() if source.parent.name == "chapters"]


def page_of(source: Path) -> str:
    """A source's page, relative to the built folder."""
    return source.relative_to(BOOK).with_suffix(".html").as_posix()


PAGES = [page_of(source) for source in sources()]

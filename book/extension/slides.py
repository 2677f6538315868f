"""The lecture slide by slide: `{slides-table}` links each to what covers it.

A chapter's front matter says which of its sections cover which slides:

    slides: {20-21: an-image-is-a-volume, 22: on-numbers}

where `an-image-is-a-volume` is the label above a heading of that chapter. What
is on a slide, in our own words, stands in book/slides.yml, in MyST.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.docutils import SphinxDirective

LECTURE = range(1, 67)  # its slides
Section = tuple[str, str]  # (page, label): ("chapters/loss", "the-softmax")
WHOLE_PAGE = ""  # in the place of a label
SLIDES = "slides.yml"
# A lone 22 in front of a colon is a number in YAML, but what a notebook's metadata
# are keyed by must be text.
BLOCK = re.compile(r"^slides:.*?(?=^\S|\Z)", re.DOTALL | re.MULTILINE)
LONE_NUMBER = re.compile(r"(?<![\w\"'-])(\d+)(?=\s*:)")


def front_matter(page: str) -> dict:
    """The YAML block that a page opens with; empty where there is none."""
    return yaml.safe_load(page.split("---", 2)[1]) if page.startswith("---") else {}


def by_slide(ranges: Mapping[object, str]) -> list[tuple[int, str]]:
    """(slide, what the range says) for each slide of "20-21" and 22, in order.

    >>> by_slide({"20-21": "a", 22: "b"})
    [(20, 'a'), (21, 'a'), (22, 'b')]
    """
    found = []
    for slides, said in ranges.items():
        first, _, last = str(slides).partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or not set(numbers) <= set(LECTURE):
            raise ValueError(f"slides {slides}: the lecture has slides "
                             f"{LECTURE[0]} to {LECTURE[-1]}")
        found += [(number, said) for number in numbers]
    return found


def on_slides(folder: Path) -> dict[int, str]:
    """What is on each slide, from slides.yml."""
    told = yaml.safe_load((folder / SLIDES).read_text(encoding="utf-8"))
    return dict(by_slide(told))


def coverage(pages: list[Path], folder: Path) -> dict[int, list[Section]]:
    """The sections that cover each slide, in the order of the pages."""
    covered: dict[int, list[Section]] = {}
    for page in pages:
        name = page.relative_to(folder).with_suffix("").as_posix()
        slides = front_matter(page.read_text(encoding="utf-8")).get("slides", {})
        for number, label in by_slide(slides):
            covered.setdefault(number, []).append((name, label))
    return covered


def in_contents(folder: Path) -> list[Path]:
    """The pages of the book, in the order of its contents."""
    contents = yaml.safe_load((folder / "_toc.yml").read_text(encoding="utf-8"))
    chapters = contents.get("chapters", []) + [
        chapter for part in contents.get("parts", []) for chapter in part["chapters"]]
    names = [contents["root"], *(chapter["file"] for chapter in chapters)]
    return [folder / f"{name}.md" for name in names]


def rows(told: Mapping[int, str], covered: Mapping[int, list[Section]]
         ) -> list[tuple[str, str, list[Section]]]:
    """(slides, what is on them, sections), one row for neighbours that agree."""
    def said(number: int) -> tuple[str, list[Section]]:
        return told[number], covered.get(number, [])

    made = []
    for (text, sections), run in groupby(sorted(told), key=said):
        first, *rest = run
        slides = f"{first}-{rest[-1]}" if rest else f"{first}"
        made.append((slides, text, sections))
    return made


class SlidesTable(SphinxDirective):
    """`{slides-table}`: slides, what is on them, the sections that cover them."""

    def run(self):
        folder = Path(self.env.srcdir)
        pages = in_contents(folder)
        for source in [folder / SLIDES, folder / "_toc.yml", *pages]:
            self.env.note_dependency(str(source))
        head = [nodes.Text(title) for title in ("Slides", "What is on them", "Here")]
        covered = coverage(pages, folder)
        body = [[nodes.Text(slides), self.parsed(text), self.links(sections)]
                for slides, text, sections in rows(on_slides(folder), covered)]
        return [table(head, body, widths=(12, 48, 40))]

    def parsed(self, text: str) -> nodes.Node:
        inline = nodes.inline()
        inline += self.parse_inline(text)[0]
        return inline

    def links(self, sections: list[Section]) -> nodes.Node:
        """Chapter: section, as links; -n -W refuses a label that is nowhere."""
        cell = nodes.inline()
        for page, label in sections:
            if cell.children:
                cell += nodes.Text("; ")
            cell += self.link("doc", f"/{page}")
            if label != WHOLE_PAGE:
                cell += nodes.Text(": ")
                cell += self.link("ref", label)
        return cell

    def link(self, kind: str, target: str) -> pending_xref:
        """What {doc} or {ref} would make: the title of what is there, as a link."""
        link = pending_xref(
            "", nodes.inline(), refdomain="std", reftype=kind, reftarget=target,
            refexplicit=False, refwarn=True, refdoc=self.env.docname)
        self.set_source_info(link)
        return link


def table(head: list[nodes.Node], body: list[list[nodes.Node]],
          widths: tuple[int, ...]) -> nodes.table:
    """A docutils table of inline cells."""
    def row(cells: list[nodes.Node]) -> nodes.row:
        made = nodes.row()
        for cell in cells:
            made += nodes.entry("", nodes.paragraph("", "", cell))
        return made

    group = nodes.tgroup(cols=len(widths))
    group += [nodes.colspec(colwidth=width) for width in widths]
    group += nodes.thead("", row(head))
    group += nodes.tbody("", *map(row, body))
    return nodes.table("", group, classes=["slides"])


def quote_lone_slides(app, docname, source):
    """Let authors write `22: label`, lines staying where they are."""
    if source[0].startswith("---"):
        _, front, page = source[0].split("---", 2)
        front = BLOCK.sub(lambda block: LONE_NUMBER.sub(r'"\1"', block[0]), front)
        source[0] = f"---{front}---{page}"


def setup(app):
    app.add_directive("slides-table", SlidesTable)
    app.connect("source-read", quote_lone_slides)

"""A small SVG writer: shapes in, a string out, the same bytes every time.

Colours come from the palette and are mid-tones that stand out on white and on
near-black; text and thin lines use `currentColor`, so they follow the theme.
One unit is one CSS pixel, and text is never below 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

Point = tuple[float, float]

TEXT = 14  # font size of a label, in pixels
SMALL = 12  # and of a note


@dataclass(frozen=True)
class Drawing:
    """A finished picture: its SVG text and what it says to who can't see it."""

    svg: str
    alt: str
    width: int


def number(value: float) -> str:
    """At most two decimals, no trailing zeros: 12.50 -> "12.5"."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


@dataclass
class Canvas:
    """Collects shapes; `finish` wraps them into one accessible <svg>."""

    width: int
    height: int
    parts: list[str] = field(default_factory=list)

    def polygon(self, points: Sequence[Point], colour: str | None = None,
                fill: float = 0.16, stroke: float = 1.5, dash: str = "") -> None:
        """A closed shape: outlined in colour, filled with `fill` of it."""
        colour = colour or "currentColor"
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.parts.append(
            f'<polygon points="{path}" fill="{colour}" '
            f'fill-opacity="{number(fill)}" stroke="{colour}" '
            f'stroke-width="{number(stroke)}" stroke-linejoin="round"'
            f'{_dash(dash)}/>')

    def box(self, x: float, y: float, width: float, height: float,
            colour: str | None = None, **style) -> None:
        self.polygon([(x, y), (x + width, y), (x + width, y + height),
                      (x, y + height)], colour, **style)

    def line(self, start: Point, end: Point, colour: str | None = None,
             stroke: float = 1.0, dash: str = "", opacity: float = 1.0) -> None:
        (x1, y1), (x2, y2) = start, end
        self.parts.append(
            f'<line x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" '
            f'y2="{number(y2)}" stroke="{colour or "currentColor"}" '
            f'stroke-width="{number(stroke)}" '
            f'stroke-opacity="{number(opacity)}"{_dash(dash)}/>')

    def path(self, points: Sequence[Point], colour: str | None = None,
             stroke: float = 2.5, dash: str = "") -> None:
        """An open line through all of the points."""
        colour = colour or "currentColor"
        through = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.parts.append(
            f'<polyline points="{through}" fill="{colour}" fill-opacity="0" '
            f'stroke="{colour}" stroke-width="{number(stroke)}" '
            f'stroke-linejoin="round"{_dash(dash)}/>')

    def arrow(self, start: Point, end: Point, colour: str | None = None) -> None:
        """A straight arrow, horizontal or vertical, with its head at the end."""
        (x1, y1), (x2, y2) = start, end
        length = abs(x2 - x1) + abs(y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        self.line(start, (x2 - 6 * ux, y2 - 6 * uy), colour, stroke=1.5)
        head = [(x2, y2), (x2 - 9 * ux + 4 * uy, y2 - 9 * uy + 4 * ux),
                (x2 - 9 * ux - 4 * uy, y2 - 9 * uy - 4 * ux)]
        self.polygon(head, colour, fill=1, stroke=0)

    def text(self, x: float, y: float, text: object, size: int = TEXT,
             anchor: str = "middle", bold: bool = False) -> None:
        """A label whose baseline is at y."""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{number(x)}" y="{number(y)}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight} fill="currentColor">'
            f'{escape(str(text))}</text>')

    def finish(self, alt: str) -> Drawing:
        """The picture as <svg role="img">, with alt as its name."""
        alt = " ".join(alt.split())
        svg = (f'<svg xmlns="http://www.w3.org/2000/svg" role="img" '
               f'aria-label="{escape(alt)}" width="{self.width}" '
               f'height="{self.height}" viewBox="0 0 {self.width} {self.height}">'
               + "".join(self.parts) + "</svg>")
        return Drawing(svg, alt, self.width)


def _dash(pattern: str) -> str:
    return f' stroke-dasharray="{pattern}"' if pattern else ""

"""Figures: `{drawn}` calls a function of `book.figures` and shows its SVG.

    ```{drawn} positions(7, 3, stride=2)
    :name: fig-stride-2
    The caption, in MyST, with {calc}`...` where a number is computed.
    ```

The argument is an expression over `book.figures` and the page's own names
(see `calc`); it gives one Drawing, or a list of them that sit side by side
and wrap on a narrow screen. The SVG goes into the page itself, not beside it:
so its text takes the colour and font of the theme, light or dark, can be
selected, found and enlarged, and needs no second file. The alternative text is
written by the function that drew the figure, from the same numbers.
"""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from book import figures

from .calc import evaluate, page_names

logger = logging.getLogger(__name__)

LEAST_SCALE = 0.82  # text of 14 pixels stays above 11


class Drawn(SphinxDirective):
    """`{drawn}`: a numbered figure with a caption, drawn by code."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"name": directives.unchanged}
    functions = figures.FIGURES

    def run(self):
        try:
            made = evaluate(self.arguments[0],
                            {**page_names(self.env), **self.functions})
        except Exception as error:
            logger.warning("{%s} %s: %s: %s", self.name, self.arguments[0],
                           type(error).__name__, error,
                           location=self.get_location())
            return []
        figure = nodes.figure(classes=["drawing"])
        self.set_source_info(figure)
        figure += nodes.raw("", self.html(made), format="html")
        caption = nodes.caption()
        inline, _ = self.parse_inline("\n".join(self.content))
        caption += inline
        figure += caption
        self.add_name(figure)
        return [figure]

    def html(self, made: figures.Drawing | list[figures.Drawing]) -> str:
        return side_by_side(made if isinstance(made, list) else [made])


def side_by_side(drawings: list[figures.Drawing]) -> str:
    """Drawings that wrap on a narrow screen."""
    parts = "".join(f'<div class="drawing-part">{_shrinkable(drawing)}</div>'
                    for drawing in drawings)
    return f'<div class="drawing-parts">{parts}</div>'


def _shrinkable(drawing: figures.Drawing) -> str:
    """The SVG, told how narrow it may get before it scrolls instead."""
    least = round(drawing.width * LEAST_SCALE)
    return drawing.svg.replace("<svg ", f'<svg style="min-width: {least}px" ', 1)


def setup(app):
    app.add_directive("drawn", Drawn)

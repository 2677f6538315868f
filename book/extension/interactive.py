"""Interactive figures: `{interactive}` places one of the three explorers.

    ```{interactive} convolution_explorer(x, w)
    :name: fig-convolution-explorer
    The caption, as for {drawn}.
    ```

The argument is an expression over the functions below and the page's own names.
Each gives the numbers that its script starts from, computed and checked when the
page is built, and a still: what a reader sees where scripts do not run. The
scripts, plain JavaScript under book/interactive/, are copied into the site and
loaded by the pages that use them alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sphinx.util.fileutil import copy_asset

from book import figures
from book.figures import palette
from book.figures.numbers import Matrix
from convlab.architecture import parse, trace_architecture
from convlab.arithmetic import Row, Shape, times

from .drawn import Drawn, side_by_side

FOLDER = Path(__file__).resolve().parent.parent / "interactive"
STYLE = "interactive/explorers.css"
SCRIPTS = {  # in the order in which they need each other
    "convolution": ("arithmetic", "parts", "numbers", "walk", "convolution"),
    "pooling": ("arithmetic", "parts", "numbers", "walk", "pooling"),
    "architecture": ("arithmetic", "parts", "architecture", "calculator"),
}
COLOURS = {"input": palette.INPUT, "filter": palette.FILTER,
           "output": palette.OUTPUT, "problem": palette.PROBLEM}


@dataclass(frozen=True)
class Explorer:
    """One interactive figure: which, what it starts from, and its still as HTML."""

    kind: str
    settings: dict
    still: str


@dataclass(frozen=True)
class Example:
    """A network to start the calculator from."""

    name: str
    architecture: str
    shape: Shape
    classes: int


# Published networks in the lecture's pattern. What it can't say is left out:
# LeNet-5's partly connected second layer and scaled pooling, AlexNet's two groups.
EXAMPLES = (
    Example("LeNet-5", "CONV{6 size=5 pad=0}-RELU-POOL{average}-CONV{16 size=5 pad=0}"
            "-RELU-POOL{average}-FC{120}-RELU-FC{84}-RELU,SOFTMAX", (32, 32, 1), 10),
    Example("The lecture's pattern, N = 2, M = 3, K = 1",
            "[(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX", (32, 32, 3), 10),
    Example("AlexNet", "CONV{96 size=11 stride=4 pad=0}-RELU-POOL{3 stride=2}"
            "-CONV{256 size=5}-RELU-POOL{3 stride=2}-(CONV{384}-RELU)*2-CONV{256}"
            "-RELU-POOL{3 stride=2}-(FC{4096}-RELU)*2,SOFTMAX", (227, 227, 3), 1000),
    Example("VGG-16", "(CONV{64}-RELU)*2-POOL-(CONV{128}-RELU)*2-POOL"
            "-(CONV{256}-RELU)*3-POOL-[(CONV{512}-RELU)*3-POOL]*2"
            "-(FC{4096}-RELU)*2,SOFTMAX", (224, 224, 3), 1000),
)


def convolution_explorer(x: Matrix, w: Matrix, bias: int = 0, row: int = 0,
                         column: int = 0) -> Explorer:
    """A filter over an input, one position at a time, the sum written out."""
    still = figures.one_position(x, w, row, column)
    return Explorer("convolution", {"x": x, "w": w, "bias": bias, "row": row,
                                    "column": column}, side_by_side([still]))


def pooling_explorer(x: Matrix, size: int = 2, stride: int = 2, row: int = 0,
                     column: int = 0) -> Explorer:
    """Max and average pooling, one window at a time."""
    still = figures.pooling(x, size, stride, row, column)
    return Explorer("pooling", {"x": x, "size": size, "stride": stride, "row": row,
                                "column": column}, side_by_side([still]))


def architecture_calculator(examples: Sequence[Example] = EXAMPLES) -> Explorer:
    """The lecture's pattern in, a table of layers out; starts with the first."""
    traced = [trace_architecture(one.architecture, one.shape, one.classes)
              for one in examples]
    first = examples[0]
    drawing = figures.sequence(first.shape, parse(first.architecture, first.classes))
    settings = {"examples": [vars(one) for one in examples]}
    return Explorer("architecture", settings,
                    side_by_side([drawing]) + _table(first, traced[0]))


def _table(example: Example, rows: Sequence[Row]) -> str:
    """A network's layers as the calculator's script shows them, without scripts."""
    def line(tag: str, *cells: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"

    body = [line("td", type(row.layer).__name__.upper(), times(row.output_shape),
                 times(row.receptive_field) if row.receptive_field else "everything",
                 f"{row.parameters:,}", f"{row.macs:,}") for row in rows]
    total = line("td", "total", "", "", f"{sum(row.parameters for row in rows):,}",
                 f"{sum(row.macs for row in rows):,}")
    head = line("th", "layer", "output", "sees", "parameters", "MACs")
    title = f"{escape(example.name)}: <code>{escape(example.architecture)}</code>"
    return (f"<p>{title}</p>"
            f'<div class="drawing-part"><table class="explorer-layers"><thead>{head}'
            f"</thead><tbody>{''.join(body)}{total}</tbody></table></div>")


EXPLORERS = {item.__name__: item for item in (
    architecture_calculator, convolution_explorer, pooling_explorer)}


class Interactive(Drawn):
    """`{interactive}`: a numbered figure that a script brings to life."""

    functions = EXPLORERS

    def html(self, explorer: Explorer) -> str:
        colours = ";".join(f"--{name}:{value}" for name, value in COLOURS.items())
        return (f'<div class="explorer" data-explorer="{explorer.kind}" '
                f'data-settings="{escape(json.dumps(explorer.settings))}" '
                f'style="{colours}">{explorer.still}</div>')


def copy_scripts(app):
    """Before pages are written, so that Sphinx can tag a script with its contents."""
    if app.builder.format == "html":
        copy_asset(FOLDER, Path(app.outdir, "_static/interactive"))


def load_scripts(app, pagename, templatename, context, doctree):
    kinds = re.findall(r'data-explorer="(\w+)"', context.get("body", ""))
    names = [name for kind in kinds for name in SCRIPTS[kind]]
    for name in dict.fromkeys(names):
        app.add_js_file(f"interactive/{name}.js", loading_method="defer")
    if kinds:
        app.add_css_file(STYLE)


def setup(app):
    app.add_directive("interactive", Interactive)
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", load_scripts)

"""Numbers in the text: computed when the page is built, never typed.

A page opens with a block that holds what is given (the only place where a
number is typed) and what follows from it, in Python with every public name of
`convlab.arithmetic`, `parse` for architecture strings, the networks of
`published`, and `recorded(name)` for a run on record:

    ```{numbers}
    image = (32, 32, 3)
    layer = Conv(filters=6, size=5)
    maps = layer.output_shape(image)
    ```

The block prints nothing. The text then uses its names, or any expression of
them:

    Six filters turn {calc}`image` into {calc}`maps`: {calc}`numbers_in(maps)`
    numbers.

which reads "Six filters turn 32x32x3 into 28x28x6: 4,704 numbers". An
expression that fails is a warning, and a warning fails the build. A number
given in the block may also be typed in the text as it stands ("a 32x32x3
image"); `book.stated` finds any other, and the tests refuse it.
"""

from __future__ import annotations

import ast
from fractions import Fraction

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from book.recording import recorded
from convlab import architecture, arithmetic, published

logger = logging.getLogger(__name__)

_BUILTINS = {f.__name__: f for f in (
    abs, float, int, len, list, max, min, range, round, sum, tuple, zip)}


def new_names() -> dict:
    """A page's names before its first block.

    Builtins, all of convlab.arithmetic, `parse` of architecture strings, `published`
    for the networks of papers, `recorded` for runs.
    """
    public = {name: value for name, value in vars(arithmetic).items()
              if not name.startswith("_")}
    return {"__builtins__": _BUILTINS, **public, "parse": architecture.parse,
            "published": published, "recorded": recorded}


def run_block(source: str, names: dict) -> None:
    """Run the assignments of a `{numbers}` block, adding to names."""
    exec(compile(source, "<numbers>", "exec"), names)


def evaluate(expression: str, names: dict) -> object:
    """The value of one expression, which may span lines."""
    tree = ast.parse(expression.strip(), "<calc>", "eval")
    return eval(compile(tree, "<calc>", "eval"), names)


def written(value: object) -> str:
    """A value as the book writes it.

    >>> written(3072), written((28, 28, 6)), written(Fraction(7, 3)), written([1, 7])
    ('3,072', '28x28x6', '2.33', '1, 7')
    """
    if isinstance(value, tuple):
        return arithmetic.times(value)
    if isinstance(value, list):
        return ", ".join(map(written, value))
    if isinstance(value, Fraction) and value.denominator == 1:
        value = int(value)
    if isinstance(value, Fraction | float):
        return f"{float(value):,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    raise TypeError(f"no way to write a {type(value).__name__}: {value!r}")


def page_names(env) -> dict:
    """The names of the page that is being read."""
    return env.temp_data.setdefault("book_numbers", new_names())


class Numbers(SphinxDirective):
    """`{numbers}`: what a page is given and what follows from it."""

    has_content = True

    def run(self):
        try:
            run_block("\n".join(self.content), page_names(self.env))
        except Exception as error:
            logger.warning("{numbers} block: %s: %s", type(error).__name__, error,
                           location=self.get_location())
        return []


class Calc(SphinxRole):
    """`{calc}`: the value of an expression, written into the text."""

    def run(self):
        try:
            text = written(evaluate(self.text, page_names(self.env)))
        except Exception as error:
            logger.warning("{calc}`%s`: %s: %s", self.text, type(error).__name__,
                           error, location=self.get_location())
            text = "?"
        return [nodes.Text(text)], []


def setup(app):
    app.add_directive("numbers", Numbers)
    app.add_role("calc", Calc())

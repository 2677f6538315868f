"""The code that draws the book's figures: every public function is a figure.

A figure is a function of numbers. It computes what follows from them with
`convlab.arithmetic` (so it refuses sizes that do not fit), draws with
`figures.svg`, and writes its own alternative text. Pages call it by name in a
`{drawn}` directive.
"""

from .charts import shrinking
from .grids import coverage, padding, positions
from .numbers import dot_product, one_position
from .pooling import pooling
from .svg import Drawing
from .volumes import activation_map, filter_bank, sequence

FIGURES = {function.__name__: function for function in (
    activation_map, coverage, dot_product, filter_bank, one_position, padding,
    pooling, positions, sequence, shrinking)}

__all__ = ["FIGURES", "Drawing", *FIGURES]

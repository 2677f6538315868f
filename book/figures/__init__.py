"""The code that draws the book's figures: every public function is a figure.

A figure is a function of numbers. It computes what follows from them with
`convlab.arithmetic` (so it refuses sizes that do not fit), draws with
`figures.svg`, and writes its own alternative text. Pages call it by name in a
`{drawn}` directive.
"""

from .charts import shrinking
from .connections import moved, weight_table, wires
from .grids import coverage, padding, positions
from .heads import anchors, captioned, every_pixel, neighbours, pose, two_streams
from .numbers import dot_product, one_position
from .pooling import pooling, pooling_gradient, shifted_pooling
from .stretching import matrix_times_vector, stretching
from .svg import Drawing
from .volumes import activation_map, filter_bank, sequence
from .whole import budget, image_to_scores, ladder

FIGURES = {function.__name__: function for function in (
    activation_map, anchors, budget, captioned, coverage, dot_product, every_pixel,
    filter_bank, image_to_scores, ladder, matrix_times_vector, moved, neighbours,
    one_position, padding, pooling, pooling_gradient, pose, positions, sequence,
    shifted_pooling, shrinking, stretching, two_streams, weight_table, wires)}

__all__ = ["FIGURES", "Drawing", *FIGURES]

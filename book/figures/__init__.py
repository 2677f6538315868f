"""The code that draws the book's figures: every public function is a figure.

A figure is a function of numbers. It computes what follows from them with
`convlab.arithmetic` (so it refuses sizes that do not fit), draws with
`figures.svg`, and writes its own alternative text. Pages call it by name in a
`{drawn}` directive.
"""

from .charts import shrinking
from .connections import moved, weight_table, wires
from .costs import costs
from .gradients import (
    input_gradient,
    small_graph,
    step_errors,
    there_and_back,
    weight_gradient,
)
from .grids import coverage, padding, positions
from .heads import anchors, captioned, every_pixel, neighbours, pose, two_streams
from .loss import pull, scores_to_probabilities, surprise, tempered
from .memory import chunk_rows, memory_order
from .networks import (
    block,
    comparison,
    last_places,
    partial_connections,
    profile,
    two_gpus,
)
from .neurons import same_region
from .numbers import dot_product, one_position
from .pointwise import pixel
from .pooling import pooling, pooling_gradient, shifted_pooling
from .runs import errors_by_epoch
from .speed import by_size, roofline, speeds
from .stacks import paths, reach, stacked_windows
from .stretching import matrix_times_vector, stretching
from .svg import Drawing
from .volumes import activation_map, filter_bank, sequence
from .whole import budget, image_to_scores, ladder

FIGURES = {function.__name__: function for function in (
    activation_map, anchors, block, budget, by_size, captioned, chunk_rows,
    comparison, costs, coverage, dot_product, errors_by_epoch, every_pixel,
    filter_bank, image_to_scores, input_gradient, ladder, last_places,
    matrix_times_vector, memory_order, moved, neighbours, one_position, padding,
    partial_connections, paths, pixel, pooling, pooling_gradient, pose, positions,
    profile, pull, reach, roofline, same_region, scores_to_probabilities, sequence,
    shifted_pooling, shrinking, small_graph, speeds, stacked_windows, step_errors,
    stretching, surprise, tempered, there_and_back, two_gpus, two_streams,
    weight_gradient, weight_table, wires)}

__all__ = ["FIGURES", "Drawing", *FIGURES]

"""The code that draws the book's figures: every public function is a figure.

A figure is a function of numbers. It computes what follows from them with
`convlab.arithmetic` (so it refuses sizes that do not fit), draws with
`figures.svg`, and writes its own alternative text. Pages call it by name in a
`{drawn}` directive.
"""

from .charts import shrinking
from .connections import moved, weight_table, wires
from .costs import costs
from .deep import (
    fading_gradients,
    sound_to_states,
    unrolling,
    up_down_up,
    ways_to_begin,
)
from .early import blame, mark_one, perceptron_line
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
from .memory import chunk_rows, held_sums, memory_order
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
from .training import accuracies, by_class, losses, one_epoch, schedules, valley
from .volumes import activation_map, filter_bank, sequence
from .way_back import stamps, up_and_back
from .whole import budget, image_to_scores, ladder

FIGURES = {function.__name__: function for function in (
    accuracies, activation_map, anchors, blame, block, budget, by_class, by_size,
    captioned, chunk_rows, comparison, costs, coverage, dot_product, errors_by_epoch,
    every_pixel, fading_gradients, filter_bank, held_sums, image_to_scores,
    input_gradient, ladder, last_places, losses, mark_one, matrix_times_vector,
    memory_order, moved, neighbours, one_epoch, one_position, padding,
    partial_connections, paths, perceptron_line, pixel, pooling, pooling_gradient, pose,
    positions, profile, pull, reach, roofline, same_region, schedules,
    scores_to_probabilities, sequence, shifted_pooling, shrinking, small_graph,
    sound_to_states, speeds, stacked_windows, stamps, step_errors, stretching, surprise,
    tempered, there_and_back, two_gpus, two_streams, unrolling, up_and_back, up_down_up,
    valley, ways_to_begin, weight_gradient, weight_table, wires)}

__all__ = ["FIGURES", "Drawing", *FIGURES]

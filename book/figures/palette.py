"""The course's colours, by the role that each has in the book's figures.

They are convlab.plotting's: mid-tones for colour-blind readers, each with a
contrast of at least 3:1 with white and with the dark theme's background. In every
figure the input is blue, the filter orange, the output green.
"""

from convlab.plotting import PALETTE, WRONG

INPUT, FILTER, OUTPUT, EXTRA = PALETTE[:4]
PADDING = "#8a8f98"  # zeros around the input
PROBLEM = WRONG      # what does not fit

# One colour a filter, in the order in which figures number them.
FILTERS = (FILTER, EXTRA, OUTPUT, INPUT, *PALETTE[4:])

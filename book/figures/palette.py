"""The book's colours: one for each role, the same in every figure.

After Okabe and Ito's set for colour-blind readers. All are mid-tones: each has
a contrast of at least 3:1 with white and with the dark theme's background,
which the tests check.
"""

INPUT = "#3b82c4"    # what goes into a layer
FILTER = "#d9641a"   # a filter, or the window it covers
OUTPUT = "#1b9a72"   # what comes out of a layer
PADDING = "#8a8f98"  # zeros around the input
PROBLEM = "#d6336c"  # what does not fit
EXTRA = "#9b6bd3"    # one role more

# One colour a filter, in the order in which figures number them.
FILTERS = (FILTER, EXTRA, OUTPUT, INPUT, "#b07d12", PROBLEM)

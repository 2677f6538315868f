"""The library that the book, the notebooks and the grader share.

Nothing is imported here: `convlab.arithmetic` needs no numpy, and a student's
kit leaves `convlab.layers` out, so each module is imported by name.
"""

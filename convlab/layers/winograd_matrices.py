"""The matrices of Winograd's convolution, by a column.

Each function multiplies the column with a matrix that `winograd` describes, and adds up
once what its rows have in common. A column is a tuple of numbers, as `TAKE` takes them
from an array and `PUT` puts them into one: all of it comes down to loads, sums and
stores once it is compiled into a kernel.

A kernel is compiled for some of them, and kept on disk under what it was compiled for.
So they are plain functions, which have the same name in each process; `compiled` ones
have a new one each time. Those kept on disk do not notice a change in this file: delete
`__pycache__` after one.
"""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

# Of float32, since a product of a whole number and a float32 is a float64.
ONE_3RD, ONE_4TH, ONE_6TH = np.float32(1 / 3), np.float32(1 / 4), np.float32(1 / 6)
ONE_12TH, ONE_24TH = np.float32(1 / 12), np.float32(1 / 24)
TWO_3RDS = np.float32(2 / 3)
TWO, FOUR, FIVE, EIGHT = np.float32(2), np.float32(4), np.float32(5), np.float32(8)


@register_jitable(inline="always")
def b_turned(column):
    """B' d."""
    d0, d1, d2, d3, d4, d5 = column
    even, odd = d4 - FOUR * d2, d3 - FOUR * d1
    near, far = d4 - d2, TWO * (d3 - d1)
    return (FOUR * d0 - FIVE * d2 + d4, even + odd, even - odd, near + far, near - far,
            FOUR * d1 - FIVE * d3 + d5)


@register_jitable(inline="always")
def four_outputs(column):
    """A' m of filters of 3."""
    m0, m1, m2, m3, m4, m5 = column
    near, near_apart = m1 + m2, m1 - m2
    far, far_apart = m3 + m4, m3 - m4
    return (m0 + near + far, near_apart + TWO * far_apart, near + FOUR * far,
            near_apart + EIGHT * far_apart + m5)


@register_jitable(inline="always")
def two_outputs(column):
    """A' m of filters of 5."""
    m0, m1, m2, m3, m4, m5 = column
    return m0 + m1 + m2 + m3 + m4, m1 - m2 + TWO * (m3 - m4) + m5


@register_jitable(inline="always")
def of_four_outputs(column):
    """A dy of filters of 3; the second number is the sum of all."""
    y0, y1, y2, y3 = column
    even, odd = y0 + y2, y1 + y3
    far_even, far_odd = y0 + FOUR * y2, TWO * y1 + EIGHT * y3
    return (y0, even + odd, even - odd, far_even + far_odd, far_even - far_odd, y3)


@register_jitable(inline="always")
def of_two_outputs(column):
    """A dy of filters of 5; the second number is the sum of both."""
    y0, y1 = column
    far = TWO * y1
    return y0, y0 + y1, y0 - y1, y0 + far, y0 - far, y1


@register_jitable(inline="always")
def of_three_weights(column):
    """G g."""
    g0, g1, g2 = column
    even, odd = ONE_6TH * (g0 + g2), ONE_6TH * g1
    far_even, far_odd = ONE_24TH * g0 + ONE_6TH * g2, ONE_12TH * g1
    return (ONE_4TH * g0, -even - odd, odd - even, far_even + far_odd,
            far_even - far_odd, g2)


@register_jitable(inline="always")
def of_five_weights(column):
    """G g of filters of 5."""
    g0, g1, g2, g3, g4 = column
    even, odd = ONE_6TH * (g0 + g2 + g4), ONE_6TH * (g1 + g3)
    far_even = ONE_24TH * g0 + ONE_6TH * g2 + TWO_3RDS * g4
    far_odd = ONE_12TH * g1 + ONE_3RD * g3
    return (ONE_4TH * g0, -even - odd, odd - even, far_even + far_odd,
            far_even - far_odd, g4)


@register_jitable(inline="always")
def three_weights(column):
    """G' u of filters of 3."""
    u0, u1, u2, u3, u4, u5 = column
    near, far = ONE_6TH * (u1 + u2), u3 + u4
    return (ONE_4TH * u0 - near + ONE_24TH * far,
            ONE_6TH * (u2 - u1) + ONE_12TH * (u3 - u4), ONE_6TH * far - near + u5)


@register_jitable(inline="always")
def five_weights(column):
    """G' u of filters of 5."""
    u0, u1, u2, u3, u4, u5 = column
    near, near_apart = ONE_6TH * (u1 + u2), ONE_6TH * (u2 - u1)
    far, far_apart = u3 + u4, u3 - u4
    return (ONE_4TH * u0 - near + ONE_24TH * far, near_apart + ONE_12TH * far_apart,
            ONE_6TH * far - near, near_apart + ONE_3RD * far_apart,
            TWO_3RDS * far - near + u5)


@register_jitable(inline="always")
def _take_2(of, at, apart):
    return of[at], of[at + apart]


@register_jitable(inline="always")
def _take_3(of, at, apart):
    a1 = at + apart
    return of[at], of[a1], of[a1 + apart]


@register_jitable(inline="always")
def _take_4(of, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    return of[at], of[a1], of[a2], of[a2 + apart]


@register_jitable(inline="always")
def _take_5(of, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    a3 = a2 + apart
    return of[at], of[a1], of[a2], of[a3], of[a3 + apart]


@register_jitable(inline="always")
def _take_6(of, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    a3 = a2 + apart
    a4 = a3 + apart
    return of[at], of[a1], of[a2], of[a3], of[a4], of[a4 + apart]


@register_jitable(inline="always")
def _put_2(column, to, at, apart):
    to[at], to[at + apart] = column


@register_jitable(inline="always")
def _put_3(column, to, at, apart):
    a1 = at + apart
    to[at], to[a1], to[a1 + apart] = column


@register_jitable(inline="always")
def _put_4(column, to, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    to[at], to[a1], to[a2], to[a2 + apart] = column


@register_jitable(inline="always")
def _put_5(column, to, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    a3 = a2 + apart
    to[at], to[a1], to[a2], to[a3], to[a3 + apart] = column


@register_jitable(inline="always")
def _put_6(column, to, at, apart):
    a1 = at + apart
    a2 = a1 + apart
    a3 = a2 + apart
    a4 = a3 + apart
    to[at], to[a1], to[a2], to[a3], to[a4], to[a4 + apart] = column


@register_jitable(inline="always")
def _plus_2(column, number):
    y0, y1 = column
    return y0 + number, y1 + number


@register_jitable(inline="always")
def _plus_4(column, number):
    y0, y1, y2, y3 = column
    return y0 + number, y1 + number, y2 + number, y3 + number


# By how many numbers: those `apart` from each other, from number `at` of an array on.
TAKE = {2: _take_2, 3: _take_3, 4: _take_4, 5: _take_5, 6: _take_6}
PUT = {2: _put_2, 3: _put_3, 4: _put_4, 5: _put_5, 6: _put_6}

# A number added to each.
PLUS = {2: _plus_2, 4: _plus_4}

# By how many outputs a tile has in a row, and by how many weights a filter.
A_TURNED = {4: four_outputs, 2: two_outputs}
A = {4: of_four_outputs, 2: of_two_outputs}
G = {3: of_three_weights, 5: of_five_weights}
G_TURNED = {3: three_weights, 5: five_weights}

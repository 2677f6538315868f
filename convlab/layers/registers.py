"""Numbers that a kernel keeps in the processor's registers.

A loop that adds to an array in memory loads and stores it each time around,
since for all the compiler knows, the array may overlap with another one. An
array on the function's own stack overlaps with nothing: where all its indices
are known once loops are unrolled, LLVM holds it in registers from the first
addition to the last.

Some processors with vectors of 512 bits (Intel's first ones) are slower at
other work for a while after they used them, so for those LLVM keeps to 256 bits if it
is not told otherwise. A kernel's sums then need twice the registers that there are, and
some go through memory: kernels that keep numbers on the stack ask for 512. Where there
are no such vectors, that changes nothing.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from convlab.layers.scratch import CACHE_LINE

# LLVM's name for it is not among those that llvmlite lets through.
WIDE_VECTORS = '"prefer-vector-width"="512"'


@intrinsic(prefer_literal=True)
def _room(context: Any, size: types.IntegerLiteral, like: types.Array) -> tuple:
    """Code that sets aside `size` numbers on the stack, of the dtype of `like`."""
    if not isinstance(size, types.IntegerLiteral):
        return None  # numba: try otherwise, or say that this can't be compiled
    count, dtype = size.literal_value, like.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        set.add(builder.function.attributes, WIDE_VECTORS)
        number = context.get_value_type(dtype)
        room = cgutils.alloca_once(builder, ir.ArrayType(number, count))
        room.align = CACHE_LINE
        return builder.bitcast(room, number.as_pointer())

    return types.CPointer(dtype)(size, like), generate


def on_stack(size: int, like: Any) -> Any:
    """In a kernel: an array of `size` numbers, a constant, of the dtype of `like`.

    Not set to anything, and gone when the kernel returns.
    """
    raise NotImplementedError("on_stack is for compiled kernels alone")


@overload(on_stack, inline="always", prefer_literal=True)
def _on_stack(size: Any, like: Any) -> Any:
    def compiled(size: Any, like: Any) -> Any:
        return carray(_room(size, like), size)

    return compiled

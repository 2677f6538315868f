"""Charts of computed sizes."""

from __future__ import annotations

from convlab.arithmetic import SizeError, output_size, same_padding

from . import palette
from .svg import SMALL, Canvas, Drawing


def sizes(n: int, f: int, layers: int, pad: int) -> list[int]:
    """The input size and the size after each layer, while the filter fits."""
    found = [n]
    while len(found) <= layers and found[-1] + 2 * pad >= f:
        found.append(output_size(found[-1], f, 1, pad))
    return found


def shrinking(n: int, f: int, layers: int) -> Drawing:
    """Size after each of several layers at stride 1: no padding, same padding."""
    bare, kept = sizes(n, f, layers, 0), sizes(n, f, layers, same_padding(f))
    if len(bare) < 2:
        raise SizeError(f"a {f}x{f} filter does not fit into {n}x{n} even once")
    pitch, bar, left, top, height = 44, 30, 30, 46, 160
    scale = height / n
    canvas = Canvas(left + (layers + 1) * pitch + 8, top + height + 48)
    base = top + height
    canvas.line((left - 6, base), (left + (layers + 1) * pitch, base))
    for k, size in enumerate(kept):
        x = left + k * pitch
        canvas.box(x, base - size * scale, bar, size * scale, palette.PADDING,
                   fill=0.06, stroke=1, dash="3 3")
    for k in range(layers + 1):
        x = left + k * pitch + bar / 2
        size = bare[k] if k < len(bare) else None
        if size is None:
            canvas.text(x, base - 8, "none", SMALL)
        else:
            canvas.box(x - bar / 2, base - size * scale, bar, size * scale,
                       palette.INPUT if k == 0 else palette.OUTPUT, fill=0.35)
            canvas.text(x, base - size * scale - 6 if k else base - height - 6, size)
        canvas.text(x, base + 18, k)
    canvas.text(left + (layers + 1) * pitch / 2, base + 38,
                f"layers of {f}x{f} filters", SMALL + 1)
    canvas.box(left, 6, 14, 12, palette.OUTPUT, fill=0.35)
    canvas.text(left + 20, 17, "no padding", SMALL + 1, anchor="start")
    canvas.box(left + 120, 6, 14, 12, palette.PADDING, fill=0.06, stroke=1, dash="3 3")
    canvas.text(left + 140, 17, f"padding {same_padding(f)}", SMALL + 1,
                anchor="start")
    end = (f"; then a {f}x{f} filter no longer fits" if len(bare) <= layers else "")
    return canvas.finish(
        f"Bars for the height and width after 0 to {layers} layers of {f}x{f} "
        f"filters at stride 1. Without padding: {', '.join(map(str, bare))}{end}. "
        f"With padding {same_padding(f)} it stays {kept[-1]} throughout.")

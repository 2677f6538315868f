"""Answers to ps2_convolution as six people might write them, none from another.

All follow the notebook's steps, so that they are as alike as honest answers get.
A line `# %% name` begins the answer cell of that grade_id.
"""

from __future__ import annotations

from pathlib import Path

_MARK = "# %% "


def all_styles() -> dict[str, dict[str, str]]:
    """The answers of each: {"plain": {"output_size": source, ...}, ...}."""
    return {
        path.stem: answers_in(path.read_text(encoding="utf-8"))
        for path in sorted(Path(__file__).parent.glob("[!_]*.py"))
    }


def answers_in(text: str) -> dict[str, str]:
    """A file's cells by grade_id."""
    _, *cells = text.split(_MARK)
    named = (cell.split("\n", 1) for cell in cells)
    return {name.strip(): source.strip() for name, source in named}

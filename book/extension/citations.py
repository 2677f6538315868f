"""The bibliography's labels: "Fukushima 1980", as the text cites it."""

from __future__ import annotations

from collections import Counter

from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.unsrt import Style as UnsrtStyle
from pybtex.style.labels import BaseLabelStyle


class AuthorYearLabels(BaseLabelStyle):
    """Last names and the year; a, b, ... where two would be the same."""

    def format_labels(self, sorted_entries):
        labels = [f"{names(entry)} {entry.fields['year']}" for entry in sorted_entries]
        seen, total = Counter(), Counter(labels)
        for label in labels:
            seen[label] += 1
            yield label + ("abcdefgh"[seen[label] - 1] if total[label] > 1 else "")


def names(entry) -> str:
    """One name, two, or the first and "et al."."""
    last = [str(Text.from_latex(" ".join(person.prelast_names + person.last_names)))
            for person in entry.persons["author"]]
    return " and ".join(last) if len(last) < 3 else f"{last[0]} et al."


class AuthorYearStyle(UnsrtStyle):
    default_label_style = AuthorYearLabels
    default_sorting_style = "author_year_title"


def setup(app):
    register_plugin("pybtex.style.formatting", "authoryear", AuthorYearStyle)

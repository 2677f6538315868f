"""Students' code that is alike, side by side: a hint for a person, never a score.

copydetect fingerprints each student's own code, with names, strings and white
space taken out, as MOSS does. What the course handed out is left out, and what
few people wrote counts more than what everybody writes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from copydetect import CodeFingerprint, compare_files
from scipy.sparse import coo_array, csr_array, triu

from autograder.remark import excerpt

# Measured on answers written apart and on disguised copies of them: the closest two
# of the first are under 0.2 alike, copies with other names and order over 0.7.
ALIKE = 0.4  # share of the shorter one's code, rare parts counting more
LEAST = 250  # places that agree, about ten lines: short answers are alike by nature
GRAM = 25  # characters without names and spaces: about a line and a half
LONGEST_CELL = 12_000  # characters; the course's own longest answer has 3,000
LONGEST = 24_000  # of all cells of a student; the course's own have 10,000
SHOWN = 12  # pairs of one group that are shown side by side

Cells = Sequence[tuple[str, str]]  # title and source
Edge = tuple[float, str, str]  # likeness, and the two students


@dataclass(frozen=True)
class Line:
    text: str
    alike: bool


@dataclass(frozen=True)
class Beside:
    """A cell of one student and the cell of the same name of another."""

    title: str
    left: tuple[Line, ...]
    right: tuple[Line, ...]


@dataclass(frozen=True)
class Pair:
    """Two students' code. Which was first, nothing here can tell."""

    left: str
    right: str
    likeness: float  # of the shorter one's code, 0 to 1
    lines: int  # of the left one that are alike
    verbatim: int  # of these, the same to the letter
    cells: tuple[Beside, ...]  # those with a line that is alike


@dataclass(frozen=True)
class Group:
    """Students whose code hangs together, each with the one most like it."""

    members: tuple[str, ...]
    likeness: float  # of the closest two
    pairs: tuple[Pair, ...]  # the closest, at most SHOWN
    others: tuple[Edge, ...] = ()  # the others, without their code


@dataclass(frozen=True)
class Alike:
    """What the comparison of a class came to."""

    compared: int
    groups: tuple[Group, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()  # student, and why


def alike_code(code: Mapping[str, Cells], given: Iterable[str] = ()) -> Alike:
    """Compare each student's cells with everybody's.

    `given` is code that the course handed out. The time is bounded whatever the
    code is: what is longer than an answer can be is left out, and said.
    """
    kept = {name: _comparable(cells) for name, cells in code.items()}
    whole = {name: _joined(cells) for name, cells in kept.items()}
    handed_out = "\n".join(given)
    common = _fingerprint(handed_out).hashes
    found = {
        name: np.fromiter(hashes, np.int64, len(hashes))
        for name, text in whole.items()
        if (hashes := _fingerprint(text).hashes - common)
    }
    closest = _closest(list(found), list(found.values()))
    shown = _Shown(kept, whole, common, _lines_of(handed_out))
    groups = [_group(edges, shown) for edges in _components(closest)]
    return Alike(
        compared=len(found),
        groups=tuple(sorted(groups, key=lambda g: (-g.likeness, g.members))),
        left_out=tuple(_left_out(code, kept)),
    )


def _fingerprint(text: str) -> CodeFingerprint:
    """Every run of GRAM characters: nothing drawn, so the same on each run."""
    return CodeFingerprint("", GRAM, 1, language="python", fp=io.StringIO(text))


def _comparable(cells: Cells) -> Cells:
    """The cells that are not too long, up to LONGEST characters."""
    kept, total = [], 0
    for title, source in cells:
        total += len(source)
        if len(source) <= LONGEST_CELL and total <= LONGEST:
            kept.append((title, source.strip("\n")))
        else:
            total -= len(source)
    return kept


def _left_out(
    code: Mapping[str, Cells], kept: Mapping[str, Cells]
) -> Iterator[tuple[str, str]]:
    for name, cells in code.items():
        there = {title for title, _ in kept[name]}
        if missing := [title for title, _ in cells if title not in there]:
            yield name, f"{', '.join(missing[:5])}: too long for an answer"


def _joined(cells: Cells) -> str:
    return "\n".join(source for _, source in cells)


def _lines_of(text: str) -> set[str]:
    return {_visible(line).strip() for line in text.split("\n")}


def _visible(line: str) -> str:
    """A line as it is, with marks that would turn its direction made visible."""
    return excerpt(line.replace("\t", "    "), LONGEST_CELL)


def _closest(names: Sequence[str], found: Sequence[np.ndarray]) -> list[Edge]:
    """The pairs that are alike enough, closest first."""
    if len(names) < 2:
        return []
    there = _table(found)
    people = there.sum(axis=0)
    rarity = 1 + np.log((1 + len(names)) / (1 + people))
    weighted = there * np.sqrt(rarity)[np.newaxis, :]
    places = triu(there @ there.T, k=1).tocoo()
    enough = places.data >= LEAST
    rows, columns = (one[enough] for one in places.coords)
    shared = csr_array(weighted @ weighted.T)
    own = shared.diagonal()
    likeness = shared[rows, columns] / np.minimum(own[rows], own[columns])
    pairs = [
        (round(float(one), 3), *sorted((names[i], names[j])))
        for one, i, j in zip(likeness, rows, columns, strict=True)
        if one >= ALIKE
    ]
    return sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))


def _table(found: Sequence[np.ndarray]) -> csr_array:
    """A row a student and a column a fingerprint; 1 where it is there."""
    _, columns = np.unique(np.concatenate(found), return_inverse=True)
    rows = np.repeat(np.arange(len(found)), [len(one) for one in found])
    shape = (len(found), int(columns.max()) + 1)
    return csr_array(coo_array((np.ones(len(columns)), (rows, columns)), shape))


def _components(pairs: Iterable[Edge]) -> list[list[Edge]]:
    """The pairs by which students hang together: each joins two groups so far."""
    group: dict[str, list[Edge]] = {}
    members: dict[str, set[str]] = {}
    for pair in pairs:
        _, left, right = pair
        if right in members.get(left, ()):
            continue
        both = members.get(left, {left}) | members.get(right, {right})
        edges = sorted(
            [*group.get(left, ()), *group.get(right, ()), pair],
            key=lambda edge: (-edge[0], *edge[1:]),
        )
        for name in both:
            group[name], members[name] = edges, both
    return list({id(edges): edges for edges in group.values()}.values())


def _group(edges: Sequence[Edge], shown: _Shown) -> Group:
    members = sorted({name for _, left, right in edges for name in (left, right)})
    pairs = tuple(shown.pair(*edge) for edge in edges[:SHOWN])
    return Group(tuple(members), edges[0][0], pairs, tuple(edges[SHOWN:]))


@dataclass
class _Shown:
    """Lays two students' code side by side."""

    cells: Mapping[str, Cells]
    whole: Mapping[str, str]
    common: set[int]
    handed_out: set[str]  # lines

    def pair(self, likeness: float, left: str, right: str) -> Pair:
        one, other = self._fingerprint(left), self._fingerprint(right)
        _, _, (here, there) = compare_files(one, other)
        mine = self._lines(left, here)
        theirs = self._lines(right, there)
        alike = [line.text.strip() for cell in mine.values() for line in cell
                 if line.alike]  # fmt: skip
        words = _lines_of(self.whole[right])
        beside = [
            Beside(title, mine.get(title, ()), theirs.get(title, ()))
            for title in dict.fromkeys((*mine, *theirs))
        ]
        return Pair(
            left, right, likeness, len(alike), sum(line in words for line in alike),
            tuple(b for b in beside if any(one.alike for one in (*b.left, *b.right))),
        )  # fmt: skip

    def _fingerprint(self, name: str) -> CodeFingerprint:
        one = _fingerprint(self.whole[name])
        one.hashes -= self.common
        return one

    def _lines(self, name: str, slices: np.ndarray) -> dict[str, tuple[Line, ...]]:
        """A student's cells as lines; one is alike if half of what it says is.

        A string counts as one sign, so the lines of a docstring that was handed
        out would be taken along.
        """
        covered = np.zeros(len(self.whole[name]) + 1, dtype=bool)
        for start, end in zip(*slices.astype(int), strict=True):
            covered[start:end] = True
        lines: dict[str, tuple[Line, ...]] = {}
        place = 0
        for title, source in self.cells[name]:
            cell = []
            for text in source.split("\n"):
                says = [place + i for i, c in enumerate(text) if not c.isspace()]
                alike = bool(says) and bool(covered[says].mean() >= 0.5)
                shown = _visible(text)
                cell.append(Line(shown, alike and shown.strip() not in self.handed_out))
                place += len(text) + 1
            lines[title] = (*lines.get(title, ()), *cell)
        return lines

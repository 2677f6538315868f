"""Finds the numbers that a page states and that no code gives.

The rule for authors, in full:

1. What is given (an input size, a stride, what a paper reports) is typed once, in
   the page's `{numbers}` block, and may then be typed in the text. 0 is given.
2. What follows is computed: `{calc}` in the text (see `book.extension.calc`), the
   drawing function in a figure, a cell in its output.
3. An equation between numbers, in `$...$`, `$$...$$` or `{math}`, may be typed:
   both sides are evaluated here and must agree.

So any other number in the text, a caption, a table, an alternative text or a
comment of a code cell is either a slip or a number nobody computed. Not
looked at: inline code, names such as CIFAR-10, and places in a cited work
("chapter 9").
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

Given = set[tuple[Fraction, ...]]  # (7,) for 7, (32, 32, 3) for 32x32x3

SHAPE_OR_NUMBER = re.compile(
    r"(?<![\w.\-/])(\d+(?:x\d+)+|\d[\d,]*(?:\.\d+)?)(?![\w/]|-D\b)")
NOT_STATED = re.compile(
    r"\{[\w:]+\}`[^`]*`"            # a role: computed, or a reference
    r"|(`+)[^`].*?\1"               # inline code
    r"|\]\([^)]*\)"                 # the address of a link
    r"|^\*\*\d+\.\*\*|^\d+\. "      # the number of a question or list item
    r"|\b(?:[Cc]hapter|[Ss]ection|[Ss]lides?|[Pp]age|[Ff]igure|[Tt]able) \d+"
    r"|CC BY 4\.0", re.MULTILINE)
MATH = re.compile(r"\$\$(.+?)\$\$|(?<!\$)\$([^$]+?)\$(?!\$)", re.DOTALL)
FENCE = re.compile(r"^(`{3,}|:{3,})(?:\{([\w-]+)\})?(.*)$")
DRAWING_FENCES = {"drawn", "interactive"}
PROSE_FENCES = DRAWING_FENCES | {
    "dropdown", "admonition", "question", "glossary", "grid", "grid-item-card", "note",
    "tip", "warning", "important", "figure", "table", "list-table"}


@dataclass(frozen=True)
class Unproved:
    """A number on a page that code does not give."""

    line: int
    number: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.number}: {self.reason}"


@dataclass
class Page:
    """A page, taken apart; every text keeps its first line, counted from 1."""

    given: Given = field(default_factory=lambda: {(Fraction(0),)})
    prose: list[tuple[int, str]] = field(default_factory=list)
    formulas: list[tuple[int, str]] = field(default_factory=list)
    comments: list[tuple[int, str, Given]] = field(default_factory=list)


def unproved(source: str) -> list[Unproved]:
    """Every number of a MyST page that breaks the rule above, in order."""
    page = take_apart(source)
    found = [Unproved(line, *problem) for line, formula in page.formulas
             for problem in wrong_in_formula(formula, page.given)]
    texts = [(line, text, set()) for line, text in page.prose]
    for line, text, own in texts + page.comments:
        for number in SHAPE_OR_NUMBER.findall(text):
            if parts(number) not in page.given | own:
                found.append(Unproved(line, number, "write it as {calc}`...`, or give "
                                      "it in the {numbers} block if it is given"))
    return sorted(found, key=lambda problem: problem.line)


def parts(number: str) -> tuple[Fraction, ...]:
    """32x32x3 -> (32, 32, 3), 3,072 -> (3072,)."""
    return tuple(Fraction(part.replace(",", "").rstrip("."))
                 for part in number.split("x"))


def take_apart(source: str) -> Page:
    """Sort a page's lines into what is given, prose, formulas and comments."""
    page = Page()
    lines = iter(enumerate(source.splitlines(), start=1))
    prose: list[str] = [""] * (source.count("\n") + 2)
    for number, line in lines:
        fence = FENCE.match(line)
        if number == 1 and line == "---":
            _body(lines, lambda text: text == "---")
        elif not fence or not fence[2] and fence[1][0] == ":":
            if not re.match(r"^:[\w-]+:|^\(\S+\)=$", line):
                prose[number] = line
        elif fence[2] in PROSE_FENCES:
            # What is inside is prose, read by this same loop up to the closing
            # fence; the argument of a drawing is code.
            prose[number] = "" if fence[2] in DRAWING_FENCES else fence[3]
        elif fence[1][0] == "`" and not _closes(fence):
            body = _body(lines, lambda text, f=fence[1]: text.startswith(f))
            _sort_body(page, fence[2], number + 1, body)
    text = _without_math(page, "\n".join(prose[1:]))
    stated = NOT_STATED.sub(lambda m: "\n" * m[0].count("\n"), text)
    page.prose = list(enumerate(stated.splitlines(), start=1))
    return page


def _closes(fence: re.Match) -> bool:
    """Bare backticks: the end of a prose fence (a bare opening has a language)."""
    return not fence[2] and not fence[3].strip()


def _body(lines: Iterator[tuple[int, str]], is_end) -> str:
    taken = []
    for _, line in lines:
        if is_end(line):
            break
        taken.append(line)
    return "\n".join(taken)


def _sort_body(page: Page, kind: str | None, line: int, body: str) -> None:
    if kind == "numbers":
        page.given |= literals(body)
    elif kind == "math":
        page.formulas.append((line, re.sub(r"^:label:.*$", "", body, flags=re.M)))
    elif kind == "code-cell":
        code = "\n".join("" if text.startswith((":", "%", "!")) else text
                         for text in body.splitlines())
        options = [text if text.startswith(":") else "" for text in body.splitlines()]
        own = literals(code)
        page.comments += [(line + i, text, set()) for i, text in enumerate(options)]
        page.comments += [
            (line + token.start[0] - 1, token.string, own)
            for token in tokenize.generate_tokens(io.StringIO(code).readline)
            if token.type == tokenize.COMMENT]


def literals(code: str) -> Given:
    """Every number typed in some Python, and every tuple of them as a shape.

    A shape counts with each of its beginnings: (5, 5, 3) gives 5x5 too.
    """
    given: Given = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            given.add((Fraction(str(node.value)),))
        if isinstance(node, ast.Tuple):
            sizes = [element.value for element in node.elts
                     if isinstance(element, ast.Constant)
                     and type(element.value) is int]
            if len(sizes) == len(node.elts):
                given |= {tuple(map(Fraction, sizes[:k]))
                          for k in range(2, len(sizes) + 1)}
    return given


def _without_math(page: Page, text: str) -> str:
    """The text with its formulas moved to the page; line breaks stay."""
    def move(match: re.Match) -> str:
        line = text.count("\n", 0, match.start()) + 1
        page.formulas.append((line, match[1] or match[2]))
        return "\n" * match[0].count("\n")

    return MATH.sub(move, text)


def wrong_in_formula(tex: str, given: Given) -> Iterator[tuple[str, str]]:
    """(number, reason) for each side of an equation that is wrong or unproved."""
    tex = re.sub(r"(?<=\\\\)\[-?[\d.]+\w+\]", "", tex)  # the space between two rows
    tex = re.sub(r"\\(begin|end)\{\w+\}|\\q?quad|\\text\{[^}]*\}|&", " ", tex)
    for row in re.split(r"\\\\(?!\w)|\\Longrightarrow", tex):
        pieces = re.split(r"(=|\\approx)", row)
        relations = ["=", *pieces[1::2]]
        sides = [(relation, side.strip(" \n.,;"), value_of(side))
                 for relation, side in zip(relations, pieces[::2], strict=True)]
        values = [value for _, _, value in sides if value is not None]
        for relation, side, value in sides:
            plain = re.fullmatch(r"-?[\d,]+(\.\d+)?", side)
            if value is None:
                if re.search(r"\d", side) and not has_variables(side):
                    yield side, "can't be read: write it with \\frac, \\cdot, + and -"
                continue
            if len(values) == 1:
                if plain and (abs(value),) not in given:
                    yield side, "nothing on the other side to compute it from"
            elif not agree(values[0], value, side if relation != "=" else ""):
                yield side, f"the other side is {float(values[0]):g}"


def has_variables(tex: str) -> bool:
    """Whether letters are left when the names of commands are taken away."""
    return bool(re.search("[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", tex)))


def agree(exact: Fraction, value: Fraction, rounded: str) -> bool:
    """Equal, but for the last bits of a logarithm or root; or, for a number written
    after an approximately-equal sign, within half a unit of its last digit."""
    if not rounded:
        return abs(exact - value) <= abs(exact) / 10**15
    digits = len(rounded.partition(".")[2])
    return abs(exact - value) <= Fraction(1, 2 * 10**digits)


def value_of(tex: str) -> Fraction | None:
    """The value of one side of an equation; None where it has letters.

    Powers, `e^{...}`, `\\ln` and `\\sqrt` are understood: a value that is not rational
    comes out as the nearest float, so what equals it is only approximately equal.
    """
    text = tex.strip(" \n.,;")
    frac = re.compile(r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}")
    while frac.search(text):
        text = frac.sub(r"((\1)/(\2))", text)
    for command, symbol in ((r"\cdot", "*"), (r"\times", "*"), (r"\left", ""),
                            (r"\right", ""), (r"\ln", "L"), (r"\sqrt", "R"),
                            ("{", "("), ("}", ")"), (r"\,", "")):
        text = text.replace(command, symbol)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"L\s*(\d+(?:\.\d+)?)", r"L(\1)", text)
    text = re.sub(r"\be\^(\d)", r"e^(\1)", text).replace("e^(", "E(")
    if not text or not re.fullmatch(r"(?:[\d+\-*/^(). \n]|[ELR](?=\s*\())+", text):
        return None
    text = re.sub(r"\d+(\.\d+)?", r"Fraction('\g<0>')", " ".join(text.split()))
    names = {"Fraction": Fraction, "E": math.exp, "L": math.log, "R": math.sqrt,
             "__builtins__": {}}
    return Fraction(eval(text.replace("^", "**"), names))

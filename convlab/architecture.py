"""The lecture's architecture strings, read into layers (slide 65).

    [(CONV-RELU)*2-POOL]*3-(FC-RELU)*1,SOFTMAX

The grammar, in EBNF; spaces and line breaks between its pieces do not count:

    architecture = [ chain "," ] "SOFTMAX" ;
    chain        = repeated { "-" repeated } ;
    repeated     = ( layer | "(" chain ")" | "[" chain "]" ) [ "*" number ] ;
    layer        = ( "CONV" | "RELU" | "POOL" | "FC" | "NORM" | "DROPOUT" )
                   [ settings ] ;
    settings     = "{" { setting [ "," ] } "}" ;
    setting      = number | kind | name "=" ( number | kind ) ;
    kind         = "max" | "average" ;

Round and square brackets mean the same. `*0` leaves the piece out: K = 0 in
the lecture's pattern. The pattern's letters N, M, K and its `POOL?` ("with or
without pooling") stand for choices that a network has to make, so they are
refused with an error that asks for a number, and for POOL or nothing.

What a layer does when its settings do not say (a number alone is the first):

    CONV{filters size stride pad}  filters: 32, doubled by each POOL before it,
                                   at most 512; size 3; stride 1;
                                   pad (size - 1)/2, which keeps the size at
                                   stride 1 (slides 48 and 54)
    POOL{size stride kind}         size 2; stride as the size; kind max
    FC{units}                      units: 128
    DROPOUT{percent}               percent: 50

SOFTMAX is one more fully connected layer, from what comes before it to one
score a class, and the softmax loss on these scores. CONV and POOL need a
volume, so neither can follow FC; RELU right after RELU would do nothing, and
is taken for a slip ("RELU*2" for "(FC-RELU)*2"), as is NORM right after NORM.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from convlab.arithmetic import (
    POOL_KINDS,
    Conv,
    Dense,
    Dropout,
    Layer,
    Norm,
    Pool,
    Relu,
    Row,
    Shape,
    SizeError,
    same_padding,
    trace,
)

SETTINGS = {  # the first is the one that a number alone sets
    "CONV": ("filters", "size", "stride", "pad"),
    "RELU": (),
    "POOL": ("size", "stride", "kind"),
    "FC": ("units",),
    "NORM": (),
    "DROPOUT": ("percent",),
}
FIRST_FILTERS, MOST_FILTERS, UNITS, PERCENT = 32, 512, 128, 50

# Bounds that no network of this course comes near: an architecture string can
# come from anyone, and "((CONV)*9999)*9999" would fill the memory.
MOST_LAYERS, MOST_NESTING, MOST_DIGITS = 1000, 50, 6

TOKEN = re.compile(r"[A-Za-z_][A-Za-z_0-9]*|[0-9]+|\S")


class ArchitectureError(ValueError):
    """An architecture string that makes no network.

    The message says what was expected; below it stand the string and a caret
    under the character at `position` (counted from 0).
    """

    def __init__(self, message: str, text: str, position: int):
        shown = re.sub(r"\s", " ", text)
        super().__init__(f"{message}\n  {shown}\n  {' ' * position}^")
        self.text, self.position = text, position


@dataclass(frozen=True)
class Piece:
    """A layer as written: its name, its settings, and where it stands."""

    name: str
    settings: dict[str, int | str]
    position: int


def parse(architecture: str, classes: int) -> list[Layer]:
    """The layers of a string, the last one giving `classes` scores.

    >>> parse("(CONV{6 size=5}-RELU)*1-POOL,SOFTMAX", 10)
    ... # doctest: +NORMALIZE_WHITESPACE
    [Conv(filters=6, size=5, stride=1, pad=2, bias=True), Relu(),
     Pool(size=2, stride=2, kind='max'), Dense(units=10, bias=True)]

    Raises ArchitectureError, which points at the character.
    """
    return _layers(Parser(architecture).architecture(), architecture, classes)


def trace_architecture(
    architecture: str, input_shape: Shape, classes: int
) -> list[Row]:
    """One Row a layer, as arithmetic.trace, for images of `input_shape`.

    Raises ArchitectureError, which points at the layer where a size does not
    fit.
    """
    pieces = Parser(architecture).architecture()
    try:
        return trace(_layers(pieces, architecture, classes), input_shape)
    except SizeError as error:
        if error.layer is None:  # the image's own shape is wrong
            raise
        position = pieces[error.layer - 1].position
        raise ArchitectureError(str(error), architecture, position) from None


class Parser:
    """Recursive descent: one method a rule of the grammar above."""

    def __init__(self, text: str):
        if not isinstance(text, str):
            raise TypeError(f"an architecture is a string, got {text!r}")
        self.text = text
        self.tokens = [(m.group(), m.start()) for m in TOKEN.finditer(text)]
        self.tokens.append(("", len(text.rstrip())))
        self.next = self.nesting = 0

    def architecture(self) -> list[Piece]:
        pieces = []
        if self.token != "SOFTMAX":
            pieces = self.chain()
            if self.token != ",":
                self.fail(f'expected "-", "*" or ",SOFTMAX"{self.found()}')
            self.take()
        if self.token != "SOFTMAX":
            self.unknown(self.token, ["SOFTMAX"], "expected SOFTMAX")
        pieces.append(Piece("SOFTMAX", {}, self.take()[1]))
        if self.token:
            self.fail(f"SOFTMAX is the end{self.found()}")
        return pieces

    def chain(self) -> list[Piece]:
        pieces = self.repeated()
        while self.token == "-":
            self.take()
            pieces = pieces + self.repeated()
        return pieces

    def repeated(self) -> list[Piece]:
        pieces = self.group() if self.token in ("(", "[") else [self.layer()]
        if self.token == "?":
            self.fail('"?" means with or without: keep the layer and take the "?" '
                      "away, or leave the layer out")
        if self.token != "*":
            return pieces
        self.take()
        where = self.next
        times = self.number('how many times after "*"')
        if len(pieces) * times > MOST_LAYERS:
            self.next = where
            self.fail(f"a network of more than {MOST_LAYERS} layers")
        return pieces * times

    def group(self) -> list[Piece]:
        opening, where = self.take()
        self.nesting += 1
        if self.nesting > MOST_NESTING:
            self.fail(f"brackets more than {MOST_NESTING} deep")
        pieces = self.chain()
        closing = {"(": ")", "[": "]"}[opening]
        if self.token != closing:
            self.fail(f'expected "-", "*" or the "{closing}" that closes the '
                      f'"{opening}" of column {where + 1}{self.found()}')
        self.take()
        self.nesting -= 1
        return pieces

    def layer(self) -> Piece:
        if self.token not in SETTINGS:
            names = ", ".join(SETTINGS)
            if self.token == "SOFTMAX":
                self.fail('SOFTMAX stands once, at the end, after a ","')
            self.unknown(self.token, [*SETTINGS, "SOFTMAX"],
                         f"expected a layer ({names})")
        name, position = self.take()
        settings = self.settings(name) if self.token == "{" else {}
        return Piece(name, settings, position)

    def settings(self, layer: str) -> dict[str, int | str]:
        self.take()
        settings: dict[str, int | str] = {}
        while self.token != "}":
            where = self.next
            name, value = self.setting(layer)
            if name in settings:
                self.next = where
                self.fail(f"{name} of {layer} is set twice")
            settings[name] = value
            if self.token == ",":
                self.take()
        self.take()
        return settings

    def setting(self, layer: str) -> tuple[str, int | str]:
        names = SETTINGS[layer]
        if not names:
            self.fail(f"{layer} has no settings")
        if "kind" in names and self.token in POOL_KINDS:
            return "kind", self.take()[0]
        if self.token.isdigit():
            return names[0], self.number(names[0])
        if self.token not in names:
            known = [*names, *(POOL_KINDS if "kind" in names else ())]
            self.unknown(self.token, known,
                         f"expected a setting of {layer} ({', '.join(known)}), "
                         'or "}"')
        name, _ = self.take()
        if self.token != "=":
            self.fail(f'expected "=" and a value for {name}{self.found()}')
        self.take()
        if name != "kind":
            return name, self.number(f"a whole number for {name}")
        if self.token not in POOL_KINDS:
            self.unknown(self.token, POOL_KINDS,
                         f"expected {' or '.join(POOL_KINDS)}")
        return name, self.take()[0]

    def number(self, what: str) -> int:
        token = self.token
        if token in ("N", "M", "K"):
            self.fail(f"{token} stands for a number of your choice: "
                      f"write one, as in *2")
        if not re.fullmatch("[0-9]+", token):
            self.fail(f"expected {what}{self.found()}")
        if len(token) > MOST_DIGITS:
            self.fail(f"a number of more than {MOST_DIGITS} digits")
        return int(self.take()[0])

    @property
    def token(self) -> str:
        return self.tokens[self.next][0]

    def take(self) -> tuple[str, int]:
        self.next += 1
        return self.tokens[self.next - 1]

    def found(self) -> str:
        return f", found {self.token!r}" if self.token else ", but the string ends"

    def unknown(self, word: str, known: Sequence[str], expected: str) -> NoReturn:
        self.fail(f"{expected}{self.found()}{_did_you_mean(word, known)}")

    def fail(self, message: str) -> NoReturn:
        raise ArchitectureError(message, self.text, self.tokens[self.next][1])


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    """". Did you mean CONV?" for a word close to a known one, whatever its case."""
    by_case = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_case, n=1)
    return f". Did you mean {by_case[close[0]]}?" if close else ""


def _layers(pieces: Sequence[Piece], text: str, classes: int) -> list[Layer]:
    """The pieces with their defaults filled in; refuses what makes no sense."""
    layers: list[Layer] = []
    pools, flat = 0, False
    for piece in pieces:
        try:
            _check_order(piece, layers, flat)
            layers.append(_layer(piece, pools, classes))
        except ValueError as error:
            raise ArchitectureError(str(error), text, piece.position) from None
        pools += piece.name == "POOL"
        flat = flat or piece.name == "FC"
    return layers


def _check_order(piece: Piece, before: Sequence[Layer], flat: bool) -> None:
    if flat and piece.name in ("CONV", "POOL"):
        raise ValueError(
            f"{piece.name} takes a volume, but the FC before it made a vector: "
            "FC layers come last")
    if piece.name == "RELU" and before and isinstance(before[-1], Relu):
        raise ValueError(
            "a RELU right after a RELU changes nothing: is it in the wrong place, "
            "or a bracket missing?")
    if piece.name == "NORM" and before and isinstance(before[-1], Norm):
        raise ValueError(
            "a NORM right after a NORM finds nothing left to do: is it in the wrong "
            "place, or a bracket missing?")


def _layer(piece: Piece, pools: int, classes: int) -> Layer:
    given = piece.settings
    if piece.name == "CONV":
        size = given.get("size", 3)
        pad = given["pad"] if "pad" in given else _default_pad(size)
        filters = given.get("filters", min(FIRST_FILTERS << pools, MOST_FILTERS))
        return Conv(filters, size, given.get("stride", 1), pad)
    if piece.name == "POOL":
        size = given.get("size", 2)
        return Pool(size, given.get("stride", size), given.get("kind", "max"))
    if piece.name == "RELU":
        return Relu()
    if piece.name == "NORM":
        return Norm()
    if piece.name == "DROPOUT":
        return Dropout(given.get("percent", PERCENT))
    return Dense(classes if piece.name == "SOFTMAX" else given.get("units", UNITS))


def _default_pad(size: int) -> int:
    try:
        return same_padding(size)
    except SizeError as error:
        raise SizeError(f"{error}; give the padding, as in pad=0") from None

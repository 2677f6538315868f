"""Every number on a page is given once or computed; wrong ones are found."""

from __future__ import annotations

from fractions import Fraction

import pytest
from book_pages import sources

from book.extension.calc import evaluate, new_names, run_block, written
from book.stated import unproved, value_of

GIVEN = """# A page
```{numbers}
image, window = (32, 32, 3), (5, 5, 3)
stride = 1
maps = Conv(6, 5, stride).output_shape(image)
```
"""


@pytest.mark.parametrize("source", sources(), ids=lambda path: path.stem)
def test_page_states_no_number_that_code_does_not_give(source):
    assert [str(problem) for problem in unproved(source.read_text())] == []


@pytest.mark.parametrize("text", [
    "A 32x32x3 image and a 5x5 window, {calc}`maps`.",
    "Stride 1 gives {calc}`output_size(32, 5)`, counted from 0.",
    "$(32 - 5)/1 + 1 = 28$",
    "$$\\frac{7 - 3}{3} + 1 \\approx 2.33$$",
    "$e^{3} \\approx 20.09$ and $-\\ln \\frac{e^{1}}{e^{2} + e^{1}} \\approx 1.31$",
    "$-\\ln \\frac{1}{10} = \\ln 10 \\approx 2.303$ and $2^{5} = 32$",
    "$$\\begin{aligned} 5 \\cdot 5 \\cdot 3 &= 75 \\\\ 75 + 1 &= 76 \\end{aligned}$$",
    "$H' = (H + 2P - F)/S + 1$",
    "$S = 1$",
    "CIFAR-10, ps2_convolution, VGG-16, chapter 9, `x[7]`, 2-D",
    "**3.** A question",
    "[link](https://example.org/2012/3)",
    "```{code-cell} ipython3\nx = 17  # 17 of them\n```",
    "```{math}\n:label: eq-9\n3 \\cdot 3 = 9\n```",
    "```{drawn} positions(7, 3)\n:name: fig-7\nA 5x5 window.\n```",
    "```console\n$ make 99\n```",
])
def test_what_authors_may_write(text):
    assert unproved(GIVEN + text) == []


@pytest.mark.parametrize(("text", "number"), [
    ("32x32x3 -> 28x28x5", "28x28x5"),
    ("a 5x3 window", "5x3"),
    ("456 parameters", "456"),
    ("about 14,455,392 weights", "14,455,392"),
    ("| stride | 27 |", "27"),
    ("the size is 2.33", "2.33"),
    ("$(32 - 5)/1 + 1 = 27$", "27"),
    ("$5 \\cdot 5 \\cdot 3 = 75 = 76$", "76"),
    ("$$\\frac{7 - 3}{3} + 1 \\approx 2.34$$", "2.34"),
    ("$H' = 28$", "28"),
    ("$e^{3} \\approx 20.08$", "20.08"),
    ("$\\ln(1 + 9) = 2.3$", "2.3"),
    ("$2^{5} = 25$", "25"),
    ("$$\\dfrac{6}{2} = 4$$", "\\dfrac{6}{2}"),
    ("$$\\begin{aligned} 1 + 1 &= 2 \\\\[6pt] 2 + 2 &= 5 \\end{aligned}$$", "5"),
    ("```{math}\n2 \\times 3 = 5\n```", "5"),
    ("```{drawn} positions(7, 3)\n:name: fig-7\nIt gives 4 places.\n```", "4"),
    ("```{interactive} pooling_explorer(x)\n:name: fig-p\nIt has 4 places.\n```", "4"),
    ("```{code-cell} ipython3\nx = 17  # 18 of them\n```", "18"),
    ("```{code-cell} ipython3\n:alt: A map of 24x24\nx = 1\n```", "24x24"),
    ("::::{grid} 1\n:::{grid-item-card} A title with 88\nand 89\n:::\n::::", "88"),
    (":::{dropdown} Answer\nIt is 41.\n:::", "41"),
])
def test_wrong_or_uncomputed_numbers_are_found(text, number):
    problems = unproved(GIVEN + text)
    assert number in [problem.number for problem in problems]
    first = GIVEN.count("\n") + 1
    assert all(first <= problem.line <= first + 4 for problem in problems)


def test_changing_any_given_number_of_a_chapter_is_noticed():
    chapter = next(s for s in sources() if s.stem == "spatial_arithmetic").read_text()
    assert unproved(chapter.replace("7x7 input", "8x8 input"))
    assert unproved(chapter.replace("+ 1 &= 5", "+ 1 &= 6"))
    assert unproved(chapter.replace("= 54.25", "= 54.5"))


@pytest.mark.parametrize(("tex", "value"), [
    (r"\frac{7 + 2 \cdot 1 - 3}{1} + 1", Fraction(7)),
    (r"\frac{224 - 11}{4} + 1", Fraction("54.25")),
    ("14,455,392.", Fraction(14455392)),
    (r"1 + (-1) + (-2)", Fraction(-2)),
    (r"2^{5} \cdot 3^2", Fraction(32 * 9)),
    (r"\frac{\frac{1}{2}}{2^{2}}", Fraction(1, 8)),
    (r"e^{0}", Fraction(1)),
    (r"\sqrt{\frac{2 \cdot 6}{3}}", Fraction(2)),
    ("N + 1", None),
    ("x^2", None),
    (r"\ln p", None),
    ("", None),
])
def test_value_of_one_side_of_an_equation(tex, value):
    assert value_of(tex) == value


def test_calc_uses_the_block_and_convlab():
    names = new_names()
    run_block("image = (32, 32, 3)\nmaps = Conv(6, 5).output_shape(image)", names)
    assert written(evaluate("maps", names)) == "28x28x6"
    assert written(evaluate("numbers_in(maps)", names)) == "4,704"  # 28 * 28 * 6
    assert written(evaluate("unrounded_size(7, 3, 3)", names)) == "2.33"
    assert written(evaluate("unrounded_size(7, 3, 2)", names)) == "3"
    with pytest.raises(NameError):
        evaluate("open", names)
    with pytest.raises(TypeError, match="no way to write"):
        written(None)

"""Formulas in feedback pages, without a script."""

from __future__ import annotations

import pytest
from nbconvert.filters import markdown2html

from autograder.mathml import with_mathml


def test_a_formula_is_drawn_by_the_browser():
    page = markdown2html(with_mathml(r"size $\frac{N + 2P}{S}$ of it"))
    assert "<mfrac>" in page
    assert page.count("<mi>") == 3 and "$" not in page


def test_a_formula_of_its_own_line_is_a_block():
    assert 'display="block"' in with_mathml("so\n\n$$x^2$$\n")


@pytest.mark.parametrize("text", [
    "`a$b$c`", "```\nx = '$a$'\n```", "it costs $5 or $6", r"a \$5 and 6\$ note",
    r"$\frac{$", "$ spaced $",
])
def test_what_is_no_formula_stays(text):
    assert with_mathml(text) == text


def test_stars_and_lines_survive_markdown():
    page = markdown2html(with_mathml(r"$a^* + b^*$ and $W_{ij} * x_i$"))
    assert "<em>" not in page and "$" not in page
    assert page.count("*") + page.count("∗") == 3


@pytest.mark.parametrize("formula", [
    r"\href{javascript:alert(1)}{x}", r"\text{<script>alert(1)</script>}",
    r"\style{color:red}{x}", r"\class{c}{x}",
])
def test_a_formula_brings_no_link_and_no_script(formula):
    page = markdown2html(with_mathml(f"${formula}$"))
    assert "<script" not in page
    assert not any(f"{name}=" in page for name in ("href", "style", "class", "src"))

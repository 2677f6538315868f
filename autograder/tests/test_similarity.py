"""Code that is alike is found through a disguise; honest answers are left alone."""

from __future__ import annotations

import ast
import random
import textwrap

import nbformat
import numpy as np
import pytest

from autograder import hidden, similarity
from autograder.course import REPOSITORY
from autograder.hidden import ps2_convolution as ps2
from autograder.similarity import LONGEST_CELL, SHOWN, alike_code
from autograder.tests.styles import all_styles
from autograder.tests.trials import judge

STYLES = all_styles()
RELEASE = REPOSITORY / "exercises" / "ps2_convolution" / "ps2_convolution.ipynb"


@pytest.fixture(scope="module")
def given():
    """The code that the course handed out."""
    cells = nbformat.read(RELEASE, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def cells_of(answers: dict[str, str]) -> list[tuple[str, str]]:
    return list(answers.items())


def disguised(answers: dict[str, str], seed: int) -> list[tuple[str, str]]:
    """Other names, another order, other spacing, and remarks in between."""
    draw = random.Random(seed)
    cells = []
    for title, source in draw.sample(cells_of(answers), len(answers)):
        tree = ast.parse(source)
        own = {node.id for node in ast.walk(tree)
               if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        names = {name: f"{name[::-1]}_{draw.randrange(99)}" for name in sorted(own)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                node.id = names.get(node.id, node.id)
        lines = ast.unparse(tree).split("\n")
        noted = [f"{line}  # {draw.random()}" if draw.random() < 0.3 else line
                 for line in lines]
        cells.append((title, "\n".join(noted)))
    return cells


def pairs_of(found) -> list[tuple[str, ...]]:
    return [group.members for group in found.groups]


@pytest.mark.parametrize("name", STYLES)
def test_the_answers_of_each_style_are_right(name):
    """Or they would show nothing about honest work."""
    names = {"np": np, "prange": range,
             "njit": lambda function=None, **_: function or (lambda plain: plain)}
    for source in STYLES[name].values():
        exec(source, names)
    for question in hidden.questions("ps2_convolution").values():
        if not question.speed:
            found = judge(question, names[question.function])
            assert found.right, f"{question.name}: {found.explanation}"
    x, w, b = ps2._layer(np.random.default_rng(0), (2, 7, 9, 3), (4, 3, 3, 3), float)
    slow = names["conv2d_slow"](x, w, b, 2, 1)
    np.testing.assert_allclose(slow, ps2.conv2d(x, w, b, 2, 1))


def test_answers_written_apart_are_not_listed(given):
    found = alike_code({name: cells_of(one) for name, one in STYLES.items()}, given)
    assert found.compared == len(STYLES)
    assert found.groups == ()


def test_a_disguised_copy_is_found_among_honest_answers(given):
    code = {name: cells_of(one) for name, one in STYLES.items()}
    code["copy"] = disguised(STYLES["steps"], 1)
    found = alike_code(code, given)
    assert pairs_of(found) == [("copy", "steps")]
    [pair] = found.groups[0].pairs
    assert pair.likeness > 0.75
    assert pair.lines > 60
    assert pair.verbatim < pair.lines / 2, "most lines had names to change"


def test_honest_answers_and_disguised_copies_lie_as_far_apart_as_is_said(
    given, monkeypatch
):
    """What the report and the guide say about the threshold."""
    code = {name: cells_of(one) for name, one in STYLES.items()}
    monkeypatch.setattr(similarity, "ALIKE", 0.2)
    assert alike_code(code, given).groups == ()
    monkeypatch.setattr(similarity, "ALIKE", 0.7)
    copies = {f"{name} copy": disguised(one, 7) for name, one in STYLES.items()}
    found = alike_code(code | copies, given)
    assert sorted(pairs_of(found)) == [(name, f"{name} copy") for name in STYLES]


def test_half_a_notebook_of_someone_elses_is_found(given):
    answers = dict(STYLES["vector"])
    long = ("strided_map", "conv2d_slow", "conv2d_forward", "dilate_filters")
    answers |= {name: STYLES["careful"][name] for name in long}
    code = {name: cells_of(one) for name, one in STYLES.items()} | {
        "patchwork": cells_of(answers)}
    found = alike_code(code, given)
    assert ("careful", "patchwork") in pairs_of(found)
    shown = {beside.title for beside in found.groups[0].pairs[0].cells}
    assert set(long) <= shown


def test_one_source_of_many_is_one_group(given):
    code = {name: cells_of(one) for name, one in STYLES.items()}
    code |= {f"s{seed}": disguised(STYLES["plain"], seed) for seed in range(4)}
    found = alike_code(code, given)
    assert pairs_of(found) == [("plain", "s0", "s1", "s2", "s3")]
    assert len(found.groups[0].pairs) == 4, "each with the one most like it"


def test_a_large_group_shows_the_closest_and_names_the_others(given):
    source = cells_of(STYLES["plain"])
    code = {f"s{number:02d}": source[number % 2:] for number in range(SHOWN + 4)}
    [group] = alike_code(code, given).groups
    assert len(group.members) == SHOWN + 4
    assert (len(group.pairs), len(group.others)) == (SHOWN, 3)
    assert group.pairs[-1].likeness >= group.others[0][0]


def test_short_answers_are_alike_by_nature():
    """Even the same to the letter: there are not two ways to write them."""
    short = [(name, STYLES["plain"][name])
             for name in ("output_size", "conv_parameters", "one_number")]
    assert alike_code({"a": short, "b": short}).groups == ()


def test_what_the_course_handed_out_is_nobodys(given):
    code = dict.fromkeys("ab", [("output_size", given[3]), ("draw", given[1])])
    assert pairs_of(alike_code(code)) == [("a", "b")]
    assert alike_code(code, given).groups == ()


def test_the_same_class_gives_the_same_answer_in_any_order(given):
    code = {name: cells_of(one) for name, one in STYLES.items()}
    code |= {f"s{seed}": disguised(STYLES["plain"], seed) for seed in range(3)}
    backwards = dict(reversed(code.items()))
    assert alike_code(code, given) == alike_code(backwards, given)


def test_lines_are_marked_where_they_agree_and_nowhere_else():
    copied = STYLES["steps"]["conv2d_forward"]
    own = textwrap.dedent("""\
        def entirely_different(words):
            return {word: len(word) for word in words if not word.isdigit()}
        """)
    found = alike_code({"a": [("x", own + copied)], "b": [("x", copied)]})
    [beside] = found.groups[0].pairs[0].cells
    assert [line.alike for line in beside.left[:2]] == [False, False]
    assert all(line.alike for line in beside.right if line.text.strip())


def test_a_line_of_a_megabyte_and_many_lines_are_left_out_and_said():
    steps = cells_of(STYLES["steps"])
    found = alike_code({
        "long": [("x", "x = " + "1+" * 500_000), *steps],
        "many": [("y", "x = 1\n" * 200_000), *steps],
        "bits": [("z", "\0\ud800".encode("utf-8", "replace").decode() * 2000)],
    })
    assert dict(found.left_out) == {
        "long": "x: too long for an answer", "many": "y: too long for an answer"}
    assert pairs_of(found) == [("long", "many")], "the rest is compared"


@pytest.mark.parametrize("odd", ["%%time\n!ls -l\n", "class A:\n  pass\n", "def (:\n",
                                 "'''", "\t\n\n", "f'{a!r:>{b}}'", "# \u202e é 漢"])
def test_code_that_is_odd_or_not_python_breaks_nothing(odd):
    copied = STYLES["terse"]["conv2d_forward"]
    text = "\n\n" + odd + "\n" + copied
    found = alike_code({"a": [("x", text)], "b": [("x", copied)]})
    assert found.groups or odd == "'''", "a string without an end hides the rest"
    for group in found.groups:
        for line in group.pairs[0].cells[0].right:
            assert line.text in copied


def test_marks_that_turn_the_reading_direction_are_made_visible():
    copied = STYLES["steps"]["conv2d_forward"] + "\n    \treturn y  # \u202eeslaf"
    found = alike_code({"a": [("x", copied)], "b": [("x", copied)]})
    last = found.groups[0].pairs[0].cells[0].left[-1]
    assert last.text == "        return y  # \\x202eeslaf"
    assert last.alike


def test_the_limits_leave_room_for_the_courses_own_answers():
    path = REPOSITORY / "solutions" / "ps3_conv_backward" / "ps3_conv_backward.ipynb"
    longest = max(len(cell.source) for cell in nbformat.read(path, as_version=4).cells)
    assert longest < LONGEST_CELL

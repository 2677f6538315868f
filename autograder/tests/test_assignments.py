"""What every assignment must be: its points, its parts, and graded for real."""

from __future__ import annotations

import re

import nbformat
import pytest
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade, is_solution

from autograder import accuracy, hidden
from autograder.course import Course
from autograder.hidden import CAPSTONE
from autograder.intake import lay_out, take_in
from autograder.judge import judge
from autograder.sample_class.submissions import Maker, perfect, untouched
from autograder.tests.greys import ARCHITECTURE, greys, hand_in_weights
from autograder.tests.walls import needs_sandbox
from autograder.verdict import MISSING, RIGHT, SLOW, UNWRITTEN

COURSE = Course()
ASSIGNMENTS = COURSE.assignments()
CHECK = re.compile(r"^check\(\"([^\"]+)\", (\w+)\)", re.MULTILINE)
USUAL = b"[CONV-RELU-POOL]*3-(FC-RELU)*1,SOFTMAX"
each = pytest.mark.parametrize("name", ASSIGNMENTS)


def source(name):
    return nbformat.read(COURSE.source(name), as_version=4)


def by_hand(name):
    return [cell for cell in source(name).cells if is_grade(cell) and is_solution(cell)]


@each
def test_its_points(name):
    questions = hidden.questions(name).values()
    given = [cell.metadata.nbgrader.points for cell in by_hand(name)]
    assert len(given) == 1, "one answer in words or one plot"
    assert 4 <= sum(given) <= 6
    assert 20 <= sum(one.cell_points for one in questions) + sum(given) <= 60
    assert len({one.function for one in questions if one.bonus}) == 1, "one bonus task"
    assert sum(one.points for one in questions if one.bonus) <= 5


@each
def test_the_first_cell_says_how_many_points_there_are(name):
    words = source(name).cells[0].source
    questions = hidden.questions(name).values()
    machine = sum(one.cell_points for one in questions)
    hand = sum(cell.metadata.nbgrader.points for cell in by_hand(name))
    bonus = sum(one.points for one in questions if one.bonus)
    numbers = set(re.findall(r"\d+", words))
    assert {f"{machine + hand:g}", f"{hand:g}", f"{bonus:g}"} <= numbers
    assert "bonus" in words.lower()


@each
def test_every_check_is_used_and_every_check_used_exists(name):
    text = "\n".join(cell.source for cell in source(name).cells)
    used = dict(CHECK.findall(text))
    own = {one.name: one.function for one in hidden.checks(name).values()}
    there = {check for other in ASSIGNMENTS for check in hidden.checks(other)}
    assert own.items() <= used.items()
    assert set(used) <= there


@each
def test_a_bonus_is_called_one_where_it_is_asked_for(name):
    cells = source(name).cells
    for question in hidden.questions(name).values():
        if not question.bonus:
            continue
        asked = question.name if question.accuracy else question.function
        place = next(i for i, cell in enumerate(cells) if cell.id == asked)
        above = [cell.source for cell in cells[:place] if cell.cell_type == "markdown"]
        assert "onus" in above[-1]


def test_formgrader_lists_the_assignments_and_nothing_else(tmp_path):
    config = Course(tmp_path).nbgrader()
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert api.get_source_assignments() == set(ASSIGNMENTS)


def judged(name, idea, folder):
    """A sample submission through intake and the real judge."""
    maker = Maker(COURSE, name)
    for file, data in idea(maker)[1].items():
        data = data.replace(USUAL, ARCHITECTURE.encode())  # of the capstone alone
        path = folder / "handed_in" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if name == CAPSTONE and idea is perfect:
        hand_in_weights(folder / "handed_in")
    intake = take_in(folder / "handed_in", name, maker.release())
    assert not intake.repairs
    assert not intake.findings
    lay_out(intake, folder / "intake")
    return judge(intake.notebook, hidden.questions(name), seed=7, assignment=name,
                 folder=folder / "intake")


@needs_sandbox
@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=pytest.mark.xdist_group(f"judge-{one}"))
     for one in ASSIGNMENTS],
)
class TestGradedForReal:
    def test_the_answers_get_every_point_of_a_machine(
            self, name, tmp_path, monkeypatch):
        monkeypatch.setattr(accuracy, "held_back", greys)
        found = judged(name, perfect, tmp_path)
        for verdict in found.verdicts.values():
            question = hidden.questions(name)[verdict.question]
            # A busy machine may be slow; what is right is right on any.
            fine = (RIGHT, SLOW) if question.speed else (RIGHT,)
            assert verdict.status in fine, verdict.explanation
        assert not found.incidents
        shown = [one for outputs in found.outputs.values() for one in outputs]
        assert not [one for one in shown if one["output_type"] == "error"]
        if name == CAPSTONE:
            assert "Taken from weights.npz: nothing is trained.\n" in [
                one.get("text") for one in shown]

    def test_an_untouched_release_gets_none(self, name, tmp_path):
        found = judged(name, untouched, tmp_path)
        assert found.points == 0
        statuses = {verdict.status for verdict in found.verdicts.values()}
        assert statuses <= {UNWRITTEN, MISSING}
        assert not found.incidents

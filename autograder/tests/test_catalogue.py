"""The catalogue of mistakes: found by grading them, each caught and named."""

import csv
import io
from dataclasses import replace

from click.testing import CliRunner

from autograder import hidden
from autograder.__main__ import main
from autograder.catalogue import known_mistakes, write_csv
from autograder.questions import Misconception


def test_every_mistake_is_caught_and_has_its_hint():
    found = list(known_mistakes(["ps7_cifar10"]))
    questions = hidden.questions("ps7_cifar10")
    assert len(found) > 20
    for one in found:
        assert one.hint
        assert {questions[name].function for name in one.caught_by.split()} == {
            one.function}


def test_a_mistake_that_is_not_caught_or_not_named_is_listed_so(monkeypatch):
    question = hidden.questions("ps7_cifar10")["sgd_momentum_step_values"]
    right = Misconception("none", "No hint.", question.oracle)
    monkeypatch.setattr(hidden, "questions", lambda name: {
        "one": replace(question, name="one", misconceptions=(right,))})
    [one] = known_mistakes(["any"])
    assert (one.mistake, one.caught_by, one.hint) == ("none", "", "")


def test_the_command_writes_rows_that_a_spreadsheet_reads():
    done = CliRunner().invoke(main, ["mistakes", "ps7_cifar10"])
    assert done.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    file = io.StringIO()
    write_csv(known_mistakes(["ps7_cifar10"]), file)
    assert rows == list(csv.DictReader(io.StringIO(file.getvalue())))
    assert list(rows[0]) == ["assignment", "function", "mistake", "caught_by", "hint"]

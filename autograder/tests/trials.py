"""Tests of hidden tests, the same for every assignment.

A test file names its assignment, its table of mistakes and its correct variants
in a class derived from `Trials`; pytest then tries each of them.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest

from autograder import hidden
from autograder.comparison import Finding, answer_of, judge_answers
from autograder.questions import Check, Misconception, Question

Function = Callable[..., Any]


def judge(question: Question | Check, function: Function, seed: int = 0) -> Finding:
    """What grading says of a function, with this seed's inputs."""
    cases = list(question.cases(np.random.default_rng(seed)))
    answers = [answer_of(function, one) for one in cases]
    return judge_answers(_remembering(question), cases, answers)


@cache
def _remembering(question: Question | Check) -> Question | Check:
    """The question, whose oracle and mistakes answer the same input only once.

    Each mistake is compared with all others, which would run each that often.
    """
    return replace(
        question, oracle=_remembered(question.oracle),
        misconceptions=tuple(replace(m, wrong=_remembered(m.wrong))
                             for m in question.misconceptions))


def _remembered(function: Function) -> Function:
    known: dict[bytes, Any] = {}

    def remembered(*args, **kwargs):
        try:
            key = pickle.dumps((args, kwargs))
        except (pickle.PicklingError, AttributeError, TypeError):
            return function(*args, **kwargs)  # an argument that is a function
        if key not in known:
            try:
                known[key] = function(*args, **kwargs), None
            except Exception as error:
                known[key] = None, error
        value, error = known[key]
        if error:
            raise error
        return value

    return remembered


def of(questions: Mapping[str, Question], function: str) -> dict[str, Question]:
    """The questions that ask for a function."""
    return {name: one for name, one in questions.items() if one.function == function}


def the_mistake(
    questions: Mapping[str, Question], function: str, name: str
) -> Misconception:
    """The one mistake of this name, in whichever of the function's questions."""
    found = [m for question in of(questions, function).values()
             for m in question.misconceptions if m.name == name]
    assert all(m is found[0] for m in found), "one name, one mistake"
    return found[0]


class Trials:
    """What every assignment's hidden tests must stand."""

    assignment: ClassVar[str]
    points: ClassVar[float]  # of its questions, bonus apart
    # function: mistake: the questions it fails, without "<function>_" in front
    fails: ClassVar[Mapping[str, Mapping[str, str]]]
    # name: the function it stands for, and the function; right everywhere
    variants: ClassVar[Mapping[str, tuple[str, Function]]]

    @classmethod
    def questions(cls) -> dict[str, Question]:
        return hidden.questions(cls.assignment)

    @classmethod
    def asked(cls) -> dict[str, Question | Check]:
        """Questions and public checks alike."""
        return {**hidden.checks(cls.assignment), **cls.by_values()}

    @classmethod
    def by_values(cls) -> dict[str, Question]:
        """The questions that are judged by values, not by held-back images."""
        return {name: one for name, one in cls.questions().items()
                if one.accuracy is None}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        values = {
            "question": self.by_values(),
            "asked": self.asked(),
            "mistake": [(function, name) for function, names in self.fails.items()
                        for name in names],
            "variant": self.variants,
        }
        for name, found in values.items():
            if name in metafunc.fixturenames:
                ids = ["-".join(one) if isinstance(one, tuple) else one
                       for one in found]
                metafunc.parametrize(name, list(found), ids=ids)

    def test_the_points_add_up(self):
        questions = self.questions().values()
        assert sum(question.cell_points for question in questions) == self.points

    def test_a_seed_draws_the_same_cases_again_and_another_seed_others(self, question):
        def drawn(seed):
            cases = self.questions()[question].cases(np.random.default_rng(seed))
            return repr([(case.args, dict(case.kwargs)) for case in cases])

        assert drawn(1) == drawn(1)
        assert drawn(1) != drawn(2)

    def test_the_oracle_passes_its_own_question(self, question):
        one = self.questions()[question]
        for seed in range(5):
            assert judge(one, one.oracle, seed).right

    def test_every_mistake_is_in_the_table(self):
        there = {(question.function, m.name) for question in self.questions().values()
                 for m in question.misconceptions}
        assert there == {(function, name) for function, names in self.fails.items()
                         for name in names}

    def test_a_mistake_fails_its_questions_and_is_recognised(self, mistake):
        function, name = mistake
        found = the_mistake(self.questions(), function, name)
        failed = set()
        for question in of(self.questions(), function).values():
            judged = judge(question, found.wrong, seed=5)
            if judged.right:
                continue
            failed.add(question.name.removeprefix(f"{function}_"))
            if not question.misconceptions:  # it leaves hints to the others
                continue
            assert judged.misconception == name
            assert f"Hint: {found.hint}" in judged.explanation
            assert judged.explanation.count("Hint:") == 1
        assert failed == set(self.fails[function][name].split())

    @pytest.mark.parametrize("seed", range(3))
    def test_no_two_mistakes_give_the_same_answers(self, asked, seed):
        """Identity is decidable: each is recognised as itself, whatever is drawn."""
        one = self.asked()[asked]
        names = [m.name for m in one.misconceptions]
        assert len(names) == len(set(names))
        for mistake in one.misconceptions:
            judged = judge(one, mistake.wrong, seed)
            assert judged.right or judged.misconception == mistake.name

    def test_hints_speak_to_the_student_and_do_not_repeat(self, asked):
        hints = [m.hint for m in self.asked()[asked].misconceptions]
        assert len(hints) == len(set(hints))
        for hint in hints:
            assert "you" in hint.lower()
            assert hint.rstrip().endswith((".", ")"))
            assert 40 < len(hint) < 260

    def test_a_correct_variant_is_right_everywhere(self, variant):
        function, written = self.variants[variant]
        for question in of(self.questions(), function).values():
            judged = judge(question, written, seed=11)
            assert judged.right, judged.explanation

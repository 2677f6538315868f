"""Fixtures of the grader's tests."""

from __future__ import annotations

import shutil
import sys
import types

import pytest

from autograder import grading, judging, keys
from autograder.tests.tiny import (
    BONUS_QUESTIONS,
    QUESTIONS,
    TinyClass,
    fake_judge,
    make_tiny,
    make_triple_a_bonus,
)


@pytest.fixture(scope="session")
def tiny_module():
    """The tiny assignment's hidden tests, where hidden tests are looked for."""
    module = types.ModuleType("autograder.hidden.tiny")
    module.QUESTIONS, module.CHECKS = QUESTIONS, ()
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


@pytest.fixture(scope="session")
def tiny_root(tiny_module, tmp_path_factory):
    """A tiny course, made once; tests get copies."""
    root = tmp_path_factory.mktemp("tiny")
    make_tiny(root)
    return root


@pytest.fixture
def tiny(tiny_root, tmp_path, monkeypatch):
    """A tiny class of one's own, with the fake judge in the real one's place."""
    shutil.copytree(tiny_root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(judging, "judge", fake_judge)
    monkeypatch.setattr(grading, "find_bwrap", lambda: ())
    monkeypatch.setattr(keys, "grader_version", lambda assignment: "test")
    return TinyClass(tmp_path)


@pytest.fixture
def with_bonus(tiny, tiny_module, monkeypatch):
    """The tiny class, where `triple` is a bonus."""
    monkeypatch.setattr(tiny_module, "QUESTIONS", BONUS_QUESTIONS)
    make_triple_a_bonus(tiny.course)
    return TinyClass(tiny.course.folder.parent)

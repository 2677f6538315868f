"""nbgrader's exchange, for classes on a hub, with the course's own settings."""

from __future__ import annotations

import shutil

import pytest
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import (
    ExchangeCollect,
    ExchangeFetchAssignment,
    ExchangeFetchFeedback,
    ExchangeReleaseAssignment,
    ExchangeReleaseFeedback,
    ExchangeSubmit,
)

from autograder import grading
from autograder.course import SETTINGS
from autograder.feedback import write_feedback


@pytest.fixture
def exchange(tiny, tmp_path, monkeypatch):
    """Run a step of the exchange, in a student's own folder."""
    shutil.copytree(tiny.course.released, tiny.course.exercises)
    root, home = tmp_path / "exchange", tmp_path / "home"
    root.mkdir()
    root.chmod(0o777)
    home.mkdir()
    monkeypatch.chdir(home)
    settings = tiny.course.folder / SETTINGS
    settings.write_text(f"c.Exchange.root = {str(root)!r}\n")
    config = tiny.course.nbgrader()
    config.Exchange.assignment_dir = str(home)
    config.Exchange.cache = str(tmp_path / "cache")

    def run(step):
        directory = CourseDirectory(config=config)
        directory.assignment_id = "tiny"
        step(
            coursedir=directory,
            authenticator=Authenticator(config=config),
            config=config,
        ).start()

    run.home = home
    return run


def hand_in(tiny, exchange, notebook):
    exchange(ExchangeReleaseAssignment)
    exchange(ExchangeFetchAssignment)
    tiny.hand_in("s000", notebook).replace(exchange.home / "tiny" / "tiny.ipynb")
    shutil.rmtree(tiny.course.submitted / "s000")
    exchange(ExchangeSubmit)
    exchange(ExchangeCollect)
    (row,) = grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    return row


def test_from_release_to_grade(tiny, exchange):
    row = hand_in(tiny, exchange, tiny.answered())
    assert (row.score, row.status, row.flags) == (5, "graded", "needs-manual")
    place = tiny.course.submitted / row.student_id / "tiny"
    assert (place / "timestamp.txt").is_file()


@pytest.mark.parametrize("broken", [False, True])
def test_feedback_goes_back_the_same_way(tiny, exchange, broken):
    row = hand_in(tiny, exchange, b"{" if broken else tiny.answered())
    assert row.status == ("quarantined" if broken else "graded")
    write_feedback(tiny.course, ["tiny"])
    exchange(ExchangeReleaseFeedback)
    exchange(ExchangeFetchFeedback)
    (page,) = (exchange.home / "tiny" / "feedback").rglob("tiny.html")
    assert ("cut short" if broken else "double_values") in page.read_text()

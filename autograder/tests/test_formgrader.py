"""nbgrader's formgrader, on a graded class, in a real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from autograder import grading, judging
from autograder.feedback import write_feedback
from autograder.gradebook import opened
from autograder.roster import import_roster
from autograder.tests.tiny import cell_of, fake_judge

try:
    from convlab.browser import NoBrowser, find_browser, started

    find_browser()
    WHY_NOT = ""
except (ImportError, NoBrowser) as error:
    WHY_NOT = str(error)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT),
]

ATTACK = (
    "<script>window.taken = 1</script>"
    "<img src='http://away.example/x' onerror='window.taken = 2'>"
)
LINKS = "[one](jav&#97;script:window.taken=3) $\\href{javascript:window.taken=4}{two}$"


def judge_that_shows_html(notebook, questions, **options):
    judgement = fake_judge(notebook, questions, **options)
    data = {
        "text/html": ATTACK,
        "application/javascript": "window.taken = 5",
        "image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{ATTACK}</svg>",
        "text/latex": LINKS,
        "text/plain": "nothing",
    }
    for outputs in judgement.outputs.values():
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return judgement


@pytest.fixture
def graded(tiny, tmp_path, monkeypatch):
    """s001's answer waits for a person; s002 attacks who opens the notebook."""
    path = tmp_path / "roster.csv"
    path.write_text(f'id,first_name,last_name\ns001,Name,One\ns002,"{ATTACK}",Two\n')
    import_roster(tiny.course, path)
    tiny.hand_in("s001", tiny.answered())
    hostile = tiny.answered(double=f"def double(x):\n    return '''{ATTACK}'''")
    cell_of(hostile, "why").source = f"{ATTACK}\n\n{LINKS}"
    hostile["metadata"]["title"] = ATTACK
    for cell in hostile["cells"]:
        cell["metadata"]["tags"] = [f"'>{ATTACK}"]
    tiny.hand_in("s002", hostile)
    monkeypatch.setattr(judging, "judge", judge_that_shows_html)
    grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    return tiny


@contextmanager
def jupyter(folder, course):
    """The address of a Jupyter server in a folder, with the course's settings."""
    (folder / "nbgrader_config.py").write_text(
        "from pathlib import Path\nfrom autograder.course import Course\n"
        f"c.merge(Course({str(course.folder)!r}, {str(course.repository)!r})"
        ".nbgrader())\n"
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "jupyter.log"
    command = [
        sys.executable, "-m", "jupyter", "server", f"--port={port}", "--no-browser",
        "--ServerApp.port_retries=0", "--IdentityProvider.token=", "--allow-root",
    ]  # fmt: skip
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config")}
    with open(log, "w") as file:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=file, stderr=file
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/api", server, log)
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_for(address, server, log):
    while server.poll() is None:
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"Jupyter ended:\n{log.read_text()}")


@contextmanager
def watched(browser, address):
    """A page that reaches the server alone, and what it tried to fetch elsewhere."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.elsewhere = []

    def choose(route):
        if route.request.url.startswith(address):
            route.continue_()
        else:
            page.elsewhere.append(route.request.url)
            route.abort()

    page.route("**/*", choose)
    yield page
    page.close()


def saved(page, kind, act):
    """Do something that formgrader saves at once, and wait until it is."""
    with page.expect_response(
        lambda answer: f"/api/{kind}/" in answer.url
        and answer.request.method == "PUT"
    ) as answer:
        act()
    assert answer.value.ok


def fill(page, selector, text):
    page.fill(selector, text)
    page.locator(selector).blur()


def open_submission(page, address, submission):
    page.goto(f"{address}/formgrader/submissions/{submission}/")
    for kind in ("grades", "comments"):
        page.wait_for_function(f"formgrader.{kind} && formgrader.{kind}.loaded")


def nothing_ran(page):
    """Whether no code of a student's ran, nor could by a click, nor called home."""
    links = page.eval_on_selector_all("a[href]", "all => all.map(one => one.protocol)")
    mathjax = [url for url in page.elsewhere if "/mathjax/" in url]
    assert page.evaluate("window.taken") is None
    assert {*links} <= {"http:"}
    assert page.elsewhere == mathjax


def test_a_submission_is_graded_by_hand_and_fed_back(graded, tmp_path):
    with opened(graded.course) as gradebook:
        submissions = gradebook.notebook_submissions("tiny", "tiny")
        ids = {one.student.id: one.id for one in submissions}
    words = "Clear, and 1 < 2 & so on."
    with (
        jupyter(tmp_path, graded.course) as address,
        started() as browser,
        watched(browser, address) as page,
    ):
        for place in ("manage_assignments", "manage_students", "gradebook",
                      "manage_submissions/tiny", "gradebook/tiny/tiny"):  # fmt: skip
            page.goto(f"{address}/formgrader/{place}")
            page.wait_for_selector("tbody tr td:nth-child(3)")
            nothing_ran(page)
        assert "Submission #2" in page.inner_text("tbody")

        open_submission(page, address, ids["s001"])
        saved(page, "grade", lambda: fill(page, "#why", "4"))
        saved(page, "grade", lambda: fill(page, "#why_extra_credit", "1.5"))
        saved(page, "comment", lambda: fill(page, "#why-comment", words))

        open_submission(page, address, ids["s002"])
        page.hover(".glyphicon-eye-open")
        assert "window.taken" in page.inner_text("body"), "shown, not run"
        nothing_ran(page)

    write_feedback(graded.course, ["tiny"])
    shown = graded.course.feedback / "s001" / "tiny" / "tiny.html"
    assert "Clear, and 1 &lt; 2 &amp; so on." in shown.read_text()
    assert "5.5 of 5 points" in shown.read_text()
    rows = grading.grade(graded.course, ["tiny"], workers=0, say=lambda line: None)
    assert [row.score for row in rows] == [3 + 2 + 4 + 1.5, 2]
    assert [row.flags for row in rows] == ["", "needs-manual"]

"""The grader's pages in a real browser: they stand alone and everyone can read them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from autograder import grading, judging, keys
from autograder.feedback import write_feedback
from autograder.report import write_report
from autograder.tests.styles import all_styles
from autograder.tests.tiny import TinyClass, cell_of, code, fake_judge
from convlab.browser import NoBrowser, find_browser, started

pytestmark = pytest.mark.browser
PAGES = ("report", "wrong", "hostile", "broken")
ATTACK = "<script>document.title = 'taken'</script><img src=http://192.0.2.1/x.png>"


@pytest.fixture(scope="module")
def browser():
    try:
        find_browser()
    except NoBrowser as error:
        pytest.skip(str(error))
    with started() as browser:
        yield browser


@pytest.fixture(scope="module")
def made(tiny_root, tmp_path_factory) -> Path:
    """A graded class with something of everything; where its pages lie."""
    root = tmp_path_factory.mktemp("pages")
    shutil.copytree(tiny_root, root, dirs_exist_ok=True)
    tiny = TinyClass(root)
    hand_in_everything(tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "judge", fake_judge)
        patch.setattr(grading, "find_bwrap", lambda: ())
        patch.setattr(keys, "grader_version", lambda assignment: "test")
        grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
        write_feedback(tiny.course, ["tiny"])
        write_report(tiny.course, ["tiny"])
    return tiny.course.folder


def hand_in_everything(tiny: TinyClass) -> None:
    long = "\n\n".join(all_styles()["steps"].values())
    triple = f"{long}\n\n\ndef triple(x):\n    return x + 3"
    for student in ("wrong", "copy"):
        tiny.hand_in(student, tiny.answered(triple=triple))
    hostile = tiny.answered()
    formula = "$$" + " + ".join(f"x_{n}" for n in range(99)) + "$$"
    cell_of(hostile, "why").source = f"{ATTACK}\n\n{'a' * 300}\n\n{formula}"
    hostile.cells.insert(1, code("x", f"import socket  # {ATTACK}\nx = {'1 + ' * 80}1"))
    cell_of(hostile, "double_values").source = f"3 # {ATTACK}"
    tiny.hand_in("hostile", hostile)
    tiny.hand_in("broken", b"{")


@pytest.fixture(scope="module", params=PAGES)
def page(request, made, browser):
    """Each page, opened once, all that is folded open."""
    path = made / "reports" / "report.html"
    if request.param != "report":
        path = made / "feedback" / request.param / "tiny" / "tiny.html"
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.asked = []
    opened.on("request", lambda one: opened.asked.append(one.url))
    opened.goto(path.as_uri())
    opened.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    yield opened
    context.close()


def violations(page, **options) -> list:
    found = Axe().run(page, options={
        "preload": False, "resultTypes": ["violations"], **options})
    return [(one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in found.response["violations"]
            if one["impact"] in ("moderate", "serious", "critical")]


def test_a_page_fetches_nothing_and_runs_nothing(page):
    assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
    assert page.title() != "taken"
    assert page.locator("script, iframe, object, embed").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_that_matters(page, scheme):
    page.emulate_media(color_scheme=scheme)
    assert violations(page) == []


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_its_width_and_what_scrolls_has_the_keyboard(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page, runOnly=["scrollable-region-focusable"]) == []
    stuck = page.evaluate("""() => [...document.querySelectorAll("body *")]
        .filter(one => one.scrollWidth > one.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)
            && one.tabIndex < 0 && !one.querySelector("a, summary"))
        .map(one => one.outerHTML.slice(0, 100))""")
    assert stuck == []


def test_paper_shows_what_is_folded_but_pairs_of_code(made, browser):
    context = browser.new_context()
    opened = context.new_page()
    opened.goto((made / "reports" / "report.html").as_uri())
    opened.emulate_media(media="print")
    grown = opened.evaluate("""() =>
        [...document.querySelectorAll("details:not([open])")]
        .filter(one => !one.parentElement.closest("details"))
        .map(one => one.scrollHeight > one.firstElementChild.scrollHeight + 5)""")
    assert grown and all(grown)
    pair = opened.locator("details.pair").first
    assert pair.bounding_box()["height"] < 60
    context.close()

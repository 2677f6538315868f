"""Quick questions in a real browser: by mouse, by keyboard, and without scripts."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("book")]


@pytest.fixture
def question(built, opened):
    """The first question of the spatial arithmetic chapter, on a phone."""
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri(), width=390)
    return page.locator(".quiz").first


def reasons(question) -> list[str]:
    """The reasons that can be seen."""
    return [reason.inner_text() for reason in
            question.locator(".question-feedback").all() if reason.is_visible()]


def told(question) -> str:
    """What a screen reader is told."""
    return question.get_by_role("status").text_content()


def answer(question, name: str):
    return question.get_by_role("button", name=name, exact=True)


def test_a_wrong_answer_says_why(question):
    assert reasons(question) == []
    answer(question, "3").click()
    question.locator("[aria-pressed=true]").wait_for()
    assert reasons(question) == ["Not this one. That would be right without the "
                                 "padding."]
    assert told(question) == reasons(question)[0]


def test_the_right_answer_is_told_and_replaces_the_wrong_one(question):
    answer(question, "3").click()
    answer(question, "4").click()
    question.locator("[aria-pressed=true]", has_text="4").wait_for()
    shown, = reasons(question)
    assert shown.startswith("Right. The padded input has 9 rows")
    assert told(question) == shown
    assert answer(question, "3").get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("key", ["Enter", " "])
def test_answers_are_given_and_taken_back_by_keyboard(question, key):
    page = question.page
    answer(question, "3").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText.trim()") == "4"
    page.keyboard.press(key)
    question.locator("[aria-pressed=true]").wait_for()
    assert told(question).startswith("Right.")
    page.keyboard.press(key)
    question.locator("[aria-pressed=true]").wait_for(state="detached")
    assert reasons(question) == []
    assert told(question) == ""


def test_the_questions_of_a_page_are_apart(question):
    answer(question, "3").click()
    question.locator("[aria-pressed=true]").wait_for()
    second = question.page.locator(".quiz").nth(1)
    assert reasons(second) == []


def test_a_click_on_the_reason_does_not_take_the_answer_back(question):
    answer(question, "3").click()
    question.locator(".question-feedback:visible").click()
    assert len(reasons(question)) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("right", [True, False])
def test_axe_finds_nothing_serious_in_answered_questions(built, opened, theme, right):
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri(), width=390,
                  theme=theme)
    kind = "correct" if right else "incorrect"
    for one in page.locator(".quiz").all():
        one.locator(f".option:has(.{kind}) .sd-card-body").first.click()
    page.wait_for_timeout(300)  # the colours fade in
    found = Axe().run(page, context=".quiz",
                      options={"preload": False}).response["violations"]
    assert [violation["id"] for violation in found
            if violation["impact"] in ("serious", "critical")] == []


def test_without_scripts_the_reason_of_the_right_answer_stands_there(built, opened):
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri(),
                  java_script_enabled=False)
    shown, = reasons(page.locator(".quiz").first)
    assert shown.startswith("Right.")

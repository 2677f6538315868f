"""The built pages in a real browser, from a folder, with no network."""

from __future__ import annotations

import functools
import http.server
import threading

import pytest
from axe_playwright_python.sync_playwright import Axe
from book_pages import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("book")]

WITH_MATHEMATICS = [page for page in PAGES if page.startswith("chapters/")]


def ready(page) -> None:
    """Wait until MathJax, where the page has it, has drawn every formula."""
    page.wait_for_function(
        "!document.querySelector('.math') || "
        "(window.MathJax?.startup?.promise && document.querySelector('mjx-container'))")
    page.evaluate("window.MathJax?.startup?.promise")


@pytest.mark.parametrize("name", PAGES)
def test_page_loads_alone_and_quietly(built, opened, name):
    """No request leaves the machine, no console error (see `opened`)."""
    page = opened((built / name).as_uri())
    ready(page)
    assert page.title()


@pytest.mark.parametrize("name", WITH_MATHEMATICS)
def test_mathematics_is_drawn(built, opened, name):
    page = opened((built / name).as_uri())
    ready(page)
    formulas = page.locator(".bd-article .math").count()
    assert formulas > 3
    assert page.locator(".bd-article .math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    sizes = page.eval_on_selector_all(
        "mjx-container > svg",
        "all => all.map(one => one.getBoundingClientRect().width)")
    assert min(sizes) > 0
    # A screen reader gets each formula as MathML.
    assert page.locator("mjx-assistive-mml math").count() >= formulas


@pytest.mark.parametrize("width", [360, 768])
@pytest.mark.parametrize("name", PAGES)
def test_only_wide_blocks_scroll_never_the_page(built, opened, name, width):
    page = opened((built / name).as_uri(), width=width)
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_what_scrolls_is_reached_by_keyboard(built, opened, name):
    page = opened((built / name).as_uri(), width=360)
    ready(page)
    page.wait_for_timeout(200)
    stuck = page.evaluate("""() => [...document.querySelectorAll(".bd-article *")]
        .filter(one => one.scrollWidth > one.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)
            && one.tabIndex < 0 && !one.querySelector("[tabindex='0'], a, button"))
        .map(one => one.className)""")
    assert stuck == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(built, opened, name, theme):
    page = opened((built / name).as_uri(), theme=theme)
    ready(page)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    # Folded answers are read too.
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    # No preload: axe would fetch stylesheets, which a page in a folder may not.
    violations = Axe().run(page, options={"preload": False}).response["violations"]
    assert [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]][:3])
        for violation in violations if violation["impact"] in ("serious", "critical")
    ] == []


def test_text_of_drawings_follows_the_theme(built, opened):
    colours = {}
    for theme in ("light", "dark"):
        page = opened((built / "chapters/convolution.html").as_uri(), theme=theme)
        colours[theme] = page.eval_on_selector(
            ".drawing-part text", "text => getComputedStyle(text).fill")
    assert colours["light"] != colours["dark"]


def test_drawn_text_stays_legible_on_a_phone(built, opened):
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri(), width=360)
    smallest = page.eval_on_selector_all(
        ".drawing-part text", """all => Math.min(...all.map(text =>
            parseFloat(text.getAttribute("font-size"))
            * text.getScreenCTM().a))""")
    assert smallest >= 9.5


def test_pictures_keep_their_proportions_on_a_phone(built, opened):
    page = opened((built / "chapters/convolution.html").as_uri(), width=360)
    ratios = page.eval_on_selector_all(".cell_output img", """all => all.map(one =>
        one.clientWidth / one.clientHeight / (one.naturalWidth / one.naturalHeight))""")
    assert len(ratios) >= 2
    assert ratios == pytest.approx([1] * len(ratios), rel=0.02)


def test_folded_answers_open_by_keyboard(built, opened):
    page = opened((built / "chapters/convolution.html").as_uri())
    answer = page.locator("details.sd-dropdown").first
    assert not answer.locator("p").last.is_visible()
    answer.locator("summary").focus()
    page.keyboard.press("Enter")
    assert answer.locator("p").last.is_visible()


def test_skip_link_leads_past_the_navigation(built, opened):
    page = opened((built / "chapters/convolution.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main-content"


def results(page) -> list[str]:
    page.wait_for_selector("#search-results ul.search li")
    page.wait_for_function(
        "document.querySelector('#search-results p')?.innerText.includes('finished')")
    return page.locator("#search-results ul.search li a").all_inner_texts()


def test_search_works_from_a_folder(built, opened):
    page = opened((built / "search.html").as_uri() + "?q=padding")
    assert any("Spatial arithmetic" in found for found in results(page))


def test_search_and_pages_work_when_served(built, opened):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=built)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            here = f"http://127.0.0.1:{server.server_port}"
            page = opened(f"{here}/search.html?q=padding")
            assert any("Spatial arithmetic" in found for found in results(page))
            assert page.locator("#search-results p.context").first.is_visible()
            ready(opened(f"{here}/chapters/convolution.html"))
        finally:
            server.shutdown()


def test_a_page_reads_without_scripts(built, opened):
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri(),
                  java_script_enabled=False)
    assert page.locator(".drawing-part svg").first.is_visible()
    page.locator("details.sd-dropdown summary").first.click()
    assert page.locator("details.sd-dropdown p").first.is_visible()

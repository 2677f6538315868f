"""The built pages in a real browser, from a folder, with no network."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from book_pages import PAGES
from conftest import Watched, watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("book")]


def ready(page) -> None:
    """Wait until MathJax, where the page has it, has drawn every formula."""
    page.wait_for_function(
        "!document.querySelector('.math') || "
        "(window.MathJax?.startup?.promise && document.querySelector('mjx-container'))")
    page.evaluate("window.MathJax?.startup?.promise")


@pytest.fixture(scope="module", params=PAGES)
def seen(request, built, chromium) -> Iterator[Watched]:
    """Each page of the book, opened once for all the tests that take it."""
    visit = watched(chromium, (built / request.param).as_uri())
    ready(visit.page)
    # Folded answers are read too, and no colour is caught half-way.
    visit.page.eval_on_selector_all(
        "details", "all => all.forEach(one => one.open = true)")
    visit.page.add_style_tag(content="*, ::before, ::after "
                             "{ transition: none !important }")
    yield visit
    visit.page.context.close()


def narrow(page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(200)  # what scrolls is marked anew


def test_page_loads_alone_and_quietly(seen):
    """No request leaves the machine, no console error."""
    assert seen.page.title()
    seen.behaved()


def test_mathematics_is_drawn(seen):
    page = seen.page
    formulas = page.locator(".bd-article .math").count()
    assert page.locator(".bd-article .math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    sizes = page.eval_on_selector_all(
        "mjx-container > svg",  # but in the reasons of answers not yet given
        "all => all.filter(one => one.checkVisibility())"
        ".map(one => one.getBoundingClientRect().width)")
    assert all(size > 0 for size in sizes)
    # A screen reader gets each formula as MathML.
    assert page.locator("mjx-assistive-mml math").count() >= formulas


def violations(page, options: dict) -> list:
    # No preload: axe would fetch stylesheets, which a page in a folder may not. To
    # list all that is right as well takes as long again.
    found = Axe().run(page, options={
        "preload": False, "resultTypes": ["violations"], **options})
    return [(one["id"], [node["html"][:120] for node in one["nodes"]][:3])
            for one in found.response["violations"]
            if one["impact"] in ("serious", "critical")]


def test_axe_finds_no_serious_violation(seen):
    assert seen.page.evaluate("document.documentElement.dataset.theme") == "light"
    assert violations(seen.page, {}) == []


def test_axe_finds_enough_contrast_in_the_dark(seen):
    """The one rule whose result depends on the theme."""
    page = seen.page
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    found = violations(page, {"runOnly": ["color-contrast"]})
    page.emulate_media(color_scheme="light")
    assert found == []


@pytest.mark.parametrize("width", [768, 360])
def test_only_wide_blocks_scroll_never_the_page(seen, width):
    narrow(seen.page, width)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_scrolls_is_reached_by_keyboard(seen):
    narrow(seen.page, 360)
    stuck = seen.page.evaluate("""() => [...document.querySelectorAll(".bd-article *")]
        .filter(one => one.scrollWidth > one.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)
            && one.tabIndex < 0 && !one.querySelector("[tabindex='0'], a, button"))
        .map(one => one.className)""")
    assert stuck == []


def test_a_page_stays_quiet_while_it_is_used(seen):
    seen.behaved()


def test_a_page_full_of_formulas_has_them(built, opened):
    page = opened((built / "chapters/spatial_arithmetic.html").as_uri())
    ready(page)
    assert page.locator(".bd-article .math mjx-container").count() > 20


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

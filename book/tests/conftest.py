"""One build of the book for all tests, and a browser that has no network."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from book.build import ROOT
from convlab.browser import NoBrowser, find_browser, started


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the HTML pages, built from nothing.

    Worker processes of one test run share it: the first to get the lock builds.
    """
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    output, log = folder / "book", folder / "book.log"
    with open(folder / "book.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not log.exists():
            run = subprocess.run(
                [sys.executable, "-m", "book.build", "--output", output], cwd=ROOT,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            log.write_text(f"{run.returncode}\n{run.stdout}")
    status, _, said = log.read_text().partition("\n")
    assert status == "0", f"the book does not build:\n{said}"
    return output / "html"


@dataclass
class Watched:
    """A browser page and what it did: requests that left, errors it printed."""

    page: object
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def behaved(self) -> None:
        """Fail if anything left this machine or went wrong on the page."""
        assert self.outside == []
        assert self.errors == []


def watched(browser, url: str, width: int = 1280, theme: str = "light",
            **options) -> Watched:
    """Open an address in a fresh page, stop every request that would leave."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, **options)
    seen = Watched(context.new_page())

    def stop_outside(route):
        address = route.request.url
        if address.startswith(("file:", "data:", "blob:", "http://127.0.0.1:")):
            route.continue_()
        else:
            seen.outside.append(address)
            route.abort()

    context.route("**/*", stop_outside)
    seen.page.on("console", lambda message: seen.errors.append(message.text)
                 if message.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    # "csp" is a script that is not run because scripts are switched off.
    seen.page.on("requestfailed", lambda request: seen.errors.append(
        f"{request.url}: {request.failure}") if request.failure != "csp" else None)
    seen.page.goto(url)
    # As long as "networkidle" would wait. That event itself does not come for
    # about one page in a hundred, though nothing is loading.
    seen.page.wait_for_timeout(500)
    return seen


@pytest.fixture(scope="session")
def chromium():
    """The system's Chromium, driven by playwright."""
    try:
        find_browser()
    except NoBrowser as error:
        pytest.skip(str(error))
    with started() as browser:
        yield browser


@pytest.fixture
def opened(chromium) -> Iterator:
    """Open an address in a fresh page; at the end, nothing may have gone wrong."""
    all_seen: list[Watched] = []

    def open_page(url: str, **options) -> object:
        all_seen.append(watched(chromium, url, **options))
        return all_seen[-1].page

    yield open_page
    for seen in all_seen:
        seen.page.context.close()
    for seen in all_seen:
        seen.behaved()

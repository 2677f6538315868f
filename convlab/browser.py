"""Where this machine's Chromium is: for the PDF, and for tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoBrowser(RuntimeError):
    """There is no Chromium. The message says what to do."""


def find_browser() -> str:
    """The path of a Chromium or Chrome; NoBrowser where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise NoBrowser(
            f"There is no Chromium here: none of {', '.join(NAMES)} is a command. "
            "Install one (Debian and Ubuntu: apt-get install chromium) and try again.")
    return path


@contextmanager
def started() -> Iterator[object]:
    """A running browser without a window, as a playwright Browser."""
    path = find_browser()
    from playwright.sync_api import sync_playwright

    # Chromium refuses to sandbox itself when root starts it.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=sandbox)
        try:
            yield browser
        finally:
            browser.close()

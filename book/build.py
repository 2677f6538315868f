"""`python -m book.build [--output FOLDER]`: the book as HTML, every cell run.

Every Sphinx warning, an unresolved reference included (-n -W --keep-going),
makes the exit status 1. A second run with nothing changed takes seconds: pages
and outputs are kept under the output folder, and thrown away as soon as any
code that they could depend on has changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

from jupyter_book.sphinx import build_sphinx

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parent
# What a page's text, figures and outputs come from, apart from the page itself
# (Sphinx and jupyter-cache see a changed page or cell on their own).
CODE = ("book/*.py", "book/extension/**/*.py", "book/figures/**/*.py",
        "book/_config.yml", "book/results/*", "book/experiments/*.py",
        "convlab/**/*.py", "constraints.txt")


def fingerprint() -> str:
    """A digest of every file in CODE, names and bytes."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({p for glob in CODE for p in ROOT.glob(glob)}):
        if path.is_file():
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def discard_stale(output: Path) -> None:
    """Empty the output folder if it was built with other code."""
    stamp, now = output / "code.sha256", fingerprint()
    if output.exists() and (not stamp.exists() or stamp.read_text() != now):
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    stamp.write_text(now)


def isolate_kernels(output: Path) -> None:
    """Give the pages' kernels an IPython folder of their own, and this package.

    So a reader's own IPython startup files don't change what a page shows, and a
    cell can import book.experiments. The log level drops a notice that kernels talk
    over TCP, which they do with this machine alone.
    """
    profile = output / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(
        "c = get_config()\nc.IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(output / "ipython")
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), before)))


def build(output: Path, source: Path = BOOK) -> bool:
    """Build into output/html; True when there was not one warning."""
    discard_stale(output)
    isolate_kernels(output)
    status = build_sphinx(
        source, output / "html", doctreedir=output / "doctrees", noconfig=True,
        path_config=source / "_config.yml", quiet=True,
        warningiserror=True, keep_going=True,
        confoverrides={
            "external_toc_path": (source / "_toc.yml").as_posix(),
            "latex_individualpages": False,
            "nb_execution_cache_path": str(output / "cells"),
            "nitpicky": True,
        })
    if status != 0:
        # Sphinx does not repeat the warnings of a page it has already read:
        # forget what was read, so that the next run can't pass by accident.
        shutil.rmtree(output / "doctrees", ignore_errors=True)
    return status == 0


def summary(html: Path, seconds: float) -> str:
    """What was built, how heavy it is and where to open it."""
    pages = list(html.rglob("*.html"))
    files = [path for path in html.rglob("*") if path.is_file()]
    heaviest = max(pages, key=lambda page: page.stat().st_size)
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    return (f"{len(pages)} pages in {seconds:.1f} s, {megabytes:.1f} MB; the "
            f"heaviest is {heaviest.relative_to(html)}, "
            f"{heaviest.stat().st_size / 1e3:.0f} kB.\n"
            f"Open {html / 'index.html'}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m book.build", description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=BOOK / "_build",
                        help="where to build (default: book/_build)")
    output = parser.parse_args(arguments).output.resolve()
    started = time.perf_counter()
    if not build(output):
        print("The book was built with warnings (above): each must be put right.",
              file=sys.stderr)
        return 1
    print(summary(output / "html", time.perf_counter() - started))
    return 0


if __name__ == "__main__":
    sys.exit(main())

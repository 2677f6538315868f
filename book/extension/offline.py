"""Nothing from the network: mathematics and search from local files.

MathJax comes from the PyPI package sphinx-mathjax-offline. Of its 24 MB one
file is copied: the component that draws formulas as SVG paths. Unlike the HTML
output it needs no web fonts, which some browsers refuse to a page opened
straight from a folder (file://).
"""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from sphinx.util.fileutil import copy_asset

MATHJAX = "tex-svg.js"

# The menu could switch on parts of MathJax that are not shipped.
MATHJAX_CONFIG = {"options": {"enableMenu": False}}


def mathjax_folder() -> Path:
    """Where the installed package keeps its files.

    Its module name has hyphens, so it is found, not imported.
    """
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "the package sphinx-mathjax-offline is missing: "
            "pip install -r requirements.txt")
    return Path(spec.origin).parent / "static" / "mathjax"


def use_local_mathjax(app, config):
    config.mathjax_path = f"mathjax/{MATHJAX}"
    config.mathjax3_config = MATHJAX_CONFIG


def copy_mathjax(app, error):
    if error is None and app.builder.format == "html":
        copy_asset(mathjax_folder() / MATHJAX, Path(app.outdir, "_static/mathjax"))


def drop_unused(app, error):
    """Leave out what no page loads: the theme's source maps, its translations, and
    its icons once more as TrueType, which only old browsers ask for."""
    static = Path(app.outdir, "_static")
    for pattern in ("*.map", "*.ttf"):
        for path in static.rglob(pattern):
            path.unlink()
    shutil.rmtree(static / "locales", ignore_errors=True)


def setup(app):
    # Jupyter Book always sets this one, whether sphinx_comments is used or not.
    app.add_config_value("comments_config", {}, "html")
    app.connect("config-inited", use_local_mathjax)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_unused)

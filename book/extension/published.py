"""What only a published copy needs: a 404 page, a sitemap, canonical addresses.

All of it names the address of the site, which no build can know. So it is made only
where BOOK_URL says it, as the publishing workflow does:

    BOOK_URL=https://example.org/course/ make book

A 404 page is shown at any address below the site, so its links cannot be relative;
the package sphinx-notfound-page makes them start with the path of BOOK_URL. The
sitemap is written here because the known extension lists only pages that a build has
written anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from sphinx.errors import ConfigError

VARIABLE = "BOOK_URL"
MISSING = {
    "title": "Page not found",
    "body": "<h1>Page not found</h1><p>There is no page at this address. The contents "
            "are beside this text, and the search above them finds any word of the "
            "book.</p>",
}


def site_address() -> str:
    """The site's address, with a slash at its end; empty where nothing is said."""
    address = os.environ.get(VARIABLE, "").strip()
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not parts.netloc
                    or parts.query or parts.fragment):
        raise ConfigError(f"{VARIABLE} is {address!r}; give the address of the site's "
                          "first page, such as https://example.org/course/")
    return address.rstrip("/") + "/" if address else ""


def know_address(app, config):
    config.html_baseurl = site_address()
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path
    config.notfound_context = MISSING


def write_sitemap(app, error):
    """Every page of the contents, and where a robot finds the list."""
    if error is not None or app.builder.format != "html":
        return
    base = app.config.html_baseurl
    addresses = [base + app.builder.get_target_uri(page)
                 for page in sorted(app.env.found_docs)]
    lines = "".join(f"<url><loc>{escape(one)}</loc></url>\n" for one in addresses)
    Path(app.outdir, "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        f"{lines}</urlset>\n", encoding="utf-8")
    Path(app.outdir, "robots.txt").write_text(
        f"User-agent: *\nAllow: /\nSitemap: {base}sitemap.xml\n", encoding="utf-8")


def setup(app):
    if site_address():
        app.setup_extension("notfound.extension")
        app.connect("config-inited", know_address)
        app.connect("build-finished", write_sitemap)

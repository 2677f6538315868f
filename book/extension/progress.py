"""One line a page while the book is read and written."""

from __future__ import annotations


def start(app, env, docnames):
    app.book_reading = {"count": 0, "of": len(docnames)}
    if docnames:
        print(f"reading {len(docnames)} pages and running their code", flush=True)


def page_read(app, docname, source):
    reading = app.book_reading
    reading["count"] += 1
    print(f"  [{reading['count']}/{reading['of']}] {docname}", flush=True)


def writing(app, env):
    print("writing pages", flush=True)


def setup(app):
    app.connect("env-before-read-docs", start)
    app.connect("source-read", page_read)
    app.connect("env-updated", writing)

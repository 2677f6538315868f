"""What the book's pages can say beyond MyST, as one Sphinx extension.

- `accessible`: corrections for screen readers;
- `calc`: numbers that are computed, never typed;
- `citations`: the bibliography's labels;
- `drawn`: figures that are drawn from numbers when the page is built;
- `interactive`: figures that a script brings to life;
- `offline`: local mathematics and search, so that no page needs the network;
- `progress`: a line a page while building;
- `published`: what only a published copy needs, a 404 page and a sitemap;
- `quiz`: quick questions with a reason for every answer;
- `slides`: the lecture slide by slide, with what covers it;
- `titles`: page titles for search results.
"""

from . import (
    accessible,
    calc,
    citations,
    drawn,
    interactive,
    offline,
    progress,
    published,
    quiz,
    slides,
    titles,
)


def setup(app):
    accessible.setup(app)
    calc.setup(app)
    citations.setup(app)
    drawn.setup(app)
    interactive.setup(app)
    offline.setup(app)
    progress.setup(app)
    published.setup(app)
    quiz.setup(app)
    slides.setup(app)
    titles.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

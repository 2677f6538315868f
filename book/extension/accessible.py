"""Corrections to generated HTML that a screen reader needs."""

from __future__ import annotations

# docutils marks the bibliography as a list whose entries are no list items.
ROLES = {'role="doc-biblioentry"': 'role="listitem"'}


def correct_roles(app, pagename, templatename, context, doctree):
    for wrong, right in ROLES.items():
        if "body" in context:
            context["body"] = context["body"].replace(wrong, right)


def setup(app):
    app.connect("html-page-context", correct_roles)

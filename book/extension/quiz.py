"""Quick questions: `{question}`, answered by a click or a key, with a reason each.

    :::{question}
    How deep is a 5x5 filter on a {calc}`image` image?
    ---
    [ ] {calc}`image[2] - 2`
    > That would be one sheet, for images without colour.
    [x] {calc}`image[2]`
    > A filter is as deep as its input.
    ---
    :::

Question, answers and reasons are MyST, so numbers follow the book's rule. The
directive and its script come from the package teachbooks-questions. Its own setup also
loads a formula editor from the network, so it is not called: what is used
is set up here. interactive/quiz.js makes the answers buttons for keyboard and screen
reader; where no script runs, the right answer's reason is shown.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset
from teachbooks_questions import (
    QuestionDirective,
    depart_question_node,
    question_node,
)

logger = logging.getLogger(__name__)

LIBRARY = Path(str(files("teachbooks_questions"))) / "_static"
TAKEN = {"teachbooks_mcss.js", "teachbooks_questions.css"}  # one choice, and its style
STYLES = ("quiz/teachbooks_questions.css", "interactive/quiz.css")
SCRIPTS = ("quiz/teachbooks_mcss.js", "interactive/quiz.js")


class Question(QuestionDirective):
    """One question with one right answer and a reason for every answer."""

    option_spec = {name: QuestionDirective.option_spec[name]
                   for name in ("label", "columns")}

    def run(self):
        self.arguments = self.arguments or ["Quick question"]
        self.options["nocaption"] = None
        try:
            return super().run()
        except ValueError as error:
            logger.warning("{question}: %s", error, location=self.get_location())
            return []

    def _parse_multiple_choice_options(self, options_raw, feedback):
        options = super()._parse_multiple_choice_options(options_raw, feedback)
        right = sum(option["is_correct"] for option in options)
        if len(options) < 2 or right != 1:
            raise ValueError(f"{len(options)} answers, {right} of them right: give at "
                             "least two, and mark exactly one with [x]")
        for option in options:
            if option["feedback"] is feedback[option["is_correct"]]:
                raise ValueError("an answer has no reason: add a line that starts "
                                 f"with > after {option['content'][0]!r}")
            verdict = "Right." if option["is_correct"] else "Not this one."
            option["feedback"][0] = f"**{verdict}** {option['feedback'][0]}"
            option["show"] = StringList()  # a second copy, for a button not shown
        return options

    def _add_button_section(self, *_):
        """No buttons: a click answers, and another one takes it back."""


def visit_question(self, node):
    """As the package's own, which writes the id twice."""
    self.body.append(self.starttag(
        node, "div", CLASS=f"quiz {node['type']} {node['variant']}"))


def copy_scripts(app):
    if app.builder.format == "html":
        for name in TAKEN:
            copy_asset(LIBRARY / name, Path(app.outdir, "_static/quiz"))


def load_scripts(app, pagename, templatename, context, doctree):
    if 'class="quiz multiple-choice' in context.get("body", ""):
        for style in STYLES:
            app.add_css_file(style)
        for script in SCRIPTS:
            app.add_js_file(script, loading_method="defer")


def setup(app):
    app.add_directive("question", Question)
    app.add_node(question_node, html=(visit_question, depart_question_node))
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", load_scripts)

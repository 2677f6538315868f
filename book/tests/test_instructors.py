"""What the pages tell people to type, and the grader's words, are there."""

from __future__ import annotations

import re

import pytest
from book_pages import sources

from autograder.__main__ import main
from book.build import BOOK, ROOT

PAGES = "\n".join(source.read_text() for source in sources())
GRADER = "\n".join(path.read_text() for path in (ROOT / "autograder").glob("*.py"))


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^\$ |`)make (\w+)", PAGES, re.MULTILINE))
    assert named
    assert [one for one in named if not re.search(rf"^{one}:", makefile, re.M)] == []


def typed() -> set[tuple[str, str]]:
    """(command, option) for each `python -m autograder` line; "" for no option."""
    found = set()
    for line in re.findall(r"-m autograder (.+)", PAGES):
        command = next((word for word in line.split() if word in main.commands), "")
        found |= {(command, option) for option in
                  ["", *re.findall(r"--[\w-]+", line)]}
    return found


@pytest.mark.parametrize(("command", "option"), sorted(typed()))
def test_commands_and_options_of_the_grader_exist(command, option):
    if not option or option == "--help":
        return
    known = {name for one in (main, main.commands.get(command)) if one
             for parameter in one.params
             for name in (*parameter.opts, *parameter.secondary_opts)}
    assert option in known


def test_every_command_of_the_grader_is_in_the_guide():
    guide = (BOOK / "instructors.md").read_text()
    assert [name for name in main.commands if name not in guide] == []


def test_every_flag_of_the_guide_is_the_graders():
    guide = (BOOK / "instructors.md").read_text()
    flags = [flag for row in re.findall(r"^\| (`.*?) \|", guide, re.MULTILINE)
             for flag in re.findall(r"`([\w-]+)`", row)]
    assert len(flags) > 20
    known = GRADER + (ROOT / "autograder/scores.py").read_text()
    assert [flag for flag in flags if f'"{flag}"' not in known] == []


def test_every_finding_of_the_grader_is_in_the_guide():
    from autograder.integrity import WORDS

    guide = (BOOK / "instructors.md").read_text()
    assert [flag for flag in WORDS if f"`{flag}`" not in guide
            and flag != "not-looked-at"] == []

"""Exports: nbgrader's totals, in files that Canvas and Moodle take back."""

from __future__ import annotations

import csv
import io

import pytest
from nbgrader.plugins import CsvExportPlugin

from autograder import grading
from autograder.course import SETTINGS, CourseError
from autograder.export import export, graded
from autograder.gradebook import opened
from autograder.late import refresh_penalties
from autograder.roster import import_roster
from autograder.spreadsheet import harmless, unquoted
from autograder.tests.test_late import DUE, NEXT_DAY, TWO_A_DAY
from autograder.tests.tiny import cell_of

ROSTER = (
    "id,first_name,last_name,email,lms_user_id\n"
    "s001,Name,One,name@x.org,7001\ns002,=cmd(),Two,two@x.org,7002\n"
    "s003,Nom,Eff,nom@x.org,7003\ns004,Dan,Gee,dan@x.org,7004\n"
)


@pytest.fixture
def graded_class(tiny):
    """s001: 5 and 4 by hand and 1.5 extra. s002: 3. s003: in quarantine.

    s004 is on the roster and handed in nothing; s009 handed in and is not on it.
    """
    wrong = "def triple(x):\n    return x + 3"
    tiny.hand_in("s001", tiny.answered())
    tiny.hand_in("s002", tiny.answered(triple=wrong))
    tiny.hand_in("s003", b"{")
    tiny.hand_in("s009", tiny.answered())
    unwritten = tiny.answered(triple=wrong)
    cell_of(unwritten, "why").source = cell_of(tiny.untouched(), "why").source
    tiny.hand_in("s002", unwritten)
    path = tiny.course.folder / "given.csv"
    path.write_text(ROSTER)
    import_roster(tiny.course, path)
    grade(tiny)
    with opened(tiny.course) as gradebook:
        found = gradebook.find_grade("why", "tiny", "tiny", "s001")
        found.manual_score, found.needs_manual_grade = 4, False
        found.extra_credit = 1.5
        gradebook.db.commit()
    return tiny


def grade(tiny):
    grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)


def exported(tiny, platform, text="", **options):
    """What an export writes: its table, and the remarks."""
    to = tiny.course.folder / "out.csv"
    given = None
    if text:
        given = tiny.course.folder / "platform.csv"
        given.write_text(text, encoding="utf-8")
    done = export(
        tiny.course, ["tiny"], to, platform=platform, given=given, **options
    )
    with open(to, newline="", encoding="utf-8") as file:
        return list(csv.reader(file)), "\n".join(done.remarks)


def column(table, heading, by=0):
    place = table[0].index(heading)
    return {row[by].strip(): row[place] for row in table[1:]}


def test_the_table_has_everyone_and_nbgraders_totals(graded_class):
    table, remarks = exported(graded_class, "csv")
    assert column(table, "score") == {
        "s001": "10.5", "s002": "3", "s003": "0", "s004": "0", "s009": "5"
    }  # fmt: skip
    assert column(table, "bonus")["s001"] == "1.5"
    assert column(table, "status") == {
        "s001": "graded", "s002": "graded", "s003": "quarantined", "s004": "missing",
        "s009": "graded",
    }  # fmt: skip
    assert "not-on-roster" in column(table, "flags")["s009"]
    assert column(table, "first_name")["s002"] == "'=cmd()"
    assert column(table, "tiny/triple_values")["s001"] == "2"
    assert column(table, "tiny/triple_values")["s004"] == ""
    assert "nothing handed in, exported as 0: s004" in remarks
    assert "still wait for a person: 1" in remarks, "s009's answer"


def test_scores_are_those_of_nbgraders_own_export(graded_class):
    tiny = graded_class
    (tiny.course.folder / SETTINGS).write_text(TWO_A_DAY)
    (tiny.folder("s002") / "timestamp.txt").write_text(NEXT_DAY)
    with opened(tiny.course) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate=DUE)
    grade(tiny)
    refresh_penalties(tiny.course, ["tiny"])
    table, _ = exported(tiny, "csv")
    assert column(table, "late_penalty")["s002"] == "3", "no more than there is"
    to = tiny.course.folder / "theirs.csv"
    with opened(tiny.course) as gradebook:
        CsvExportPlugin(to=str(to)).export(gradebook)
    with open(to, newline="") as file:
        theirs = {r["student_id"]: float(r["score"]) for r in csv.DictReader(file)}
    assert {n: float(s) for n, s in column(table, "score").items()} == theirs
    assert theirs["s002"] == 0


CANVAS = '''Student,ID,SIS User ID,SIS Login ID,Section,Notes,Tiny! (91),Other (92),Final Score
,,,,,,Manual Posting,,
    Points Possible,,,,,,10,5,(read only)
"One, Name",7001,u1,name,"Mon, Tue",n,,3,1
"=cmd()",7002,=u2,dee,Mon,n,,4,1
"Eff, Nom",7003,u3,cas,Mon,n,EX,4,1
"Gee, Dan",7004,u4,dan,Mon,n,7,4,1
"Hay, Eve",7005,u5,eve,Mon,n,2,4,1
"Student, Test",7006,,abc,Mon,n,,,
'''  # noqa: E501


def test_a_gradebook_from_canvas_is_filled_in(graded_class):
    table, remarks = exported(graded_class, "canvas", CANVAS)
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section",
                        "Tiny! (91)"]  # fmt: skip
    assert table[1] == ["    Points Possible", "", "", "", "", "10"]
    assert column(table[0:1] + table[2:], "Tiny! (91)", by=1) == {
        "7001": "10.5", "7002": "3", "7003": "EX", "7004": "0", "7005": "2"
    }  # fmt: skip
    dangerous = table[3]
    assert dangerous[:4] == ["'=cmd()", "7002", "'=u2", "dee"]
    assert "tiny: not in platform.csv, so not in the export: s009" in remarks
    assert "in platform.csv alone, left as it is: Hay, Eve 7005" in remarks
    assert "excused or not assigned in Canvas, left as it is: s003" in remarks


def test_canvas_knows_people_by_login_where_the_roster_has_no_number(tiny):
    tiny.hand_in("dee", tiny.answered())
    tiny.hand_in("U1", tiny.answered())
    grade(tiny)
    table, remarks = exported(tiny, "canvas", CANVAS)
    assert column(table, "Tiny! (91)", by=1) == {
        "": "10", "7001": "5", "7002": "5", "7003": "EX", "7004": "7", "7005": "2"
    }  # fmt: skip
    assert "alone" in remarks


def test_a_key_that_two_share_tells_nobody_apart(tiny):
    tiny.hand_in("dee", tiny.answered())
    grade(tiny)
    table, remarks = exported(tiny, "canvas", CANVAS.replace("u4,dan", "u4,dee"))
    assert set(column(table, "Tiny! (91)", by=1).values()) == {"10", "", "EX", "7", "2"}
    assert "not in platform.csv, so not in the export: dee" in remarks


def test_a_new_file_for_canvas(graded_class):
    table, _ = exported(graded_class, "canvas")
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section",
                        "tiny"]  # fmt: skip
    assert table[1] == ["    Points Possible", "", "", "", "", "10"]
    assert table[2] == ["One, Name", "7001", "", "s001", "", "10.5"]
    assert table[6] == ["s009", "", "", "s009", "", "5"]


def test_another_maximum_is_refused_or_scaled(graded_class):
    text = CANVAS.replace("Possible,,,,,,10", "Possible,,,,,,100")
    with pytest.raises(CourseError, match="10 points here and 100 on the platform"):
        exported(graded_class, "canvas", text)
    assert not (graded_class.course.folder / "out.csv").exists()
    table, _ = exported(graded_class, "canvas", text, scale=True)
    assert column(table, "Tiny! (91)", by=1)["7001"] == "105"


def test_a_column_of_another_name_is_chosen(graded_class):
    text = CANVAS.replace("Tiny! (91)", "Homework 2 (91)")
    with pytest.raises(CourseError, match="no column for tiny.*'Homework 2 .91.'"):
        exported(graded_class, "canvas", text)
    for heading in ("Homework 2 (91)", "Homework 2"):
        table, _ = exported(
            graded_class, "canvas", text, columns={"tiny": heading}
        )
        assert table[0][-1] == "Homework 2 (91)"


WORKSHEET = '''Identifier,Full name,ID number,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade),Feedback comments
Participant 41,Name One,s001,name@x.org,Submitted,,"10,00",Yes,-,-,
Participant 42,=cmd(),,two@x.org,Submitted,,"10,00",Yes,-,-,
Participant 43,Nom Eff,,,Submitted,"1,00","10,00",No,-,-,
Participant 44,Dan Gee,,,No submission,,"10,00",Yes,-,-,
Participant 45,Eve Hay,,,Submitted,,"10,00",Yes,-,-,
'''  # noqa: E501


def test_a_worksheet_from_moodle_is_filled_in(graded_class):
    table, remarks = exported(graded_class, "moodle", WORKSHEET)
    assert table[0] == next(csv.reader(io.StringIO(WORKSHEET)))
    assert column(table, "Grade") == {
        "Participant 41": "10", "Participant 42": "3", "Participant 43": "1,00",
        "Participant 44": "0", "Participant 45": "",
    }  # fmt: skip
    assert column(table, "Full name")["Participant 42"] == "'=cmd()"
    assert column(table, "Maximum Grade")["Participant 41"] == "10,00"
    assert "takes no more: s001 (10.5)" in remarks
    assert "cannot be changed, says Moodle: s003" in remarks
    assert "not in platform.csv, so not in the export: s009" in remarks
    assert "alone, left as it is: Participant 45 Eve Hay" in remarks


def test_decimals_are_written_as_moodle_writes_them(graded_class):
    with opened(graded_class.course) as gradebook:
        grade = gradebook.find_grade("why", "tiny", "tiny", "s001")
        grade.extra_credit, grade.manual_score = 0, 3.25
        gradebook.db.commit()
    table, _ = exported(graded_class, "moodle", WORKSHEET)
    assert column(table, "Grade")["Participant 41"] == "8,25"
    table, _ = exported(
        graded_class, "moodle", WORKSHEET.replace('"10,00"', "10.00")
    )
    assert column(table, "Grade")["Participant 41"] == "8.25"


def test_a_file_for_moodles_import(graded_class):
    table, _ = exported(graded_class, "moodle")
    assert table[1] == ["s001", "Name", "One", "name@x.org", "10.5"]
    assert table[2][:3] == ["s002", "'=cmd()", "Two"]


@pytest.mark.parametrize("platform", ["canvas", "moodle"])
def test_another_file_is_a_clear_error(graded_class, platform):
    with pytest.raises(CourseError, match="is not a"):
        exported(graded_class, platform, "a,b\n1,2\n")


def test_what_is_not_in_the_gradebook_is_not_exported_as_nothing(graded_class):
    tiny = graded_class
    with opened(tiny.course) as gradebook:
        gradebook.remove_submission("tiny", "s002")
    with pytest.raises(CourseError, match="s002's tiny is judged and not yet"):
        exported(tiny, "csv")
    tiny.course.gradebook.unlink()
    import_roster(tiny.course, tiny.course.folder / "given.csv")
    with pytest.raises(CourseError, match="tiny is not in the gradebook"):
        exported(tiny, "csv")
    assert not (tiny.course.folder / "out.csv").exists()


def test_the_platforms_own_file_is_not_written_over(graded_class):
    path = graded_class.course.folder / "mine.csv"
    path.write_text(CANVAS)
    with pytest.raises(CourseError, match="write to another"):
        export(graded_class.course, ["tiny"], path, platform="canvas", given=path)
    assert path.read_text() == CANVAS


def test_only_what_is_graded_is_exported(graded_class, tmp_path):
    assert graded(graded_class.course, []) == ["tiny"]
    (graded_class.course.verdicts / "tiny").rename(tmp_path / "away")
    assert graded(graded_class.course, []) == []
    with pytest.raises(CourseError, match="graded yet of tiny"):
        graded(graded_class.course, ["tiny"])


@pytest.mark.parametrize("text", ["=1", "+1+1", "-cmd", "@x", " =1", "\t=1"])
def test_formulas_are_neutralised_and_come_back(text):
    assert harmless(text) == "'" + text
    assert unquoted(harmless(text)) == text


@pytest.mark.parametrize("text", ["", "a=b", "-1.5", "+3,25", "7", "s001", "'quoted'"])
def test_what_is_no_formula_stays(text):
    assert harmless(text) == text
    assert unquoted(text) == text

"""The roster, from the files that nbgrader, Canvas and Moodle know."""

from __future__ import annotations

import pytest

from autograder import grading
from autograder.course import CourseError
from autograder.gradebook import opened
from autograder.roster import Student, import_roster, missing, read_roster, roster_of

NBGRADER = "id,first_name,last_name,email,lms_user_id\ns001,A,B,a@x.org,7\ns002,,,,\n"
CANVAS = '''\ufeffStudent,ID,SIS User ID,SIS Login ID,Section,ps2 (91),Final Score
,,,,,Manual Posting,
    Points Possible,,,,,10,(read only)
"One, Name",7001,u1,s001,"Monday, Tuesday",4,40
"=""=cmd()""",7002,u2,s002,Monday,,
"Student, Test",7003,,b1946ac92492d2347c6235b4d2611184,Monday,,
'''
CANVAS_TWO_NAMES = (
    "LastName,FirstName,ID,SIS Login ID,Section,ps2 (91)\nOne,Name,7001,s001,Monday,\n"
)
MOODLE = (
    "First name;Last name;ID number;Email address;Groups\n"
    "Name;One;s001;name@x.org;\nCé;Two;s002;ce@x.org;\n"
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade\n"
    "Participant 41,Name One,s001@x.org,Submitted,,10.00\n"
)


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "given.csv"
    path.write_text(text, encoding=encoding)
    return path


def students(tmp_path, text, **options):
    encoding = options.pop("encoding", "utf-8")
    return list(read_roster(write(tmp_path, text, encoding), **options).students)


def test_nbgraders_own_columns(tmp_path):
    assert students(tmp_path, NBGRADER) == [
        Student("s001", "A", "B", "a@x.org", "7"), Student("s002")
    ]  # fmt: skip


def test_a_gradebook_from_canvas(tmp_path):
    assert students(tmp_path, CANVAS) == [
        Student("s001", "Name", "One", lms_user_id="7001"),
        Student("s002", "", "=cmd()", lms_user_id="7002"),
    ]
    by_user = students(tmp_path, CANVAS, id_column="SIS User ID")
    assert [student.id for student in by_user] == ["u1", "u2"]
    assert students(tmp_path, CANVAS_TWO_NAMES) == [
        Student("s001", "Name", "One", lms_user_id="7001")
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lists_from_moodle(tmp_path, encoding):
    assert students(tmp_path, MOODLE, encoding=encoding) == [
        Student("s001", "Name", "One", "name@x.org"),
        Student("s002", "Cé", "Two", "ce@x.org"),
    ]
    assert students(tmp_path, WORKSHEET) == [
        Student("s001@x.org", "Name", "One", "s001@x.org")
    ]


def test_rows_that_cannot_be_students_are_listed(tmp_path):
    given = read_roster(write(tmp_path, "id,email\ns001,a\n../x,b\n,c\ns001,d\n\n"))
    assert [student.id for student in given.students] == ["s001"]
    assert given.left_out == (
        ("line 3", "'../x' cannot be a student's id"),
        ("line 4", "it has nothing in the column 'id'"),
        ("line 5", "s001 was there before"),
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"id\n", "no student in"),
        (b"name,points\na,1\n", "no column with ids.*--id.*'name', 'points'"),
        (b"id\n\xe9\n", "not UTF-8"),
        (b"PK\x03\x04\0\0", "not text"),
        (b'id\n"' + b"x" * 200_000, "line 2: field larger"),
    ],
)
def test_what_is_no_list_is_a_clear_error(tmp_path, data, said):
    path = tmp_path / "given.csv"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=said):
        read_roster(path)


def test_the_roster_is_kept_and_in_nbgraders_gradebook(tiny, tmp_path):
    imported = import_roster(tiny.course, write(tmp_path, CANVAS))
    assert imported.new == ("s001", "s002")
    with opened(tiny.course) as gradebook:
        found = gradebook.find_student("s001")
        assert (found.first_name, found.last_name) == ("Name", "One")
        assert found.lms_user_id == "7001"
    assert "s002,,'=cmd(),,7002" in tiny.course.roster.read_text()
    assert roster_of(tiny.course)["s002"].last_name == "=cmd()"


def test_another_import_replaces_or_adds_and_loses_nothing(tiny, tmp_path):
    import_roster(tiny.course, write(tmp_path, CANVAS))
    text = "id,email\ns001,a@x.org\ns003,c@x.org\n"
    added = import_roster(tiny.course, write(tmp_path, text), add=True)
    assert (added.new, added.gone) == (("s003",), ())
    assert roster_of(tiny.course)["s001"] == Student(
        "s001", "Name", "One", "a@x.org", "7001"
    )
    replaced = import_roster(tiny.course, write(tmp_path, text))
    assert (replaced.new, replaced.gone) == ((), ("s002",))
    assert sorted(roster_of(tiny.course)) == ["s001", "s003"]


def test_who_is_not_on_it_is_flagged_and_who_is_missing_is_known(tiny, tmp_path):
    import_roster(tiny.course, write(tmp_path, NBGRADER))
    for student in ("s001", "s009"):
        tiny.hand_in(student, tiny.answered())
    rows = grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)
    assert [row.flags for row in rows] == ["needs-manual", "needs-manual not-on-roster"]
    roster = roster_of(tiny.course)
    assert missing(roster, [row.student_id for row in rows]) == ["s002"]


def test_a_gradebook_that_was_removed_is_filled_again(tiny, tmp_path):
    tiny.hand_in("s001", tiny.answered())

    def grade():
        return grading.grade(tiny.course, ["tiny"], workers=0, say=lambda line: None)

    before = grade()
    tiny.course.gradebook.unlink()
    import_roster(tiny.course, write(tmp_path, NBGRADER))
    assert grade() == before


def test_without_a_roster_nobody_is_a_stranger(tiny):
    assert roster_of(tiny.course) is None
    assert missing(None, ["s001"]) == []

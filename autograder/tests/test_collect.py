"""Collecting: names of Canvas and Moodle, hostile archives, nothing overwritten."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import time
import zipfile

import pytest
from nbgrader.apps import ZipCollectApp
from nbgrader.coursedir import CourseDirectory

from autograder import archive as reading
from autograder import canvas, grading, moodle, uploads
from autograder.archive import BadArchive, Limits
from autograder.collect import collect
from autograder.course import CourseError
from autograder.gradebook import opened
from autograder.roster import import_roster

ROSTER = (
    "id,first_name,last_name,email,lms_user_id\n"
    "s001,Name,One,name@x.org,7001\ns002,Nom,Two,nom@x.org,7002\n"
    "s003,Eve,Eff,eve@x.org,7003\n"
)
WORKSHEET = (
    "Identifier,Full name,Email address,Status,Grade,Maximum Grade,"
    "Last modified (submission),Last modified (grade)\n"
    "Participant 41,Name One,name@x.org,Submitted,,10,"
    '"Sunday, 1 March 2026, 1:30 PM",-\n'
    "Participant 42,Nom Two,,Submitted,,10,-,-\n"
)
JANUARY, MARCH = (2026, 1, 5, 12, 0, 0), (2026, 3, 5, 12, 0, 0)


def zipped(*files, when=MARCH):
    """An archive's bytes; files are (name, data), or (ZipInfo, data)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files:
            info = name
            if isinstance(name, str):
                info = zipfile.ZipInfo(name, when)
                info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, data)
    return buffer.getvalue()


@pytest.fixture
def roster(tiny):
    path = tiny.course.folder / "given.csv"
    path.write_text(ROSTER)
    import_roster(tiny.course, path)
    return tiny


@pytest.fixture
def take(tiny, tmp_path):
    """Collect an archive that holds these files."""

    def take(*files, when=MARCH, **options):
        path = tmp_path / "submissions.zip"
        path.write_bytes(zipped(*files, when=when))
        return collect(tiny.course, "tiny", path, **options)

    return take


def there(tiny, student):
    """What lies in a student's place, by name."""
    folder = tiny.course.submitted / student / "tiny"
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# The platforms' names.


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("onename_7001_55_tiny.ipynb", ("onename", None, "7001", "55", "tiny.ipynb")),
        ("onename_LATE_7001_55_a b.py", ("onename", "LATE", "7001", "55", "a b.py")),
        ("one_name2_7001_55_x_1_2_y", ("one_name2", None, "7001", "55", "x_1_2_y")),
        ("éléonore_7001_55_t.ipynb", ("éléonore", None, "7001", "55", "t.ipynb")),
        ("_7001_55_t", ("", None, "7001", "55", "t")),
    ],
)
def test_names_in_an_archive_from_canvas(name, parts):
    found = canvas.SUBMISSION.fullmatch(name)
    assert tuple(found.group("name", "late", "number", "order", "file")) == parts


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Name One_41_assignsubmission_file/tiny.ipynb",
         ("Name One", "41", "file", "tiny.ipynb")),
        ("Name One_41_assignsubmission_file_/a/b.py",
         ("Name One", "41", "file", "a/b.py")),
        ("Name One_41_assignsubmission_file_tiny.ipynb",
         ("Name One", "41", "file", "tiny.ipynb")),
        ("Participant_41_assignsubmission_onlinetext/onlinetext.html",
         ("Participant", "41", "onlinetext", "onlinetext.html")),
    ],
)  # fmt: skip
def test_names_in_an_archive_from_moodle(name, parts):
    found = moodle.SUBMISSION.fullmatch(name)
    assert tuple(found.group("name", "number", "kind", "file")) == parts


def test_an_archive_from_canvas(roster, take):
    done = take(
        ("onename_7001_55_tiny.ipynb", "one"),
        ("onename_7001_56_carried.py", "two"),
        ("twonom_LATE_7002_57_tiny-1.ipynb", "three"),
        ("hay_7009_58_tiny.ipynb", "four"),
        ("effeve_7003_text.html", "typed"),
        ("anon_aB3xZ_59_tiny.ipynb", "five"),
        ("__MACOSX/._onename_7001_55_tiny.ipynb", "litter"),
    )
    assert done.new == ("canvas-7009", "s001", "s002")
    assert (done.late, done.strangers) == (("s002",), ("canvas-7009",))
    assert there(roster, "s001") == {"tiny.ipynb": b"one", "carried.py": b"two"}
    assert there(roster, "s002") == {"tiny.ipynb": b"three"}
    assert done.left_out == (
        ("effeve_7003_text.html", "it is not named as a student's file"),
        ("anon_aB3xZ_59_tiny.ipynb",
         "Canvas grades it anonymously and does not say whose it is"),
    )  # fmt: skip
    assert [path.name for path in roster.course.folder.glob(".collect-*")] == []


@pytest.fixture
def in_paris(monkeypatch):
    """An hour before UTC in winter."""
    monkeypatch.setenv("TZ", "CET-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_archive_from_moodle_with_a_worksheet(roster, take, tmp_path, in_paris):
    sheet = tmp_path / "worksheet.csv"
    sheet.write_text(WORKSHEET)
    done = take(
        ("Name One_41_assignsubmission_file/tiny.ipynb", "one"),
        ("Name One_41_assignsubmission_onlinetext/onlinetext.html", "text"),
        ("Nom Two_42_assignsubmission_file/tiny.ipynb", "two"),
        ("Ina Jay_43_assignsubmission_file/tiny.ipynb", "three"),
        worksheet=sheet,
    )
    assert done.new == ("s001", "s002")
    assert set(there(roster, "s001")) == {"tiny.ipynb", "timestamp.txt"}
    assert set(there(roster, "s002")) == {"tiny.ipynb"}
    assert there(roster, "s001")["timestamp.txt"] == b"2026-03-01 12:30:00 UTC\n"
    assert [why for _, why in done.left_out] == [
        "it was typed into Moodle, not handed in as a file",
        "whose it is cannot be told",
    ]


def test_a_worksheet_alone_says_whose_a_number_is(tiny, take, tmp_path):
    sheet = tmp_path / "worksheet.csv"
    sheet.write_text(WORKSHEET)
    done = take(
        ("Name One_41_assignsubmission_file/tiny.ipynb", "one"),
        ("Nom Two_42_assignsubmission_file/tiny.ipynb", "two"),
        worksheet=sheet,
    )
    assert done.new == ("name@x.org",)
    assert done.left_out == (("Nom Two (42)", "whose it is cannot be told"),)
    sheet.write_text("a,b\n1,2\n")
    with pytest.raises(CourseError, match="not a grading worksheet"):
        take(("Name One_41_assignsubmission_file/t.ipynb", "one"), worksheet=sheet)


def test_an_archive_from_moodle_by_full_names(roster, take):
    done = take(
        ("Name One_41_assignsubmission_file/tiny.ipynb", "one"),
        ("Two Nom_42_assignsubmission_file/tiny.ipynb", "two"),
        ("Participant_43_assignsubmission_file/tiny.ipynb", "three"),
    )
    assert done.new == ("s001", "s002")
    assert done.left_out == (("Participant (43)", "whose it is cannot be told"),)


def test_two_of_one_name_are_told_apart_by_nobody(tiny, take):
    path = tiny.course.folder / "given.csv"
    path.write_text("id,first_name,last_name\ns001,Name,One\ns002,Name,One\n")
    import_roster(tiny.course, path)
    done = take(("Name One_41_assignsubmission_file/tiny.ipynb", "one"))
    assert (done.new, len(done.left_out)) == ((), 1)


def test_moodle_without_roster_or_worksheet_says_what_to_do(take):
    with pytest.raises(CourseError, match="Import a roster first.*--worksheet"):
        take(("Name One_41_assignsubmission_file/tiny.ipynb", "one"))


def test_an_archive_that_somebody_packed_again(roster, take):
    take(("submissions/onename_7001_55_tiny.ipynb", "one"))
    assert there(roster, "s001") == {"tiny.ipynb": b"one"}


@pytest.mark.parametrize("names", [[], ["a.txt", "b/c.ipynb"]])
def test_an_archive_of_something_else_is_a_clear_error(take, names):
    with pytest.raises(CourseError, match="neither.*Canvas.*nor from Moodle"):
        take(*((name, "x") for name in names))


def test_several_tries_at_once_the_last_counts(roster, take):
    take(
        ("onename_7001_55_tiny.ipynb", "first"),
        ("onename_7001_58_tiny-1.ipynb", "second"),
    )
    found = there(roster, "s001")
    assert found.pop("tiny.ipynb") == b"second"
    assert list(found.values()) == [b"first"]


# What is there is not overwritten by something older.


def test_collecting_again_changes_nothing(roster, take):
    take(("onename_7001_55_tiny.ipynb", "one"))
    path = roster.course.submitted / "s001" / "tiny" / "tiny.ipynb"
    before = path.stat().st_mtime_ns
    assert take(("onename_7001_55_tiny.ipynb", "one")).unchanged == ("s001",)
    assert path.stat().st_mtime_ns == before


def test_a_newer_one_replaces_and_the_older_is_kept_aside(roster, take):
    take(("onename_7001_55_tiny.ipynb", "one"))
    assert take(("onename_7001_60_tiny-1.ipynb", "two")).replaced == ("s001",)
    assert there(roster, "s001") == {"tiny.ipynb": b"two"}
    aside = roster.course.folder / "replaced" / "s001" / "tiny.1" / "tiny.ipynb"
    assert aside.read_bytes() == b"one"
    done = take(("onename_7001_55_tiny.ipynb", "one"))
    assert (done.older, done.replaced) == (("s001",), ())
    assert there(roster, "s001") == {"tiny.ipynb": b"two"}


def test_the_date_of_the_archive_decides_where_nothing_else_does(roster, take):
    name = "Name One_41_assignsubmission_file/tiny.ipynb"
    take((name, "one"), when=MARCH)
    assert take((name, "zero"), when=JANUARY).older == ("s001",)
    assert take((name, "two"), when=(2026, 3, 9, 0, 0, 0)).replaced == ("s001",)


def test_what_was_put_there_by_hand_stays_unless_told_otherwise(roster, take):
    roster.hand_in("s001", b"by hand")
    done = take(("onename_7001_55_tiny.ipynb", "one"))
    assert done.unsure == ("s001",)
    assert there(roster, "s001") == {"tiny.ipynb": b"by hand"}
    done = take(("onename_7001_55_tiny.ipynb", "one"), replace=True)
    assert done.replaced == ("s001",)
    assert there(roster, "s001") == {"tiny.ipynb": b"one"}


# Hostile archives.


def link(name):
    info = zipfile.ZipInfo(name, MARCH)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../s002/tiny/tiny.ipynb", "leads out of the archive"),
        ("a/../../../x", "leads out of the archive"),
        ("..\\x", "leads out of the archive"),
        ("/etc/passwd", "absolute path"),
        ("C:\\x", "absolute path"),
        ("a\x01b", "no plain file name"),
        ("x" * 300, "no plain file name"),
        ("/".join("x" * 30), "no plain file name"),
        (link("tiny.ipynb"), "a link or a special file"),
        ("timestamp.txt", "the platform says when"),
    ],
)
def test_members_that_are_left_out(roster, take, tmp_path, name, why):
    outside = {path for path in tmp_path.rglob("*") if path.is_file()}
    inner = zipped(("tiny.ipynb.bak", "kept"), (name, "/etc/passwd"))
    done = take(("onename_7001_55_work.zip", inner))
    assert there(roster, "s001") == {"tiny.ipynb.bak": b"kept"}
    ((who, reason),) = done.left_out
    assert who.startswith("s001: ")
    assert why in reason
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - outside
    place = roster.course.submitted / "s001"
    ours = (place, roster.course.folder / "collected")
    assert {
        path for path in made
        if not any(path.is_relative_to(folder) for folder in ours)
        and path.name not in ("submissions.zip", "nbgrader.log")
    } == set()  # fmt: skip


def test_a_name_made_to_look_like_anothers_number(roster, take):
    forged = ("mallory_7001_99_x_7003_60_tiny.ipynb", "forged")
    done = take(("onename_7001_55_tiny.ipynb", "one"), forged)
    assert done.new == ("s001",)
    assert there(roster, "s001") == {"tiny.ipynb": b"one"}
    assert done.left_out == (("mallory (7001)", "another name has the same number"),)
    stranger = ("hay_7009_5_tiny.ipynb", "four"), ("hey_7009_6_tiny.ipynb", "five")
    done = take(*stranger)
    assert (done.new, len(done.left_out)) == ((), 2)


def test_a_path_that_looks_like_ours_is_the_students_own(roster, take):
    inner = zipped(("b", "x"), ("tiny/extracted/s002/tiny.ipynb", "not s002's"))
    assert take(("onename_7001_55_work.zip", inner)).new == ("s001",)
    assert set(there(roster, "s001")) == {"b", "tiny/extracted/s002/tiny.ipynb"}


def test_names_of_the_platform_are_not_believed_either(roster, take):
    done = take(
        ("onename_7001_55_../../../x", "out"),
        ("../onename_7001_55_x", "out"),
        ("twonom_7002_55_tiny.ipynb", "one"),
    )
    assert done.new == ("s002",)
    assert [why for _, why in done.left_out] == [
        "its name leads out of the archive"
    ] * 2


def test_a_students_own_archive_is_opened_one_level_deep(roster, take):
    deeper = zipped(("deep.py", "x"))
    inner = zipped(("work/tiny.ipynb", "one"), ("work/carried.py", "two"),
                   ("work/deeper.zip", deeper))  # fmt: skip
    take(("onename_7001_55_work.zip", inner))
    assert there(roster, "s001") == {
        "tiny.ipynb": b"one", "carried.py": b"two", "deeper.zip": deeper
    }  # fmt: skip


def test_a_broken_archive_of_a_student_is_kept_for_all_to_see(roster, take):
    done = take(("onename_7001_55_tiny.zip", b"PK\x03\x04 not really"))
    assert set(there(roster, "s001")) == {"tiny.zip"}
    assert "not a zip archive" in done.left_out[0][1]
    row, = grading.grade(
        roster.course, ["tiny"], workers=0, say=lambda line: None
    )
    assert row.status == "quarantined"


def test_a_file_and_a_folder_of_one_name(roster, take):
    done = take(("onename_7001_55_w.zip", zipped(("z", "1"), ("z/tiny.ipynb", "2"))))
    assert there(roster, "s001") == {"z": b"1"}
    assert "cannot be written" in done.left_out[0][1]


def test_two_files_of_one_name_in_an_archive(roster, take):
    with pytest.warns(UserWarning, match="Duplicate name"):
        inner = zipped(("tiny.ipynb", "first"), ("tiny.ipynb", "second"))
    done = take(("onename_7001_55_w.zip", inner))
    assert there(roster, "s001") == {"tiny.ipynb": b"first"}
    assert "another file has the same name" in done.left_out[0][1]


def test_zip_bombs_are_never_unpacked(roster, take, monkeypatch):
    monkeypatch.setattr(uploads, "STUDENT", Limits(20, 10_000, 25_000, 100_000))
    big, small = b"\0" * 20_000, b"\0" * 9_000
    inner = zipped(("big", big), *((f"f{n}", small) for n in range(5)))
    done = take(("onename_7001_55_w.zip", inner))
    assert set(there(roster, "s001")) == {"f0", "f1"}
    reasons = [why for _, why in done.left_out]
    assert sum("a file may have" in why for why in reasons) == 1
    assert sum("all together" in why for why in reasons) == 3


def test_a_size_that_is_a_lie_is_found_out(roster, take):
    inner = zipped(("a", b"\0" * 5000), ("b", b"ok"))
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        place = inner.index(mark) + at
        inner = inner[:place] + struct.pack("<L", 10) + inner[place + 4 :]
    done = take(("onename_7001_55_w.zip", inner))
    assert there(roster, "s001") == {"b": b"ok"}
    assert "not what the archive says" in done.left_out[0][1]


def test_more_files_than_anyone_hands_in(roster, take):
    many = zipped(*((f"f{n}", b"") for n in range(10_000)))
    done = take(("onename_7001_55_w.zip", many), ("twonom_7002_56_tiny.ipynb", "one"))
    assert done.new == ("s001", "s002")
    assert len(there(roster, "s001")) == 1000
    assert len(done.left_out) == 9000


def test_a_large_class(roster, take):
    done = take(*((f"x_{8000 + n}_{n}_tiny.ipynb", "{}") for n in range(400)))
    assert len(done.new) == 400


def test_an_encrypted_member_is_left_out(roster, take):
    inner = bytearray(zipped(("secret", "x"), ("tiny.ipynb", "one")))
    for mark, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        inner[inner.index(mark) + at] |= 1
    done = take(("onename_7001_55_w.zip", bytes(inner)))
    assert there(roster, "s001") == {"tiny.ipynb": b"one"}
    assert done.left_out[0][1] == "it is encrypted"


def test_names_in_odd_encodings_are_read(roster, take):
    inner = zipped(("tiny.ipynb", "one"), ("naïve.py", "two"))
    cleared = bytearray(inner)
    for mark, at in ((b"PK\1\2", 8), (b"PK\3\4", 6)):  # UTF-8 that does not say so
        place = inner.rindex(mark) + at
        cleared[place : place + 2] = b"\0\0"
    take(("onename_7001_55_w.zip", bytes(cleared)))
    assert set(there(roster, "s001")) == {"tiny.ipynb", "naïve.py"}


def test_a_table_of_contents_is_not_read_beyond_all_measure(tmp_path):
    path = tmp_path / "many.zip"
    path.write_bytes(zipped(*((f"f{n}", b"") for n in range(1000))))
    limits = Limits(10**6, 10**6, 10**6, 10_000)
    with pytest.raises(BadArchive, match="table of contents"), reading.opened(
        path, limits
    ):
        pass


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\5\6", b"x" * 100_000,
                                  b"PK\5\6" + b"\xff" * 18])  # fmt: skip
def test_what_is_no_archive_is_a_clear_error(tiny, tmp_path, data):
    path = tmp_path / "submissions.zip"
    path.write_bytes(data)
    with pytest.raises(CourseError, match="submissions.zip cannot be collected"):
        collect(tiny.course, "tiny", path)
    with pytest.raises(CourseError, match="There is no file"):
        collect(tiny.course, "tiny", tmp_path / "no.zip")


def test_nothing_is_collected_where_there_is_no_room(roster, take, monkeypatch):
    usage = uploads.shutil.disk_usage(roster.course.folder)
    monkeypatch.setattr(
        uploads.shutil, "disk_usage", lambda path: usage._replace(free=3)
    )
    with pytest.raises(CourseError, match="are free"):
        take(("onename_7001_55_tiny.ipynb", "one"))
    assert not (roster.course.submitted / "s001").exists()


def test_plain_nbgrader_collects_with_the_same_plugins(roster):
    course = roster.course
    inbox = course.folder / "downloaded" / "tiny" / "archive"
    inbox.mkdir(parents=True)
    inner = zipped(("../../x", "out"), ("tiny.ipynb", "one"))
    (inbox / "submissions.zip").write_bytes(zipped(("onename_7001_5_w.zip", inner)))
    config = course.nbgrader()
    app = ZipCollectApp(config=config)
    app.coursedir = CourseDirectory(config=config)
    app.coursedir.assignment_id = "tiny"
    app.init_plugins()
    app.extract_archive_files()
    app.process_extracted_files()
    assert there(roster, "s001") == {"tiny.ipynb": b"one"}


def test_what_is_collected_can_be_graded(roster, take):
    data = json.dumps(roster.answered())
    take(
        ("onename_LATE_7001_55_tiny-2.ipynb", data),
        ("twonom_7002_56_work.zip", zipped(("ps/tiny.ipynb", data))),
    )
    rows = grading.grade(roster.course, ["tiny"], workers=0, say=lambda line: None)
    assert [(row.student_id, row.score, row.status) for row in rows] == [
        ("s001", 5, "graded"), ("s002", 5, "graded")
    ]  # fmt: skip
    with opened(roster.course) as gradebook:
        assert gradebook.find_student("s001").last_name == "One"
    assert os.listdir(roster.course.submitted / "s002" / "tiny") == ["tiny.ipynb"]

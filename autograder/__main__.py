"""`python -m autograder`: the commands of the grader."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

import click

from autograder.course import Course, CourseError, default_folder
from autograder.record import QUARANTINED
from autograder.sandbox import SandboxUnavailable


class Group(click.Group):
    """Commands whose expected failures are sentences, not tracebacks."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except (CourseError, SandboxUnavailable) as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt as error:
            raise click.ClickException(
                "Stopped. What was done is kept; start it again to go on."
            ) from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--course",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The course folder (default: $CONVNET_COURSE, else autograder/course).",
)
@click.option("--verbose", is_flag=True, help="Show what nbgrader says as well.")
@click.pass_context
def main(context: click.Context, folder: Path | None, verbose: bool) -> None:
    """Release assignments, grade a class, and hand back feedback."""
    context.obj = Course(folder or default_folder())
    if verbose:
        from autograder.gradebook import nbgrader_log

        nbgrader_log(context.obj).addHandler(logging.StreamHandler())


@main.command()
@click.argument("assignments", nargs=-1)
@click.pass_obj
def release(course: Course, assignments: Sequence[str]) -> None:
    """Make exercises/, the public checks and the student kit.

    They come from solutions/ and the hidden tests. The kit is one archive with the
    named assignments, all of them by default.
    """
    from autograder.gradebook import register
    from autograder.grading import locked
    from autograder.kit import write_kit
    from autograder.release import release as write_release

    names = _named(course, assignments)
    write_release(course, names)
    with locked(course):
        for name in names:
            register(course, name)
    click.echo(f"Student kit: {_near(write_kit(course, names))}")


@main.command()
@click.argument("assignments", nargs=-1)
@click.pass_obj
def mistakes(course: Course, assignments: Sequence[str]) -> None:
    """Print the known mistakes as CSV: what catches each, and its hint.

    They are graded as if they were handed in, which takes a minute for all
    assignments.
    """
    import sys

    from autograder.catalogue import known_mistakes, write_csv

    write_csv(known_mistakes(_named(course, assignments)), sys.stdout)


@main.command()
@click.argument("assignments", nargs=-1, required=True)
@click.option(
    "--submitted",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where <student>/<assignment>/ folders lie (default: the course's own).",
)
@click.option("--workers", type=click.IntRange(1), help="How many judge at once.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Judge on a Dask cluster: tcp://host:8786, or a scheduler file.",
)
@click.option(
    "--sandbox",
    type=click.Choice(["bwrap", "limits"]),
    default="bwrap",
    show_default=True,
    help="Where student code runs; limits is only for submissions you trust.",
)
@click.option("--seed", type=click.IntRange(0), help="Draw the hidden tests from this.")
@click.option(
    "--changed/--regrade",
    default=True,
    help="Judge only what has changed (the default), or everything once more.",
)
@click.pass_obj
def grade(
    course: Course, assignments: Sequence[str], changed: bool, **options
) -> None:
    """Grade what was handed in; print the table and write grades.csv."""
    from autograder.grades import as_table, still_waiting
    from autograder.grading import grade as grade_class
    from autograder.roster import missing, roster_of

    if options["workers"] and options["scheduler"]:
        raise click.UsageError(
            "--workers is for this machine; a cluster has those that were started."
        )
    started = time.monotonic()
    rows = grade_class(
        course, assignments, regrade=not changed, say=click.echo, **options
    )
    click.echo()
    click.echo(as_table(rows))
    set_aside = sum(row.status == QUARANTINED for row in rows)
    click.echo(
        f"\n{len(rows)} submissions in {time.monotonic() - started:.0f} s, "
        f"{set_aside} in quarantine. The same as a file: {_near(course.grades)}"
    )
    if waiting := still_waiting(rows):
        click.echo(waiting)
    for assignment in assignments:
        there = [row.student_id for row in rows if row.assignment == assignment]
        if absent := missing(roster_of(course), there):
            click.echo(f"On the roster, nothing for {assignment}: {_some(absent)}")


@main.command()
@click.argument("assignments", nargs=-1)
@click.pass_obj
def feedback(course: Course, assignments: Sequence[str]) -> None:
    """Write each student's feedback page."""
    from autograder.feedback import write_feedback
    from autograder.grading import locked
    from autograder.late import refresh_penalties

    names = _named(course, assignments)
    _must_be_graded(course)
    with locked(course):
        refresh_penalties(course, names)
        written = write_feedback(course, names)
    click.echo(
        f"{written.made} feedback pages written, {written.unchanged} unchanged: "
        f"{_near(course.feedback)}/<student>/<assignment>/<assignment>.html"
    )
    if written.failed:
        raise CourseError(
            f"No page could be made for {', '.join(written.failed)}: see the end of "
            f"{course.log}."
        )


@main.command()
@click.argument("assignments", nargs=-1)
@click.pass_obj
def report(course: Course, assignments: Sequence[str]) -> None:
    """Write the class report: one page, for the instructor."""
    from autograder.grading import locked
    from autograder.late import refresh_penalties
    from autograder.report import write_report

    names = _named(course, assignments)
    _must_be_graded(course)
    with locked(course):
        refresh_penalties(course, names)
    click.echo(f"Class report: {_near(write_report(course, names))}")


@main.command()
@click.argument("assignments", nargs=-1)
@click.option(
    "--format",
    "platform",
    type=click.Choice(["csv", "canvas", "moodle"]),
    default="csv",
    show_default=True,
)
@click.option(
    "--to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: export-FORMAT.csv in the course folder).",
)
@click.option(
    "--gradebook",
    "--worksheet",
    "given",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What Canvas or Moodle exported, to be filled in.",
)
@click.option(
    "--column",
    "headings",
    multiple=True,
    metavar="ASSIGNMENT=HEADING",
    help="Canvas's column of an assignment, where it has another name.",
)
@click.option("--scale", is_flag=True, help="Fit scores to the platform's maximum.")
@click.pass_obj
def export(
    course: Course,
    assignments: Sequence[str],
    platform: str,
    to: Path | None,
    given: Path | None,
    headings: Sequence[str],
    scale: bool,
) -> None:
    """Write grades for a spreadsheet, Canvas or Moodle.

    Late penalties, extra credit and points given by hand are in them. Who is on
    the roster and handed in nothing has 0.
    """
    from autograder.export import export as write_export
    from autograder.export import graded
    from autograder.grading import locked
    from autograder.late import refresh_penalties

    _must_be_graded(course)
    columns = dict(_assigned(heading) for heading in headings)
    course.check_assignments([*assignments, *columns])
    names = graded(course, assignments)
    to = to or course.folder / f"export-{platform}.csv"
    with locked(course):
        refresh_penalties(course, names)
    exported = write_export(
        course, names, to,
        platform=platform, given=given, columns=columns, scale=scale,
    )  # fmt: skip
    click.echo(f"{exported.students} students, {', '.join(names)}: {_near(to)}")
    for remark in exported.remarks:
        click.echo(f"  {remark}")


@main.command()
@click.argument("assignment")
@click.argument("archive", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--from",
    "platform",
    type=click.Choice(["canvas", "moodle"]),
    help="Whose archive it is (default: as its names say).",
)
@click.option(
    "--worksheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Moodle's grading worksheet: whose each number is, and when they handed in.",
)
@click.option("--replace", is_flag=True, help="Whatever is there, put this in place.")
@click.pass_obj
def collect(
    course: Course,
    assignment: str,
    archive: Path,
    platform: str | None,
    worksheet: Path | None,
    replace: bool,
) -> None:
    """Collect the submissions in an archive from Canvas or Moodle.

    ARCHIVE is what Canvas's "Download Submissions" or Moodle's "Download all
    submissions" gives.
    """
    from autograder.collect import collect as collect_archive
    from autograder.grading import locked

    with locked(course):
        done = collect_archive(
            course, assignment, archive,
            platform=platform or "", worksheet=worksheet, replace=replace,
        )  # fmt: skip
    click.echo(
        f"{assignment}: {len(done.new)} new, {len(done.replaced)} newer than what was "
        f"there, {len(done.unchanged)} unchanged: {_near(course.submitted)}"
    )
    for words, names in (
        ("Older than what is there, not taken", done.older),
        ("Which is newer cannot be told, not taken (--replace takes it)", done.unsure),
        ("Late, says the platform", done.late),
        ("Not on the roster", done.strangers),
    ):
        if names:
            click.echo(f"  {words}: {_some(names)}")
    for name, why in done.left_out:
        click.echo(f"  Left out, {name}: {why}")


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--id", "id_column", default="", help="The column with student ids.")
@click.option("--add", is_flag=True, help="Keep who is on the roster already.")
@click.pass_obj
def roster(course: Course, file: Path, id_column: str, add: bool) -> None:
    """Import who takes the course.

    FILE is a CSV with the columns id, first_name, last_name, email and
    lms_user_id, the gradebook that Canvas exports, or a list of participants,
    grades or a grading worksheet from Moodle.
    """
    from autograder.grading import locked
    from autograder.roster import import_roster

    with locked(course):
        imported = import_roster(course, file, id_column, add)
    click.echo(
        f"{len(imported.students)} students, {len(imported.new)} of them new: "
        f"{_near(course.roster)}"
    )
    if imported.gone:
        click.echo(
            f"No longer on the roster, grades kept: {_some(imported.gone)} "
            "(--add keeps them on it)"
        )
    for where, why in imported.left_out:
        click.echo(f"Left out, {where}: {why}")


@main.command("sample-class")
@click.option("--students", type=click.IntRange(1, 9999), help="How many to make.")
@click.option("--demo", is_flag=True, help="The six of the demonstration.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--assignment",
    "assignments",
    multiple=True,
    default=("ps2_convolution",),
    show_default=True,
    help="May be given more than once.",
)
@click.pass_obj
def sample_class(
    course: Course,
    students: int | None,
    demo: bool,
    seed: int,
    assignments: Sequence[str],
) -> None:
    """Make a class of submissions to try the grader on."""
    from autograder.sample_class import make_class, make_demo

    course.check_assignments(assignments)
    if demo == bool(students):
        raise click.UsageError("Give either --students N or --demo.")
    for assignment in assignments:
        if demo:
            made = make_demo(course, assignment)
        else:
            made = make_class(course, assignment, students, seed)
        for student, about in made[:12]:
            click.echo(f"  {student}  {about}")
        if len(made) > 12:
            click.echo(f"  ... and {len(made) - 12} more")
        click.echo(f"{assignment}: {len(made)} submissions: {_near(course.submitted)}")


def _named(course: Course, assignments: Sequence[str]) -> list[str]:
    course.check_assignments(assignments)
    return list(assignments) or course.assignments()


def _assigned(heading: str) -> tuple[str, str]:
    """An assignment and the heading of its column."""
    assignment, given, text = heading.partition("=")
    if not given:
        raise click.UsageError(f"--column takes ASSIGNMENT=HEADING, not {heading!r}.")
    return assignment.strip(), text


def _must_be_graded(course: Course) -> None:
    if not course.gradebook.is_file():
        raise CourseError(
            f"Nothing is graded yet in {course.folder}: "
            "run `python -m autograder grade ASSIGNMENT` first."
        )


def _some(names: Sequence[str], most: int = 20) -> str:
    """Names for one line, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _near(path: Path) -> str:
    """A path as short as it can be said from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


if __name__ == "__main__":
    main(prog_name="python -m autograder")

"""The student kit: what is in it, what never is, and that it works alone."""

from __future__ import annotations

import ast
import io
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import packages_distributions, version
from pathlib import PurePosixPath

import nbformat
import pytest
from packaging.utils import canonicalize_name

from autograder import hidden
from autograder.course import REPOSITORY, Course, CourseError
from autograder.hidden import CAPSTONE
from autograder.kit import NAME, as_archive, check_kit, kit_files, write_kit
from autograder.needed import needed
from autograder.release import secret_lines

COMMITTED = Course()
EARLY = [name for name in COMMITTED.assignments() if name != CAPSTONE]


@pytest.fixture(scope="module")
def files():
    return kit_files(COMMITTED, EARLY)


@pytest.fixture(scope="module")
def unpacked(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    zipfile.ZipFile(io.BytesIO(as_archive(files))).extractall(folder)
    return folder / NAME


def test_a_kit_has_what_a_student_needs(files):
    for name in EARLY:
        assert f"exercises/{name}/{name}.ipynb" in files
        assert f"convlab/checks/cases/{name}.npz" in files
        assert f"`exercises/{name}/{name}.ipynb`" in files["README.md"].decode()
    for name in ("convlab/carry.py", "convlab/checks/__init__.py", "LICENSE",
                 "requirements.txt", "constraints.txt", "pyproject.toml"):
        assert name in files


def test_no_line_of_an_answer_or_of_a_hidden_test_is_in_it():
    """The reference layers, which come with the capstone, apart."""
    whole = kit_files(COMMITTED, COMMITTED.assignments())
    answers = set()
    for name in COMMITTED.assignments():
        answers |= secret_lines(nbformat.read(COMMITTED.source(name), as_version=4))
    answers = {line for line in answers if len(line) > 30}
    tests = set()
    for path in (COMMITTED.repository / "autograder" / "hidden").glob("ps*.py"):
        tests |= pairs(path.read_text())
    assert len(answers) > 20
    assert len(tests) > 100
    for name, data in whole.items():
        if not name.endswith(".npz") and not name.startswith("convlab/layers/"):
            text = data.decode()
            assert "autograder" not in text
            if name.endswith(".ipynb"):
                cells = nbformat.reads(text, as_version=4).cells
                text = "\n".join(cell.source for cell in cells)
            assert not {line.strip() for line in text.splitlines()} & answers, name
            assert not pairs(text) & tests, name


def pairs(text):
    """Lines that follow one another, but for signatures, imports and short ones."""
    lines = [line.strip() for line in text.splitlines()]
    return {
        (one, other) for one, other in zip(lines, lines[1:], strict=False)
        if min(len(one), len(other)) > 20
        and not f"{one}\n{other}".startswith(("def ", "from ", "import ", "@", "#"))
    }


def test_the_reference_layers_come_with_the_capstone(files):
    def layers(names):
        return {name for name in names if name.startswith("convlab/layers/")}

    assert not layers(files)
    assert "threadpoolctl" not in files["requirements.txt"].decode()
    last = kit_files(COMMITTED, [*EARLY, CAPSTONE])
    assert "convlab/layers/conv.py" in layers(last)
    assert "threadpoolctl==" in last["requirements.txt"].decode()


def test_what_an_assignment_asks_for_comes_when_a_later_one_needs_it():
    first = kit_files(COMMITTED, ["ps1_backprop", "ps2_convolution"])
    assert "convlab/carry.py" in first
    assert not {"convlab/gradcheck.py", "convlab/arithmetic.py"} & first.keys()
    assert "convlab/gradcheck.py" in kit_files(COMMITTED, ["ps3_conv_backward"])
    last = kit_files(COMMITTED, [CAPSTONE])
    assert "convlab/run.py" in last
    for name in hidden.unseen(CAPSTONE):
        assert f"convlab/{name}.py" not in last
        assert (REPOSITORY / f"convlab/{name}.py").is_file()


def test_imports_are_followed_into_functions_and_packages(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_markdown_cell("import convlab.layers"),
        nbformat.v4.new_markdown_cell(
            "Or so:\n\n```python\nfrom convlab import augmentation\n```"),
        nbformat.v4.new_code_cell("%time\ndef f():\n    from convlab import run\n"),
    ])
    nbformat.write(notebook, tmp_path / "one.ipynb")
    names = {path.relative_to(REPOSITORY / "convlab").as_posix()
             for path in needed([tmp_path / "one.ipynb"])}
    assert {"__init__.py", "run.py", "storage.py", "plotting.py",
            "augmentation.py"} <= names
    assert "layers/__init__.py" not in names


def test_it_holds_no_tests_no_caches_and_no_other_assignments(files):
    for name in files:
        parts = PurePosixPath(name).parts
        assert not {"tests", "__pycache__", "carried", "solutions"} & set(parts)
        assert not any(part.startswith(".") for part in parts)
    none = kit_files(COMMITTED, ["another"])
    assert not [name for name in none if "/cases/" in name or name.endswith(".ipynb")]


def test_what_it_imports_can_be_installed_from_it(files):
    pins = dict(line.split("==") for line in
                files["constraints.txt"].decode().splitlines())
    assert not {"nbgrader", "jupyter-book", "pytest", "playwright"} & set(pins)
    for line in files["requirements.txt"].decode().splitlines():
        if "==" in line:
            name, wanted = line.split("==")
            assert version(name) == wanted == pins[name]
    there = {canonicalize_name(name) for name in pins}
    known = packages_distributions()
    for module in imported(files) - sys.stdlib_module_names - {"convlab"}:
        assert {canonicalize_name(one) for one in known[module]} & there, module


def imported(files):
    found = set()
    for name, data in files.items():
        if name.endswith(".py"):
            sources = [data.decode()]
        elif name.endswith(".ipynb"):
            cells = nbformat.reads(data.decode(), as_version=4).cells
            sources = [one.source for one in cells if one.cell_type == "code"]
        else:
            continue
        for source in sources:
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    found.add(node.module.split(".")[0])
    return found


def test_the_same_files_make_the_same_bytes(files):
    backwards = dict(reversed(files.items()))
    assert as_archive(files) == as_archive(backwards)
    archive = zipfile.ZipFile(io.BytesIO(as_archive(files)))
    assert archive.namelist() == sorted(f"{NAME}/{name}" for name in files)
    assert archive.testzip() is None


def test_it_is_written_whole_and_only_when_it_changes(tmp_path):
    shutil.copytree(COMMITTED.exercises, tmp_path / "exercises")
    course = Course(tmp_path / "course", tmp_path)
    path = write_kit(course, EARLY)
    assert path == tmp_path / "build" / "kit" / f"{NAME}.zip"
    before = path.stat().st_mtime_ns
    write_kit(course, EARLY)
    assert path.stat().st_mtime_ns == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("line, named", [
    ("    return filters * (size * size * channels + 1)", "return filters"),
    ("from autograder import hidden", "autograder"),
])
def test_a_kit_that_gives_something_away_is_not_written(files, line, named):
    spoilt = files | {"convlab/notes.py": f"x = 1\n{line}\n".encode()}
    with pytest.raises(CourseError, match=f"notes.py .* give away: '{named}"):
        check_kit(COMMITTED, spoilt)
    check_kit(COMMITTED, files)


ALONE = """
import importlib, json, pathlib, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
kit = pathlib.Path(sys.argv[1])
for path in sorted((kit / "convlab").rglob("*.py")):
    name = ".".join(path.relative_to(kit).with_suffix("").parts)
    importlib.import_module(name.removesuffix(".__init__"))
    assert pathlib.Path(sys.modules["convlab"].__file__).is_relative_to(kit)
for name in ("autograder", "convlab.layers"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is there")
for path in sorted(kit.glob("exercises/*/*.ipynb")):
    cells = json.loads(path.read_text())["cells"]
    source = next(cell["source"] for cell in cells if cell["cell_type"] == "code")
    exec("".join(source), {})
    print(path.stem)
"""


def test_notebooks_and_library_work_with_nothing_else_on_the_path(unpacked):
    """-S leaves out what the project itself put on the path."""
    libraries = sysconfig.get_path("purelib")
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE, str(unpacked), libraries],
        cwd=unpacked, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == sorted(EARLY)

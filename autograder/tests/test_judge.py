"""Points earned are points deserved, whatever a submission tries."""

import json
import os
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest

from autograder import sandbox, speed
from autograder.judge import generator, judge
from autograder.kernel import Kernel
from autograder.questions import Case, Misconception, Question, Speed
from autograder.sandbox import Limits
from autograder.session import Session
from autograder.tests.walls import needs_sandbox, quick
from autograder.verdict import Judgement, Verdict

PATIENT = Limits(cell_seconds=30, first_call_seconds=30)


def arrays(random):
    x = random.standard_normal((4, 6)).astype(np.float32)
    return [Case("a 4x6 array", (x,)), Case("its transpose", (x.T,))]


def double_cases(random):
    return [*arrays(random), Case("no numbers", (np.zeros((0, 2)),), refused=True)]


def double(x):
    if not x.size:
        raise ValueError("empty")
    return 2.0 * x.astype(np.float64)


DOUBLE = Question(
    "double_values", "double", 3, "twice each number", double_cases, double,
    (Misconception("squared", "You multiply x by itself.", lambda x: x * x),),
    seconds=3)
TOTAL = Question("total_values", "total", 2, "the sum of all numbers", arrays,
                 lambda x: float(x.astype(np.float64).sum()), seconds=3)
BOTH = (DOUBLE, TOTAL)

RIGHT = '''
import numpy as np
def double(x):
    if x.size == 0:
        raise ValueError("nothing there")
    return x + x
def total(x):
    return x.sum()
'''


def notebook(*sources):
    """A notebook of these cells, and the graded tests, which must not be run."""
    code = [{"cell_type": "code", "metadata": {}, "outputs": [],
             "source": textwrap.dedent(source)} for source in sources]
    tests = [{"cell_type": "code", "outputs": [], "source": "import os; os._exit(1)",
              "metadata": {"nbgrader": {"grade": True, "solution": False,
                                        "grade_id": one.name}}} for one in BOTH]
    prose = {"cell_type": "markdown", "metadata": {}, "source": "1/0"}
    return {"cells": [prose, *code, *tests]}


def judged(*sources, questions=BOTH, limits=PATIENT, **options):
    return judge(notebook(*sources), questions, seed=7, limits=limits, **options)


def points(judgement):
    return [one.points for one in judgement.verdicts.values()]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    quick(monkeypatch)


@needs_sandbox
def test_right_answers_have_full_marks_whatever_is_printed():
    found = judged(RIGHT, "print(double(np.ones((1, 2))))", """
        import sys, warnings
        right = double
        def double(x):
            warnings.warn("careful"); sys.stderr.write("noise"); print("noise")
            x[...] = right(x)
            return x""")
    assert points(found) == [3, 2]
    assert found.points == found.max_points == 5
    assert found.outputs[2][0]["text"] == "[[2. 2.]]\n"
    assert list(found.outputs) == [1, 2, 3]
    assert found.incidents == ()
    assert found.versions["numpy"] == np.__version__
    assert 20 < found.timings["peak_mib"] < 500
    verdict = found.verdicts["double_values"]
    assert verdict.explanation.startswith("Checked: twice each number\n")
    assert verdict.as_outputs()[1]["data"] == {"text/plain": "3"}
    assert Judgement.from_json(json.loads(json.dumps(found.to_json()))) == found


@needs_sandbox
def test_what_is_wrong_is_said():
    found = judged("""
        def double(x):
            return x * x
        def total(x):
            y = x.sum()
            return y / "a" """)
    double, total = found.verdicts.values()
    assert (double.status, double.points) == ("wrong", 0)
    assert double.misconception == "squared"
    assert "You multiply x by itself." in double.explanation
    assert total.status == "error"
    assert 'return y / "a"' in total.explanation
    found = judged("""
        def double(x):
            raise NotImplementedError("write me")
        1 / 0
        def total(x):
            return 0""")
    double, total = found.verdicts.values()
    assert double.status == "unwritten"
    assert "not written yet" in double.explanation
    assert total.status == "missing"
    assert "(cell 2) stopped with ZeroDivisionError" in total.explanation


CALLS = {
    "exits": ("import os; os._exit(0)", "crash"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "crash"),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", "crash"),
    "hangs": ("while True:\n        try:\n            while True: pass\n"
              "        except BaseException: pass", "timeout"),
    "takes 100 GB": ("return np.ones(100 * 2**30)", "error"),
    "takes memory bit by bit": (
        "kept = []\n    import mmap\n    while True:\n"
        "        kept.append(mmap.mmap(-1, 2**27)); kept[-1].write(b'x' * 2**27)",
        "memory"),
    "forks": ("import os, time\n    for _ in range(200):\n        if not os.fork():\n"
              "            time.sleep(60); os._exit(0)\n    time.sleep(60)",
              # root's processes are counted from outside, a user's inside as well
              "error" if os.geteuid() else "processes"),
}


@needs_sandbox
@pytest.mark.parametrize("body, status", CALLS.values(), ids=CALLS)
def test_a_lost_process_costs_its_question_alone(body, status):
    source = f"{RIGHT}\ndef double(x):\n    {body}\n"
    patience = 1 if status == "timeout" else 30
    found = judged(source, limits=Limits(
        memory=2**29, processes=24, first_call_seconds=patience))
    assert points(found) == [0, 2]
    assert found.verdicts["double_values"].status == status
    if status != "error":
        assert [one.kind for one in found.incidents] == [status]
        assert found.incidents[0].where == "double_values"
        assert found.timings["restarts"] == 1


@needs_sandbox
def test_a_lost_cell_is_left_out_and_the_others_run_once_more():
    found = judged(
        RIGHT, "print('before'); import os; os._exit(3)",
        "def total(x):\n    return x.sum()\nwhile True: pass", "print('end')",
        limits=Limits(cell_seconds=4))
    assert points(found) == [3, 2]  # the total of the first cell still stands
    assert [one.kind for one in found.incidents] == ["crash", "timeout"]
    assert [one.cell for one in found.incidents] == [2, 3]
    assert found.outputs[2][-1]["ename"] == "Stopped"
    assert found.outputs[4][0]["text"] == "end\n"
    alone = judged("def double(x): return 2 * x\nimport os; os._exit(3)", RIGHT[:0])
    assert "(cell 2) was left out" in alone.verdicts["double_values"].explanation


@needs_sandbox
def test_damage_by_one_function_does_not_cost_another():
    """total is lost in a process that double has spoilt: it is asked again."""
    found = judged(RIGHT + """
def double(x):
    global spoilt
    spoilt = True
def total(x):
    if "spoilt" in globals():
        import os; os._exit(1)
    return x.sum()
""")
    assert points(found) == [0, 2]


CHEATS = {
    "patched assertions": """
        import numpy as np, builtins
        np.testing.assert_allclose = lambda *a, **k: None
        np.allclose = lambda *a, **k: True
        np.ndarray.__eq__""",
    "patched IPython": """
        from IPython import get_ipython
        shell = get_ipython()
        old = shell.run_cell
        shell.run_cell = lambda *a, **k: old("5")
        shell.input_transformers_cleanup.append(lambda lines: ["3"])""",
    "forged results": """
        from IPython.display import display
        import sys
        sys.displayhook(3)
        print("3 of 3 points")
        3""",
    "lying values": """
        class Yes:
            __eq__ = __ne__ = __lt__ = __gt__ = lambda self, other: True
            __array__ = lambda self, *a, **k: np.zeros(1)
            __float__ = lambda self: 1.0
        def double(x): return Yes()
        total = double""",
    "lying arrays": """
        class Yes(np.ndarray):
            def __array_ufunc__(self, *a, **k): return True
            def __array_function__(self, *a, **k): return True
        def double(x): return x.view(Yes)
        total = double""",
    "looks for the answer around": """
        import gc, sys
        def double(x):
            for frame in sys._current_frames().values():
                while frame:
                    for name, value in frame.f_locals.items():
                        if "oracle" in name or "expected" in name:
                            return value(x)
                    frame = frame.f_back
            for one in gc.get_objects():
                if type(one).__name__ in ("Question", "Misconception", "Case"):
                    return one.oracle(x)""",
    "odd values": """
        def double(x): return [[1], [2, 3], None]
        def total(x): return 10 ** 400""",
    "a patched encoder": """
        import gc
        wire = next(o for o in gc.get_objects() if type(o).__name__ == "Server").wire
        wire.Encoder.encode = lambda self, value, depth=0: {"x": 1}""",
}


@needs_sandbox
@pytest.mark.parametrize("source", CHEATS.values(), ids=CHEATS)
def test_cheating_earns_nothing(source):
    wrong = "import numpy as np\ndef double(x): return x\ndef total(x): return 0.0"
    found = judged(wrong, source)
    assert points(found) == [0, 0]
    assert "fault" not in {one.status for one in found.verdicts.values()}


@needs_sandbox
@pytest.mark.parametrize("assignment, module", [
    ("ps1_backprop", "gradcheck"), ("ps2_convolution", "arithmetic"),
    ("ps7_cifar10", "training"), ("ps6_fast_convolution", "layers")])
def test_what_is_asked_for_cannot_be_imported(assignment, module):
    found = judged(f"import convlab.checks\nimport convlab.{module}",
                   questions=(), assignment=assignment)
    [[output]] = found.outputs.values()
    assert output["evalue"] == f"No module named 'convlab.{module}'"


@needs_sandbox
def test_right_answers_survive_odd_notebooks():
    found = judged(RIGHT, "raise RuntimeError", "%%time\nx = 1", "this is no Python",
                   "print('x' * 50_000_000)", "exit()", "sys = 3; list = 4; np = 5")
    assert points(found) == [3, 2]
    assert [(one.kind, one.cell) for one in found.incidents] == [("output", 5)]
    assert len(json.dumps(found.to_json())) < 4 * 2**20


@needs_sandbox
def test_time_and_restarts_are_bounded_and_said():
    crash = "import os; os._exit(1)"
    found = judged(RIGHT, crash, crash, crash, limits=Limits(restarts=2))
    assert points(found) == [0, 0]
    assert {one.status for one in found.verdicts.values()} == {"unjudged"}
    assert "2 times" in found.verdicts["total_values"].explanation
    found = judged(RIGHT, "import time; time.sleep(1)",
                   limits=Limits(total_seconds=0.5))
    assert found.verdicts["double_values"].status == "unjudged"
    assert "0.5 s" in found.verdicts["double_values"].explanation


@needs_sandbox
def test_our_own_mistakes_are_told_apart():
    def broken(x):
        raise RuntimeError("the oracle is broken")

    ours = Question("ours", "total", 1, "nothing", arrays, broken)
    bad = Question("bad", "total", 1, "nothing", lambda random: 1 / 0, broken)
    found = judged(RIGHT, questions={"bad": bad, "total_values": TOTAL})
    assert [one.status for one in found.verdicts.values()] == ["fault", "right"]
    assert "ZeroDivisionError" in found.incidents[0].message
    assert judged(RIGHT, questions=[ours]).points == 0


@needs_sandbox
def test_files_handed_in_lie_beside_the_notebook(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "own.py").write_text("def total(x): return x.sum()")
    (tmp_path / "numpy.py").write_text("raise RuntimeError")
    (tmp_path / "large.bin").write_bytes(bytes(2**20))
    (tmp_path / "hw.ipynb").write_text("{}")
    (tmp_path / "link.txt").symlink_to("/etc/hostname")
    found = judged(RIGHT, "from sub.own import total\nimport os\n"
                   "print(sorted(n for n in os.listdir() if n[0] != '.'))",
                   folder=tmp_path, limits=Limits(scratch_bytes=2**20))
    assert points(found) == [3, 2]
    assert found.outputs[2][0]["text"] == "['numpy.py', 'sub']\n"
    assert [(one.kind, one.where) for one in found.incidents] == [
        ("files", "large.bin")]


@needs_sandbox
def test_a_carried_module_is_loaded_from_beside_the_notebook(tmp_path):
    (tmp_path / "carried").mkdir()
    (tmp_path / "carried" / "mine.py").write_text("def total(x): return x.sum()")
    found = judged("", 'from convlab import carry\ntotal = carry.load("mine").total',
                   folder=tmp_path)
    assert points(found) == [0, 2]


@needs_sandbox
def test_speed_is_a_ratio_on_fresh_inputs_with_right_values(monkeypatch):
    monkeypatch.setattr(speed, "PAUSE", 0.01)
    monkeypatch.setattr(speed, "ROUNDS", 1)

    def large(random):
        return Case("a large array", (random.standard_normal((500, 500)),))

    def timed(times_slower):
        return Question("double_speed", "double", 1, "speed", double_cases, double,
                        seconds=5, speed=Speed(large, double, times_slower, tries=2))

    assert judged(RIGHT, questions=[timed(1000)]).points == 1
    slow = judged(RIGHT + "import time\nright = double\n"
                  "def double(x):\n    time.sleep(2)\n    return right(x)",
                  questions=[timed(2)])
    verdict = slow.verdicts["double_speed"]
    assert (verdict.status, verdict.points) == ("slow", 0)
    assert "ms" in verdict.explanation
    fake = judged(RIGHT + "right = double\n"
                  "def double(x):\n    return x if x.size > 100 else right(x)",
                  questions=[timed(1000)])
    assert fake.verdicts["double_speed"].status == "wrong"


@needs_sandbox
def test_a_numba_function_may_take_its_time_to_compile(monkeypatch):
    monkeypatch.setattr(sandbox, "PRELOAD", ("numpy", "numba"))
    found = judged(RIGHT, """
        import numba
        @numba.njit(parallel=True)
        def total(x):
            s = 0.0
            for i in numba.prange(x.shape[0]):
                for j in range(x.shape[1]):
                    s += x[i, j]
            return s""", limits=Limits(first_call_seconds=120), questions=[TOTAL])
    assert points(found) == [2]


def test_mode_limits_judges_alike():
    assert points(judged(RIGHT, sandbox="limits")) == [3, 2]


def test_the_random_numbers_of_a_question_are_its_own():
    one = generator(7, "a").standard_normal(3)
    np.testing.assert_array_equal(one, generator(7, "a").standard_normal(3))
    assert not np.allclose(one, generator(7, "b").standard_normal(3))
    assert not np.allclose(one, generator(8, "a").standard_normal(3))


def test_a_verdict_cannot_give_what_is_not_there():
    with pytest.raises(ValueError, match="is not a status"):
        Verdict("q", 1, 1, "perfect", "")
    for given in (-1, 2, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="cannot be"):
            Verdict("q", given, 1, "right", "")
    half = Verdict("q", 0.5, 1, "right", "Well.").as_outputs()
    assert half[0]["text"] == "0.5 of 1 points\nWell.\n"
    assert half[1]["data"]["text/plain"] == "0.5"


def without_times(judgement):
    found = judgement.to_json()
    for name in ("seconds", "timings"):
        del found[name]
    for verdict in found["verdicts"].values():
        del verdict["seconds"]
    return found


ENDS = "import os; os._exit(3)"
WHOLE = {
    "sound": RIGHT,
    "ends in a cell": f"{RIGHT}\n{ENDS}\n",
    "ends in a call": f"{RIGHT}\ndef total(x):\n    {ENDS}\n",
    "remembers": RIGHT + """
def double(x, twice=double):
    global called
    called = True
    return twice(x)
def total(x):
    return x.sum() if called else 0.0""",
}


@pytest.fixture
def ended_from_outside(monkeypatch):
    """Judges a notebook whose process is ended at a moment: before the grader
    looks whether it is in step, or just after, for the n-th time."""

    def killing(asked, moment, function):
        def before(self, *args, **options):
            asked.append(None)
            kernel = getattr(self, "_kernel", self)
            if len(asked) == moment and kernel:
                kernel._watch.kill()
                while kernel is not self and kernel.in_step:
                    time.sleep(0.001)
            return function(self, *args, **options)
        return before

    def judged_with_kill(cells, owner, name, moment):
        asked = []
        with monkeypatch.context() as patch:
            function = getattr(owner, name)
            patch.setattr(owner, name, killing(asked, moment, function))
            return without_times(judged(*cells)), len(asked)

    return judged_with_kill


@needs_sandbox
@pytest.mark.parametrize("source", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("owner, name", [(Kernel, "_ask"), (Session, "kernel")],
                         ids=["asked", "idle"])
def test_a_process_ended_from_outside_costs_nothing(
    source, owner, name, ended_from_outside
):
    """Neither where it crashes by itself as well, which one kill may hide."""
    cells = (RIGHT, source, "print(np.ones(3))")
    undisturbed, times = ended_from_outside(cells, owner, name, 0)
    for moment in {1, 2, 3, times - 1}:
        found, _ = ended_from_outside(cells, owner, name, moment)
        assert found == undisturbed, f"at look {moment} of {times}"


@needs_sandbox
def test_a_passing_fault_of_ours_costs_nothing():
    faults = []

    def cases(random):
        if not faults:
            faults.append(None)
            raise OSError("not now")
        return arrays(random)

    found = judged(RIGHT, questions=[replace(TOTAL, cases=cases)])
    assert faults
    assert points(found) == [2]
    assert found.incidents == ()

"""A student's process may do what it likes: the grader's side stays whole."""


import threading

import numpy as np
import psutil
import pytest

from autograder import sandbox, wire
from autograder.kernel import Kernel, KernelLost, KernelStartFailed
from autograder.sandbox import Limits, MiB, Sandbox
from autograder.tests.walls import needs_sandbox, quick

ALL = sandbox.PRELOAD


class Process:
    """A process that is started again whenever a test has killed it."""

    def __init__(self, walls):
        self.walls = walls
        self.kernel = None

    def __call__(self):
        if self.kernel is None or not self.kernel.in_step:
            self.close()
            self.kernel = Kernel(self.walls).start()
        return self.kernel

    def close(self):
        if self.kernel:
            self.kernel.close()


@pytest.fixture(scope="module")
def process():
    with pytest.MonkeyPatch.context() as patch:
        quick(patch)
        kept = Process(Sandbox("bwrap", Limits(output_bytes=MiB)))
        yield kept
        kept.close()


def outputs(run, kind):
    return [one for one in run.outputs if one["output_type"] == kind]


@needs_sandbox
def test_cells_show_what_they_show_in_a_notebook(process):
    kernel = process()
    run = kernel.run_cell("print('a'); print('b')\n1 + 1")
    assert run.ok
    assert run.outputs[0] == {
        "output_type": "stream", "name": "stdout", "text": "a\nb\n"}
    assert run.outputs[1]["data"] == {"text/plain": "2"}
    assert kernel.run_cell("import sys; print('!', file=sys.stderr)").outputs[0][
        "name"] == "stderr"
    run = kernel.run_cell("def f():\n    return 1 / 0\nf()")
    assert not run.ok
    assert run.outputs[0]["ename"] == "ZeroDivisionError"
    assert "return 1 / 0" in "\n".join(run.outputs[0]["traceback"])
    run = kernel.run_cell("import asyncio\nawait asyncio.sleep(0)\n'waited'")
    assert run.outputs[0]["data"]["text/plain"] == "'waited'"
    assert "loop" in kernel.run_cell("%timeit -n1 -r1 1 + 1").outputs[0]["text"]
    assert kernel.run_cell("!echo shell").outputs[0]["text"] == "shell\n"
    run = kernel.run_cell("from IPython.display import HTML, display, clear_output\n"
                          "handle = display(HTML('<b>1</b>'), display_id='x')\n"
                          "handle.update(HTML('<b>2</b>'))")
    assert [one["data"]["text/html"] for one in run.outputs] == ["<b>2</b>"]
    assert kernel.run_cell("print(1); clear_output(wait=True); print(2)").outputs == [
        {"output_type": "stream", "name": "stdout", "text": "2\n"}]
    assert kernel.run_cell("exit").ok


@needs_sandbox
def test_figures_and_numba(monkeypatch):
    monkeypatch.setattr(sandbox, "PRELOAD", ALL)
    with Kernel(Sandbox("bwrap")) as kernel:
        run = kernel.run_cell("%matplotlib inline\nimport matplotlib.pyplot as plt\n"
                              "plt.plot([1, 2]);")
        assert [one["data"]["image/png"][:5] for one in run.outputs] == ["iVBOR"]
        assert set(kernel.versions) == {"numpy", "numba", "matplotlib", "IPython"}
        kernel.run_cell("import numba, numpy as np\n@numba.njit(parallel=True)\n"
                        "def total(x):\n    s = 0.0\n"
                        "    for i in numba.prange(x.size):\n        s += x[i]\n"
                        "    return s")
        assert kernel.call("total", (np.arange(10.0),), seconds=120).value == 45.0


@needs_sandbox
def test_calls_bring_values_errors_and_absence(process):
    kernel = process()
    kernel.run_cell("""
import numpy as np
def twice(x, n=2):
    print("noise"); import sys; sys.stderr.write("more")
    return x * n, n
class SizeError(ValueError): pass
def refuse(x):
    raise SizeError("\\x1b[31mnot whole\\x1b[0m")
def mean():
    class Bad(Exception):
        def __str__(self): raise ValueError
    raise Bad
three = 3""")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    reply = kernel.call("twice", (x,), {"n": 3})
    assert reply.kind == "returned"
    assert reply.value[1] == 3
    assert reply.value[0].dtype == np.float32
    np.testing.assert_array_equal(reply.value[0], 3 * x)
    reply = kernel.call("refuse", (x,))
    assert reply.types[:2] == ("SizeError", "ValueError")
    assert reply.message == "not whole"
    assert "raise SizeError" in reply.line
    assert kernel.call("mean").types[0] == "Bad"
    assert kernel.call("nowhere").kind == "missing"
    assert kernel.call("three").message == "int"


@needs_sandbox
def test_layouts_and_originals_are_kept(process):
    kernel = process()
    kernel.run_cell("def look(x):\n    old = x.strides, x.flags.c_contiguous\n"
                    "    x[...] = 0\n    return old")
    x = np.arange(24.0).reshape(4, 6)
    for view in (x.T, x[::2, ::-1], x[:, 1:4], np.asfortranarray(x)):
        assert kernel.call("look", (view,)).value == (view.strides, False)
    assert x.sum() == 276  # what the student's function did to its copy is its own


# The module that a student's process talks with: it cannot be imported, but found.
WIRE = """
import gc
wire = next(o for o in gc.get_objects() if type(o).__name__ == "Server").wire
"""
LOST = {
    "exits": ("import os; os._exit(0)", "exit status 0"),
    "crashes": ("import ctypes; ctypes.string_at(0)", "segmentation fault"),
    "kills itself": ("import os; os.kill(os.getpid(), 9)", "signal 9"),
    "leaves a child that holds the connection": (
        "import os, time\nif os.fork():\n    os.kill(os.getpid(), 9)\n"
        "time.sleep(60)", "signal 9"),
    "hangs and swallows all": (
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException:\n"
        "        pass", "longer than 2 s"),
    "closes the connection": (
        "import os, time\nos.closerange(3, 4096)\ntime.sleep(60)", "closed"),
    "sends noise": (
        "import socket\nfor fd in range(3, 4096):\n    try:\n"
        "        socket.socket(fileno=fd).sendall(b'noise' * 1000)\n"
        "    except OSError:\n        pass", "not an answer"),
}
SEND = """
import gc, json, socket, struct
channel = next(o for o in gc.get_objects() if isinstance(o, socket.socket))
def send(text, data=b"", magic=b"CNV1", size=None):
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    size = len(data) if size is None else size
    channel.sendall(struct.pack(">4sIQ", magic, len(text), size) + text + data)
"""
FORGED = {
    "an answer of its own":
        "send({'id': 'x', 'outputs': [], 'ok': True, 'cut': False})",
    "a length of exabytes": "send(b'{}', size=1 << 62)",
    "a pickle": "import pickle; send(pickle.dumps(object()))",
    "JSON without end": "send(b'[' * 60000)",
    "an answer before the question": "send({'id': None})",
}


@needs_sandbox
@pytest.mark.parametrize("source, words", LOST.values(), ids=LOST)
def test_a_lost_process_has_a_reason(process, source, words):
    kernel = process()
    with pytest.raises(KernelLost) as lost:
        kernel.run_cell(source, seconds=2 if "longer" in words else 30)
    assert words in lost.value.message
    assert not kernel.alive
    with pytest.raises(KernelLost):
        kernel.run_cell("1")
    assert process().run_cell("1").ok


@needs_sandbox
def test_killing_all_it_sees_reaches_no_one(process):
    kernel = process()
    kernel.run_cell("import os\nos.kill(-1, 9)")
    assert kernel.run_cell("1").ok


@needs_sandbox
@pytest.mark.parametrize("source", FORGED.values(), ids=FORGED)
def test_forged_messages_cost_the_process_and_no_more(process, source):
    kernel = process()
    with pytest.raises(KernelLost) as lost:
        kernel.run_cell(SEND + source, seconds=10)
    assert lost.value.status == "crash"
    assert "not an answer" in lost.value.message


PATCHED = {
    "outputs that are none": "lambda self: [{'output_type': 'what'}]",
    "outputs of another kind": "lambda self: 7",
    "a stream that is not text": "lambda self: [{'output_type': 'stream', 'name': "
                                 "'stdout', 'text': 7}]",
    "100 MB of outputs": "lambda self: [{'output_type': 'stream', 'name': 'stdout', "
                         "'text': 'x' * 100_000_000}]",
}


@needs_sandbox
@pytest.mark.parametrize("patch", PATCHED.values(), ids=PATCHED)
def test_a_patched_server_is_not_believed(process, patch):
    kernel = process()
    before = psutil.Process().memory_info().rss
    with pytest.raises(KernelLost):
        kernel.run_cell(f"import sys; sys.stdout.outputs.__class__.finished = {patch}",
                        seconds=10)
    assert psutil.Process().memory_info().rss - before < 50 * MiB


@needs_sandbox
def test_text_that_no_file_could_hold_is_made_harmless(process):
    run = process().run_cell("print('\\ud800')\nraise ValueError('\\udfff')")
    assert "?" in run.outputs[0]["text"]
    str(run.outputs).encode("utf-8")


@needs_sandbox
def test_200_mb_on_one_line_are_cut_and_not_kept_here(process):
    kernel = process()
    before = psutil.Process().memory_info().rss
    run = kernel.run_cell("print('x' * 200_000_000)", seconds=60)
    assert run.cut
    assert len(run.outputs[0]["text"]) <= MiB
    assert psutil.Process().memory_info().rss - before < 50 * MiB
    run = kernel.run_cell("import os\nfor _ in range(300): os.write(1, b'y' * 100_000)")
    assert run.ok  # what goes past Python is read and dropped
    assert len(kernel.printed) <= 20_000
    run = kernel.run_cell("for n in range(5000): display(n)")
    assert run.cut
    assert len(run.outputs) == 500


@needs_sandbox
def test_values_that_lie_come_as_a_name(process):
    kernel = process()
    kernel.run_cell("""
import numpy as np
class Liar:
    __array__ = lambda self, *a, **k: np.ones(3)
    __eq__ = __ge__ = __le__ = lambda self, other: True
    __reduce__ = lambda self: (print, ("unpickled",))
class Array(np.ndarray):
    __eq__ = lambda self, other: True
def liar(): return Liar()
def array(): return np.ones(3).view(Array)
def nested(): return 1, [Liar()]
def objects(): return np.array([object()])
def large(): return np.zeros(100 * 2**20, np.uint8)
def fork():
    import os
    os.fork()
    return 1""")
    for name, kind in (("liar", "Liar"), ("array", "Array"), ("large", "bytes"),
                       ("objects", "ndarray of dtype object")):
        value = kernel.call(name).value
        assert isinstance(value, wire.Opaque)
        assert kind in value.kind
    assert isinstance(kernel.call("nested").value[1][0], wire.Opaque)
    assert kernel.call("fork").value == 1
    assert kernel.call("fork").value == 1  # the other of the two is gone


@needs_sandbox
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_a_module_named_like_one_of_ours_is_the_students(monkeypatch, warm):
    quick(monkeypatch)
    with Kernel(Sandbox("bwrap", warm=warm)) as kernel:
        for name in ("wire", "server", "zygote"):
            kernel.put(f"{name}.py", b"mine = True")
            run = kernel.run_cell(f"import {name}\nprint({name}.mine)")
            assert run.outputs[0]["text"] == "True\n"


@needs_sandbox
def test_declared_sizes_that_lie(process):
    tree = {"array": "<f8", "shape": [1 << 40], "at": 0, "bytes": 8 << 40}
    for patch in (f"self.chunks.append(b'12345678'), {tree!r})[1]",
                  "{'array': '|O8', 'shape': [1], 'at': 0, 'bytes': 8})",
                  "{'what': 1})", "[])"):
        kernel = process()
        kernel.run_cell(WIRE + "wire.Encoder.encode = lambda self, "
                        f"value, depth=0: ({patch}\ndef f(): return 1")
        with pytest.raises(KernelLost) as lost:
            kernel.call("f", seconds=10)
        assert lost.value.status == "crash"


@needs_sandbox
def test_an_answer_that_drips_is_late(process):
    kernel = process()
    kernel.run_cell(SEND + """
import time
def drip():
    channel.sendall(struct.pack(">4sIQ", b"CNV1", 1000, 0))
    while True:
        channel.sendall(b" ")
        time.sleep(0.05)""")
    with pytest.raises(KernelLost) as lost:
        kernel.call("drip", seconds=1)
    assert lost.value.status == "timeout"


@needs_sandbox
def test_what_ticks_from_an_earlier_cell_does_not_go_off_in_a_call(process):
    kernel = process()
    kernel.run_cell("import signal\nsignal.alarm(600)\n"
                    "def f():\n    return signal.getitimer(signal.ITIMER_REAL)")
    assert kernel.call("f").value == (0.0, 0.0)


@needs_sandbox
def test_frozen_processes_stand_still(process):
    kernel = process()
    kernel.run_cell("import threading\ncount = 0\ndef grow():\n    global count\n"
                    "    while True: count += 1\n"
                    "threading.Thread(target=grow, daemon=True).start()\n"
                    "def f(): return count")
    tree = list(kernel._watch._tree())
    with kernel.frozen():
        # one that has ended already, and is not yet reaped, stands still as well
        assert {one.status() for one in tree} - {psutil.STATUS_ZOMBIE} == {
            psutil.STATUS_STOPPED}
    assert kernel.call("f", seconds=10).kind == "returned"


@needs_sandbox
def test_a_start_that_fails_is_not_the_students_doing(monkeypatch):
    monkeypatch.setattr(sandbox, "PRELOAD", ("no_such_library",))
    with pytest.raises(KernelStartFailed, match="no_such_library"):
        Kernel(Sandbox("bwrap")).start()


@needs_sandbox
def test_nothing_is_left_open(monkeypatch):
    quick(monkeypatch)
    walls = Sandbox("bwrap")
    mine = psutil.Process()

    def held():
        with Kernel(walls) as kernel:
            kernel.run_cell("1")
        return mine.num_fds(), threading.active_count(), len(mine.children())

    first = held()  # this process may open something of its own at first use
    for later in (held() for _ in range(3)):
        assert all(more <= before for more, before in zip(later, first, strict=True))

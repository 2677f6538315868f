"""What a student sees: right, wrong and odd functions, in words and pictures."""

from __future__ import annotations

import linecache
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from convlab.checks import check, numba_errors, public, report, running
from convlab.checks.compare import difference
from convlab.checks.layout import copied, with_strides
from convlab.checks.recognise import recognise

# --- where two answers differ


@pytest.mark.parametrize("expected, got, says", [
    (5, None, "is the `return` missing?"),
    (5, 4, "Expected 5, got 4."),
    (5, 5.0, "the value is right, but a count must be a whole number of type int"),
    (5, [5], "Expected one number, got a list of 1."),
    (1.5, np.ones(1), "Expected one number, got an array of shape (1,)."),
    (1.5, 2.5, "Expected 1.5, got 2.5."),
    (np.ones(3), [1, 1, 1], "Expected an array of shape (3,), got a list of 3."),
    (np.ones(3), np.ones(3, complex), "got dtype complex128"),
    (np.ones(3), np.array([None] * 3), "got dtype object"),
    (np.ones(3), np.array([b"a"] * 3), "got dtype |S1"),
    (np.ones(3), np.zeros(3, "M8[s]"), "got dtype datetime64[s]"),
    (np.ones((1, 3)), np.array([[1, 1, 5]]).view(np.matrix), "1 of 3 values are wrong"),
    (np.ones(3), np.ma.array([1, 1, 5], mask=[0, 0, 1]), "1 of 3 values are wrong"),
    (np.ones(3, np.float32), np.full(3, 1e300), "All 3 values are wrong"),
    (np.ones((2, 3)), np.ones(6), "Expected shape (2, 3), got (6,)."),
    (np.ones((4, 2, 3)), np.ones((2, 3)), None),
    (np.ones((1, 2, 3)), np.ones((2, 3)), "The axis of the images is missing."),
    (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T,
     "the axes are in another order: what you return is the right answer "
     "transposed (1, 0)"),
    (np.arange(6.0).reshape(2, 3), np.ones((3, 2)), "are axes swapped?"),
    (np.arange(4.0).reshape(2, 2), np.arange(4.0).reshape(2, 2).T,
     "The values are right, but the axes are in another order"),
    (np.zeros((2, 3)), np.array([[0, 0, 0], [0, 7.0, 0]]),
     "1 of 6 values are wrong. The largest difference is at row 1, column 1: "
     "expected 0, got 7."),
    (np.zeros((1, 1, 2, 2)), np.full((1, 1, 2, 2), 2.0),
     "All 4 values are wrong. The largest difference is at image 0, row 0, column 0, "
     "channel 0"),
    (np.zeros(3), np.array([0, np.nan, np.inf]), "1 of them NaN, 1 of them infinite"),
    (np.inf, 16.0, "got 16.0"), (np.array([1, np.inf]), np.ones(2), "1 of 2 values"),
    ((1, 2), (1, 3), "Of what is returned, number 2: Expected 2, got 3."),
    ((1, 2), 1, "Expected a tuple of 2, got the int 1."),
])
def test_a_difference_is_said_in_words(expected, got, says):
    found = difference(expected, got)
    assert found is not None
    assert says is None or says in found.message


@pytest.mark.parametrize("expected, got", [
    (5, 5), (5, np.int32(5)), (5, np.array(5)), (1.5, np.float32(1.5)), (1.5, 1.50001),
    (np.ones(3), np.ones(3, np.float32)), (np.ones(3), np.ones(3, int)),
    (np.array([np.inf]), np.array([np.inf])), ((1, np.ones(2)), (1, np.ones(2))),
    (np.array([np.nan, 1]), np.array([np.nan, 1])), (np.float64("nan"), np.nan),
])
def test_what_is_the_same_is_right(expected, got):
    assert difference(expected, got) is None


def test_the_dtype_counts_where_it_is_asked_for():
    one, other = np.ones(3, np.float32), np.ones(3)
    assert difference(one, other) is None
    assert "expected float32, got float64" in difference(one, other, dtype=True).message


def test_where_marks_the_wrong_places():
    got = np.zeros((2, 3))
    got[1, 2] = 1
    assert np.argwhere(difference(np.zeros((2, 3)), got).where).tolist() == [[1, 2]]


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, -1, 2, -3]))
def test_a_copy_keeps_its_layout(rows, columns, step):
    array = np.arange(60.0).reshape(12, 5)[::step][:rows, :columns].T
    other = copied(array)
    np.testing.assert_array_equal(other, array)
    assert other.strides == array.strides
    other[...] = -1
    assert array.min() >= 0


def test_a_layout_can_be_asked_for():
    assert with_strides(np.ones((2, 3)), (8, 100)).strides == (8, 100)
    assert with_strides(np.ones((0, 3)), (8, 8)).shape == (0, 3)


# --- which known mistake it is


@pytest.mark.parametrize("cases, name", [
    ([(True, {"a"}), (True, {"b"})], None),  # nothing is wrong
    ([(False, set()), (False, {"a"})], None),  # the first wrong answer decides
    ([(False, {"a", "b"})], "a"),  # in order
    ([(False, {"a", "b"}), (False, {"b"})], "b"),
    ([(True, {"b"}), (False, {"a", "b"})], "b"),  # a would be wrong there
    ([(False, {"a"}), (False, {"b"})], "a"),
])
def test_answers_together_tell_a_mistake(cases, name):
    assert recognise(cases, ["a", "b"]) == name


# --- check


def convolve(x, w, b, stride=1, pad=0):
    """Right, one number after another."""
    if pad < 0 or w.shape[3] != x.shape[3]:
        raise ValueError("does not fit")
    room = [n + 2 * pad - f for n, f in zip(x.shape[1:3], w.shape[1:3], strict=True)]
    if min(room) < 0 or room[0] % stride or room[1] % stride:
        raise ValueError("does not fit")
    wide = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.empty((len(x), room[0] // stride + 1, room[1] // stride + 1, len(w)),
                 x.dtype)
    for n, i, j, k in np.ndindex(y.shape):
        chunk = wide[n, i * stride:, j * stride:][:w.shape[1], :w.shape[2]]
        y[n, i, j, k] = np.sum(chunk * w[k]) + b[k]
    return y


def flipped(x, w, b, stride=1, pad=0):
    return convolve(x, w[:, ::-1, ::-1], b, stride, pad)


def result_of(function, name="ps2/conv2d_forward"):
    return running.run(public.load(name), function)


def test_a_right_function(capsys):
    assert check("ps2/conv2d_forward", convolve) is None
    shown = capsys.readouterr()
    assert shown.out == "✓ ps2/conv2d_forward: 14 of 14 cases right.\n"
    assert shown.err == ""


def test_a_known_mistake_is_shown_with_numbers_and_its_hint(capsys):
    check("ps2/conv2d_forward", flipped)
    shown = capsys.readouterr().out
    assert "7 of 14 cases right." in shown
    assert "conv2d_forward(x, w, b)   with x (1, 4, 5, 1) float32" in shown
    assert shown.count("Hint:") == 1
    assert "turned around" in shown
    for block in ("x[0, :, :, 0]", "w[0, :, :, 0]", "expected[0, :, :, 0]",
                  "got[0, :, :, 0]"):
        assert block in shown
    assert "*" in shown.splitlines()[-1]


def test_a_mistake_is_known_by_its_values_where_the_dtype_is_wrong_too():
    result = result_of(lambda *args, **more: flipped(*args, **more).astype(float))
    assert "turned around" in result.hint


def test_large_arrays_are_drawn():
    large = public.load("ps2/activation_map").cases[1]
    attempt = running.Attempt(large, np.zeros((28, 28)), wrong=difference(
        large.expected, np.zeros((28, 28))))
    html = report.Report(running.Result(
        public.load("ps2/activation_map"), [attempt]))._repr_html_()
    assert "data:image/png;base64," in html
    assert "All 784 values are wrong" in html


def test_of_several_values_the_wrong_one_is_shown():
    small, large = np.ones((2, 2)), np.ones((9, 9))
    for expected, block in (((large, small), "expected"), ((small, large), "png")):
        got = (expected[0], 0 * expected[1])
        case = public.PublicCase("two arrays", (3,), {}, expected)
        check_of_two = public.PublicCheck(
            "ps0/two", "two", ("n",), [case], {}, 1e-3, 1e-4, False)
        html = report.Report(running.Result(check_of_two, [running.Attempt(
            case, got, wrong=difference(expected, got))]))._repr_html_()
        assert "Of what is returned, number 2" in html
        assert block in html


def test_html_escapes_what_a_student_said():
    def loud(x, w, b):
        raise RuntimeError("<script>alert(1)</script>")

    html = report.Report(result_of(loud, "ps2/activation_map"))._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html


def test_an_unwritten_function_is_no_failure_to_speak_of(capsys):
    def unwritten(*args, **more):
        raise NotImplementedError("write your answer here")

    check("ps2/conv2d_forward", unwritten)
    shown = capsys.readouterr().out
    assert shown.startswith("○ ps2/conv2d_forward: not written yet.")
    assert "Put your answer in place of" in shown


def exits(x, w, b):
    raise SystemExit(3)


def changes(x, w, b):
    x[...] = 0
    return None


def warns(x, w, b):
    import sys
    import warnings

    warnings.warn("mind the gap", stacklevel=2)
    print("to the error stream", file=sys.stderr)
    return np.zeros((3, 5)) / np.zeros((3, 5))


def recurses(x, w, b):
    return recurses(x, w, b)


@pytest.mark.parametrize("function, says", [
    (lambda x, w, b: None, "got None: is the `return` missing?"),
    (lambda x, w, b: [[1.0]], "got a list of 1"),
    (lambda x, w, b: "map", "got a str"),
    (lambda x, w, b: iter([]), "got a list_iterator"),
    (lambda x, w, b: np.array(["a"]), "dtype <U1"),
    (lambda x, w, b: np.zeros((0,)), "got (0,)"),
    (lambda x: x, "It raised TypeError"),
    (lambda x, w, b: 1 / 0, "It raised ZeroDivisionError: division by zero\nIn <lambda>"
                            ", line "),
    (exits, "It raised SystemExit: 3"),
    (recurses, "It raised RecursionError"),
    (changes, "Note: your function changes x, which belongs to whoever calls it."),
    (warns, "UserWarning: mind the gap"),
    (np.zeros, "It raised TypeError"),
    (type("Odd", (), {"__call__": lambda self, *args: NotImplemented})(), "Odd"),
])
def test_odd_functions_are_reported_in_words(function, says, capsys):
    check("ps2/activation_map", function)
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "0 of 2 cases right." in shown.out
    if says != "Odd":
        assert says in shown.out


def test_what_compiled_libraries_say_is_said_in_words(capfd):
    def multiplies_in_a_parallel_loop(x, w, b):
        for _ in range(2000):
            os.write(2, b"OpenBLAS Warning : Detect OpenMP Loop and this application "
                        b"may hang. Please rebuild the library.\n")
        return np.zeros((3, 5))

    check("ps2/activation_map", multiplies_in_a_parallel_loop)
    shown = capfd.readouterr()
    assert shown.err == ""
    assert shown.out.count("runs inside of a prange loop") == 1
    assert "OpenBLAS Warning" not in shown.out
    os.write(2, b"as before")
    assert capfd.readouterr().err == "as before"


def test_every_case_gets_arguments_of_its_own():
    def greedy(x, w, b, stride=1, pad=0):
        y = convolve(x, w, b, stride, pad)
        x[...], w[...], b[...] = 7, 7, 7
        return y

    result = result_of(greedy)
    assert result.failed is None
    assert any("changes x, w, b" in note for note in report.Report(result).notes())


def test_an_interrupt_is_an_interrupt():
    def interrupted(*args, **more):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("ps2/activation_map", interrupted)


def test_a_check_that_does_not_exist_and_a_result_instead_of_a_function():
    with pytest.raises(KeyError, match="ps2/conv2d_forward"):
        check("ps2/conv3d", convolve)
    with pytest.raises(TypeError, match="without brackets"):
        check("ps2/output_size", 5)


def test_refusing_is_right_where_it_is_asked_for():
    def accepts(n, f, stride=1, pad=0):
        return (n + 2 * pad - f) // stride + 1

    result = result_of(accepts, "ps2/output_size")
    assert "must be refused with a ValueError; it returned the int 2" in (
        result.failed.wrong.message)
    assert "round down" in result.hint


# --- the cases as data


def test_the_cases_are_numbers_and_no_code():
    for path in public.FOLDER.iterdir():
        assert path.suffix in (".json", ".npz")
    for path in public.FOLDER.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(arrays[name].dtype.kind in "biuf" for name in arrays)


def test_a_layout_survives_the_file():
    arrays = [one for case in public.load("ps2/conv2d_forward").cases
              for one in case.args]
    assert any(not one.flags.c_contiguous for one in arrays)
    assert all(one.flags.writeable for one in arrays)


# --- numba's errors, real ones


def plain(n):
    return n + 1


def calls_plain(x):
    return plain(len(x))


def pads(x):
    return np.pad(x, 1)


def changes_type(x):
    total = 0
    for i in range(len(x)):
        total = x[i]
    return total


def one_index_too_many(x):
    return x[0, 0, 0]


def list_shape(x):
    return np.zeros([2, 3])


def float_shape(x):
    return np.zeros((len(x) / 1, 2))


def dtype_by_name(x):
    return np.zeros((2, 2), dtype=str(x.dtype))


def array_into_place(x):
    y = np.zeros((2, 2))
    y[0, 0] = x[0]
    return y


def nested(values):
    return values[0][0]


def unknown_name(x):
    return nowhere + x[0, 0]  # noqa: F821


def no_such_method(x):
    return x.median()


def two_types(x):
    if x[0, 0] > 0:
        return x
    return 1


def keepdims(x):
    return x.sum(keepdims=True)


def mixed_product(x):
    return x @ x.astype(np.float32)


def opens(x):
    with open("x") as file:
        return file


def adds(x):
    return x[0, 0] + "1"


def reshapes(x):
    return x.T.reshape(6)


@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")
@pytest.mark.parametrize("function, argument, says", [
    (calls_plain, np.ones((2, 3)), "put @njit above plain as well"),
    (pads, np.ones((2, 3)), "numba cannot compile np.pad"),
    (changes_type, np.ones((2, 3)), "the variable total is once an int and once a "
                                    "1-d float64 array"),
    (one_index_too_many, np.ones((2, 3)), "2 axes is indexed with 3 indices"),
    (list_shape, np.ones((2, 3)), "np.zeros wants its shape as a tuple"),
    (float_shape, np.ones((2, 3)), "// keeps an int"),
    (dtype_by_name, np.ones((2, 3)), "dtype=x.dtype"),
    (array_into_place, np.ones((2, 3)), "you assign a 1-d float64 array to a single"),
    (nested, [[1, 2], [3]], "you pass a list of lists"),
    (nested, [1, 2], "indexed once too often"),
    (nested, {1: 2}, "argument 1 of the compiled function is a dict"),
    (one_index_too_many, np.array([None]), "an array of Python objects"),
    (unknown_name, np.ones((2, 3)), "the name nowhere is not defined"),
    (no_such_method, np.ones((2, 3)), "a 2-d float64 array has no .median"),
    (two_types, np.ones((2, 3)), "returns different types in different places"),
    (keepdims, np.ones((2, 3)), "has no argument keepdims"),
    (mixed_product, np.ones((3, 3)), "different dtypes"),
    (opens, np.ones((2, 3)), "cannot be compiled (with)"),
    (adds, np.ones((2, 3)), "numba cannot work out `a float + a string`"),
    (reshapes, np.ones((2, 3)), "np.ascontiguousarray"),
])
def test_numbas_errors_say_what_to_change(function, argument, says):
    with pytest.raises(Exception) as raised:  # numba's own, of many types
        njit(function)(argument)
    words = numba_errors.explain(raised.value)
    assert says.lower() in words.lower()
    assert len(words) < 400
    assert "Overload" not in words


def test_the_students_line_is_named():
    with pytest.raises(Exception) as raised:
        njit(array_into_place)(np.ones((2, 3)))
    assert "`y[0, 0] = x[0]`: " in numba_errors.explain(raised.value)


def test_the_line_of_a_notebooks_cell_is_named():
    """numba cannot read a cell; Jupyter keeps its lines in linecache."""
    name = "/tmp/ipykernel_1/2.py"
    cell = "def total(x):\n    y = 0\n    y += x\n    return y\n"
    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
    space = {}
    exec(compile(cell, name, "exec"), space)
    with pytest.raises(Exception) as raised:
        njit(space["total"])(np.ones(2))
    assert numba_errors.explain(raised.value).startswith("Line 3, `y += x`: ")


def test_other_errors_are_left_alone():
    assert numba_errors.explain(ValueError("no")) is None
    assert numba_errors.explain(NotImplementedError("write your answer here")) is None


def test_numbas_errors_reach_the_student(capsys):
    @njit
    def number(chunk, w, b):
        return np.tensordot(chunk, w) + b

    check("ps2/one_number", number)
    shown = capsys.readouterr().out
    assert "numba could not compile it. Line" in shown
    assert "numba cannot compile np.tensordot" in shown


def test_a_loop_that_is_not_shared_is_mentioned(capsys):
    @njit(parallel=True)
    def number(chunk, w, b):
        total = b
        for i in range(w.shape[0]):
            for j in range(w.shape[1]):
                for c in range(w.shape[2]):
                    total += chunk[i, j, c] * w[i, j, c]
        return total

    check("ps2/one_number", number)
    shown = capsys.readouterr()
    assert "3 of 3 cases right" in shown.out
    assert "put prange in place of range" in shown.out
    assert shown.err == ""

"""What numba's errors mean, and what to change.

numba says exactly what its type inference could not do; a person new to it
needs to hear which line that is and what to write instead.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from pathlib import Path

Advice = Callable[[re.Match], str]


def explain(error: BaseException) -> str | None:
    """Two or three sentences on an error of numba's, or None for any other.

    Names the line of the student's own code where numba does.
    """
    text = str(error)
    if not _is_numba(error, text):
        return None
    advice = next((advise(found) for pattern, advise in RULES
                   if (found := re.search(pattern, text))), None)
    if advice is None:
        advice = ("numba could not compile this. It knows numbers, tuples and numpy "
                  "arrays, loops over them and much of numpy; leave all else outside "
                  "of the @njit function.")
    place = line_of(text)
    return place + advice if place else advice[0].upper() + advice[1:]


def explain_warning(warning: Warning | str) -> str | None:
    """A sentence on a warning of numba's, or None for any other."""
    return next((advice for pattern, advice in WARNINGS
                 if re.search(pattern, str(warning))), None)


def line_of(text: str) -> str:
    """"Line 12, `total = x[i]`: " out of numba's message, or ""."""
    places = re.finditer(r'File "(?P<file>[^"\n]*)", line (?P<line>\d+):'
                         r"|at (?P<at>/\S+) \((?P<number>\d+)\)", text)
    for place in places:
        file = place["file"] or place["at"]
        line = int(place["line"] or place["number"])
        if "site-packages" not in file:
            code = _source_line(file, line)
            shown = f", `{code}`" if code and not code.startswith("@") else ""
            return f"Line {line}{shown}: "
    return ""


def _source_line(file: str, line: int) -> str:
    """A line of a file or, by the end of its name, of a notebook's cell."""
    end = Path(*Path(file).parts[-2:]).as_posix()
    known = next((name for name in linecache.cache if name.endswith(end)), file)
    return linecache.getline(known, line).strip()


def _is_numba(error: BaseException, text: str) -> bool:
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return "numba" in modules or "reflected" in text or text == _BAD_SHAPE


_BAD_SHAPE = "incompatible shape for array"  # a NotImplementedError of numba's own


def _plain(kind: str) -> str:
    """numba's name for a type in everyday words: "a 3-d float32 array"."""
    array = re.match(r"array\((\w+), (\d+)d", kind)
    if array:
        return f"a {array[2]}-d {array[1]} array"
    if "unicode_type" in kind or "Literal[str]" in kind:
        return "a string"
    if kind.startswith("none"):
        return "None"
    literal = re.match(r"Literal\[(\w+)\]", kind)
    number = literal[1] if literal else kind
    if "list(" in number:
        return "a list"
    if number.startswith("DictType"):
        return "a dict"
    return {"int": "an int", "int64": "an int", "float64": "a float"}.get(
        number, number)


def _unsupported(found: re.Match) -> str:
    name = found["name"].replace("numpy.", "np.")
    return (f"numba cannot compile {name}. Write it as loops, or call it outside of "
            "the @njit function and pass the result in.")


def _not_compiled(found: re.Match) -> str:
    name, kind = found["name"], found["kind"]
    if kind == "function":
        return (f"{name} is a plain Python function. Compiled code can only call "
                f"compiled code: put @njit above {name} as well, or call it outside "
                "and pass the result in.")
    return (f"numba cannot use the global {name} (a {kind}) inside of a compiled "
            "function: pass it in as an argument, as a number or an array.")


def _two_types(found: re.Match) -> str:
    name = re.sub(r"\.\d+$", "", found["name"])
    return (f"the variable {name} is once {_plain(found['one'])} and once "
            f"{_plain(found['other'])}. In compiled code a variable keeps one type: "
            "start a sum with 0.0, and index down to a single number before adding.")


def _two_results(found: re.Match) -> str:
    return ("the function returns different types in different places: "
            f"{_plain(found['one'])} and {_plain(found['other'])}. Return the same "
            "type everywhere.")


def _too_many_indices(found: re.Match) -> str:
    return (f"an array with {found['axes']} axes is indexed with {found['count']} "
            "indices. Count the axes: x[n, row, column, channel].")


def _array_into_number(found: re.Match) -> str:
    return (f"you assign {_plain(found['value'])} to a single place of "
            f"{_plain(found['array'])}. Index it down to one number, or sum it up "
            "first.")


def _not_indexable(found: re.Match) -> str:
    return (f"{_plain(found['what'])} is indexed as if it were an array. Has it been "
            "indexed once too often?")


def _shape_of_new_array(found: re.Match) -> str:
    shape, _, dtype = found["shape"].partition(", dtype=")
    if "str" in dtype or "unicode" in dtype:
        return (f"np.{found['maker']} wants a real dtype in compiled code, not its "
                "name: dtype=x.dtype or dtype=np.float32.")
    if "list(" in shape:
        return (f"np.{found['maker']} wants its shape as a tuple in compiled code: "
                "round brackets, not square ones.")
    if "float" in shape:
        return (f"np.{found['maker']} wants whole numbers for its shape; the "
                "operator / makes a float, // keeps an int.")
    return (f"np.{found['maker']} does not take these arguments in compiled code. "
            "Give it a tuple of ints, and dtype=x.dtype.")


def _operator(found: re.Match) -> str:
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//",
             "iadd": "+=", "isub": "-=", "imul": "*=", "matmul": "@"}
    one, other = map(_plain, _arguments(found["both"]))
    text = f"numba cannot work out `{one} {signs[found['name']]} {other}`."
    if ("array" in one) != ("array" in other):
        return text + " Is an index missing? Down to a single number, it is no array."
    return text + " Check what the two are."


def _arguments(text: str) -> list[str]:
    """The two arguments of "Literal[int](0), array(float32, 1d, C)"."""
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter in "([<") - (letter in ")]>")
        if letter == "," and depth == 0:
            return [text[:place], text[place + 1:].strip()]
    return [text, "?"]


WARNINGS = (
    (r"no transformation for parallel execution was possible",
     "numba found no loop to share among the cores: put prange in place of range "
     "in the outermost loop, or leave out parallel=True."),
    (r"will not be executed in parallel due to there being more than one entry",
     "a prange loop has a second way out (return, raise or break), so it runs on "
     "one core only."),
    (r"is faster on contiguous arrays",
     "a product (@ or np.dot) is faster on arrays that are contiguous in memory: "
     "np.ascontiguousarray."),
    (r"OpenBLAS Warning ?: Detect OpenMP Loop",
     "a matrix product (@ or np.dot) runs inside of a prange loop, and the threads of "
     "numba and of BLAS get into each other's way. Take it out of the loop: one large "
     "product uses all cores by itself."),
)

RULES: tuple[tuple[str, Advice], ...] = (
    (r"cannot reflect element of reflected container",
     lambda found: "you pass a list of lists to a compiled function. Pass a numpy "
     "array: np.array(values)."),
    (r"^incompatible shape for array$",
     lambda found: "compiled reshape works only on arrays that are contiguous in "
     "memory. Call np.ascontiguousarray on it first, or reshape outside."),
    (r"reflected list",
     lambda found: "you pass a list to a compiled function. Pass a numpy array "
     "(np.array(values)) or a tuple."),
    (r"unsupported NumPy function '(?P<name>[\w.]+)'", _unsupported),
    (r"[Uu]ntyped global name '(?P<name>\w+)'.*?<class '(?P<kind>\w+)'>",
     _not_compiled),
    (r"[Uu]ntyped global name '(?P<name>\w+)'",
     lambda found: f"numba does not know the type of the global {found['name']}: "
     "pass it in as an argument."),
    (r"Cannot unify (?P<one>.+?) and (?P<other>.+?) for '(?P<name>[^']+)'",
     _two_types),
    (r"unify return type from the following types: (?P<one>.+?), "
     r"(?P<other>\w.*)", _two_results),
    (r"cannot index array\(\w+, (?P<axes>\d)d.*? with (?P<count>\d+) indices",
     _too_many_indices),
    (r"setitem\((?P<array>array\(.+?\)), .*, (?P<value>array\(.+?\))\)",
     _array_into_number),
    (r"getitem\((?P<what>(?:Literal\[int\]\(\d+\)|int64|float32|float64)), ",
     _not_indexable),
    (r">>> (?P<maker>zeros|empty|ones|full)\((?P<shape>.*)\)", _shape_of_new_array),
    (r"got an unexpected keyword argument '(?P<name>\w+)'",
     lambda found: f"numba's version of this function has no argument "
     f"{found['name']}. Do without it, with a loop for example."),
    (r"arguments must all have the same dtype",
     lambda found: "the two arrays of a compiled product (@ or np.dot) have "
     "different dtypes. Convert one: w.astype(x.dtype)."),
    (r">>> (?P<name>i?add|i?sub|i?mul|truediv|floordiv|matmul)\((?P<both>.+)\)\n",
     _operator),
    (r"Unknown attribute '(?P<name>\w+)' of type (?P<kind>.+)",
     lambda found: f"{_plain(found['kind'])} has no .{found['name']} in compiled "
     "code. Do it with indices and loops, or outside."),
    (r"NameError: name '(?P<name>\w+)' is not defined",
     lambda found: f"the name {found['name']} is not defined: a slip of the pen, or "
     "a cell above that has not run."),
    (r"non-precise type array\(pyobject",
     lambda found: "an array of Python objects (dtype object) reaches the compiled "
     "function. Make it an array of numbers: np.array(values, dtype=np.float32)."),
    (r"argument (?P<number>\d+): Cannot determine Numba type of "
     r"<class '(?P<kind>.+?)'>",
     lambda found: f"argument {int(found['number']) + 1} of the compiled function is "
     f"a {found['kind']}, which numba cannot take. Pass numbers, tuples and numpy "
     "arrays."),
    (r"'(?P<name>with|try|yield)[^']*' construct is not supported|"
     r"unsupported opcode \((?P<code>\w+)\)",
     lambda found: "this statement cannot be compiled ("
     + (found["name"] or found["code"].lower()) + "). Keep to loops, ifs and "
     "assignments to local variables."),
)

"""The interactive pages give the numbers and refusals of convlab, in a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from book.build import BOOK
from book.extension.interactive import EXAMPLES
from convlab import architecture, layers
from convlab.arithmetic import Pool, SizeError, times
from convlab.network import Network

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("book")]

SCRIPTS = sorted((BOOK / "interactive").glob("*.js"))
PAGE = "explorers.html"

# Sets fields by their label, as typing would, walks to `at` (or to the end), and
# tells what an explorer then shows. For one explorer, many settings at once: a
# browser is slow to ask, quick to answer.
PROBE = """([kind, many]) => {
    const home = document.querySelector(`[data-explorer="${kind}"]`);
    const named = (label) => home.querySelector(`[aria-label="${label}"]`)
        ?? document.getElementById([...home.querySelectorAll("label")].find(
            (one) => one.textContent === label).htmlFor);
    const rows = (table) => [...table.rows].map(
        (row) => [...row.cells].map((cell) => cell.innerText));
    return many.map(({fields, at}) => {
        for (const [label, value] of Object.entries(fields)) {
            named(label).value = value;
            for (const event of ["input", "change"]) {
                named(label).dispatchEvent(new Event(event));
            }
        }
        const cells = () => [...home.querySelectorAll(".explorer-output td")];
        cells().at(-1)?.click();
        const output = [...home.querySelectorAll(".explorer-output table")]
            .flatMap(rows);
        cells()[Math.min(at, cells().length - 1)]?.click();
        return {
            refused: home.querySelector(".explorer-refused") !== null,
            status: home.querySelector("[role=status]").textContent,
            size: home.querySelector(".explorer-size")?.textContent,
            sum: home.querySelector(".explorer-terms")?.textContent,
            more: home.querySelector(".explorer-sum > p:last-child")?.textContent,
            pointed: home.querySelector("pre")?.textContent,
            layers: [...home.querySelectorAll(".explorer-layers")].flatMap(rows),
            output,
        };
    });
}"""


@pytest.fixture
def explorers(built, opened):
    return opened((built / PAGE).as_uri())


def probe(page, kind: str, many: list[dict]) -> list[dict]:
    shown = page.evaluate(PROBE, [kind, [
        {"fields": settings, "at": settings.pop("at", 0)} for settings in many]])
    assert len(shown) == len(many)
    return shown


def text(x: np.ndarray) -> str:
    """(H, W, C) as a reader types it: a line a row, a blank line between channels."""
    return "\n\n".join("\n".join(" ".join(f"{n:g}" for n in row)
                                 for row in x[..., k]) for k in range(x.shape[2]))


def values(cells: list[list[str]]) -> np.ndarray:
    return np.array([[float(plain(cell)) for cell in row] for row in cells])


def plain(written: str) -> str:
    """Signs as Python writes them."""
    return written.translate({0x2212: "-", 0xd7: "*"})


def refusal(call, *arguments) -> str | None:
    try:
        call(*arguments)
    except ValueError as error:
        return str(error)
    return None


# Convolution


def convolutions() -> list[tuple]:
    """x, w, b, stride, pad: those of the lecture, then seeded random ones."""
    rng = np.random.default_rng(20220406)
    numbers = lambda *shape: rng.integers(-9, 10, shape).astype(float)  # noqa: E731
    cases = [(numbers(7, 7, 1), numbers(3, 3, 1), 0, stride, pad)
             for stride in (1, 2, 3) for pad in (0, 1, 2)]
    for _ in range(150):
        h, w = rng.integers(1, 9, 2)
        f_h, f_w = rng.integers(1, 6, 2)
        c, stride, pad = rng.integers(1, 3), rng.integers(1, 4), rng.integers(0, 4)
        depth = c if rng.random() < 0.95 else 3 - c
        cases.append((numbers(h, w, c), numbers(f_h, f_w, depth),
                      rng.integers(-8, 9) / 4, stride, pad))
    return cases


def test_convolutions_are_those_of_the_layer(explorers):
    cases = convolutions()
    places = np.random.default_rng(1).integers(0, 1000, len(cases))
    shown = probe(explorers, "convolution", [
        {"Input": text(x), "Filter": text(w), "Bias": str(b), "Stride": str(stride),
         "Padding": str(pad), "at": int(place)}
        for (x, w, b, stride, pad), place in zip(cases, places, strict=True)])
    fitting = 0
    for (x, w, b, stride, pad), place, seen in zip(cases, places, shown, strict=True):
        run = (x[None], w[None], np.array([float(b)]), int(stride), int(pad))
        error = refusal(layers.conv2d_forward, *run)
        assert seen["refused"] == (error is not None)
        if error is not None:
            assert seen["status"] == error
            continue
        y = layers.conv2d_forward(*run)[0, :, :, 0]
        np.testing.assert_allclose(values(seen["output"]), y, atol=1e-9)
        check_sum(seen, y, min(place, y.size - 1), w.size)
        assert [int(n) for n in re.findall(r"= (\d+)\.", seen["size"])] == list(y.shape)
        fitting += 1
    assert 40 < fitting < len(cases) - 40


def check_sum(seen: dict, y: np.ndarray, place: int, products: int) -> None:
    """What is written out adds up to the output at that position, and says so."""
    left, _, right = plain(seen["sum"]).partition(" = ")
    assert left.count("*") == products
    row, column = divmod(int(place), y.shape[1])
    assert eval(left) == pytest.approx(float(right)) == pytest.approx(y[row, column])
    assert plain(seen["status"]) == (
        f"Position {place + 1} of {y.size}: row {row}, column {column}, "
        f"output {float(right):g}.")


def test_sizes_and_kinds_fill_the_numbers(explorers):
    sizes = {"Rows of the input": "4", "Columns of the input": "6",
             "Rows of the filter": "2", "Columns of the filter": "3"}
    dot, random, deep = probe(explorers, "convolution", [
        {**sizes, "Input numbers": "dot", "Filter numbers": "ones", "Padding": "1"},
        {"Input numbers": "random", "Filter numbers": "level"},
        {"Channels of the input": "2"}])
    # A single 1 lights every window that it is in: 2x3 of them.
    assert values(dot["output"]).sum() == 2 * 3
    assert values(random["output"]).shape == (4 + 2 - 2 + 1, 6 + 2 - 3 + 1)
    assert deep["sum"].count("\N{MULTIPLICATION SIGN}") == 2 * 3 * 2


SLIPS = [
    ("Stride", "0", "the stride must be at least 1, got 0"),
    ("Stride", "1.5", "the stride must be a whole number, got 1.5"),
    ("Padding", "-1", "the padding must be at least 0, got -1"),
    ("Padding", "", "the padding must be a whole number, got nothing"),
    ("Padding", "9", "the padding is at most 3 on this page, got 9"),
    ("Rows of the input", "0",
     "the number of rows of the input must be at least 1, got 0"),
    ("Bias", "", "the bias must be a number from -99 to 99, got nothing"),
    ("Input", "1 2\n3", "the rows of the input differ in length: 2 and 1 numbers"),
    ("Input", "1 <b>",
     "each entry of the input must be a number from -99 to 99, got <b>"),
    ("Input", "1 2\n\n3 4\n5 6",
     "the channels of the input differ in height: 1 and 2 rows"),
    ("Filter", " ".join("1" * 9),
     "the filter is at most 7x7x2 on this page, got 1x9x1"),
]


def test_slips_are_named_and_forgiven(explorers):
    good = {"Rows of the input": "1", "Input": "1 2 3", "Filter": "1 1", "Stride": "1",
            "Padding": "0", "Bias": "0"}
    settings = []
    for label, value, _ in SLIPS:  # good settings, then the slip, then all is well
        others = {name: good[name] for name in good if name != label}
        settings += [{**others, label: value}, {label: good[label]}]
    shown = probe(explorers, "convolution", settings)
    assert [seen["status"] for seen in shown[::2]] == [said for *_, said in SLIPS]
    assert all(seen["refused"] for seen in shown[::2])
    assert not any(seen["refused"] for seen in shown[1::2])


# Pooling


def poolings() -> list[tuple]:
    """x, size, stride: few different numbers, negative ones too, so many ties."""
    rng = np.random.default_rng(60)
    return [(rng.integers(-3, 3, (*rng.integers(2, 9, 2), 1)).astype(float),
             int(rng.integers(1, 5)), int(rng.integers(1, 4))) for _ in range(80)]


@pytest.mark.parametrize("kind", ["max", "average"])
def test_poolings_are_those_of_the_layers(explorers, kind):
    cases = poolings()
    shown = probe(explorers, "pooling", [
        {"Pooling": kind, "Input": text(x), "Window size": str(size),
         "Stride": str(stride), "at": 999} for x, size, stride in cases])
    fitting = ties = 0
    for (x, size, stride), seen in zip(cases, shown, strict=True):
        error = refusal(layers.maxpool_forward, x[np.newaxis], size, stride)
        assert seen["refused"] == (error is not None)
        if error is not None:  # pooling has no padding that the page could propose
            assert seen["status"] == re.sub("; with stride.*", ".", error)
            continue
        fitting += 1
        y, argmax = layers.maxpool_forward(x[np.newaxis], size, stride)
        if kind == "average":
            y = layers.avgpool_forward(x[np.newaxis], size, stride)
        np.testing.assert_allclose(values(seen["output"]), y[0, :, :, 0], atol=5e-5)
        left, _, right = plain(seen["sum"]).partition(" = ")
        left = re.sub(r"^max\((.*)\)$", r"max([\1])", left)
        assert eval(left) == pytest.approx(float(right), abs=5e-5)
        if kind == "max":
            row, column = divmod(int(argmax[0, -1, -1, 0]), x.shape[1])
            assert f"at row {row}, column {column}:" in seen["more"]
            ties += seen["more"].startswith("A tie")
    assert 20 < fitting < len(cases) - 10
    assert (ties > 5) == (kind == "max")


def test_marks_of_a_tie(explorers):
    """Row by row: the first of the largest has the ring, the others dots."""
    probe(explorers, "pooling", [{"Input": "1 5 0\n5 5 0\n0 0 0", "Window size": "2",
                                  "Stride": "1"}])
    marked = explorers.eval_on_selector_all(
        "[data-explorer=pooling] .explorer-input td",
        "all => all.map(td => td.className)")
    assert [i for i, name in enumerate(marked) if name == "explorer-first"] == [1]
    assert [i for i, name in enumerate(marked) if name == "explorer-tie"] == [3, 4]


# The calculator

NETWORKS = [(one.architecture, one.shape, one.classes) for one in EXAMPLES] + [
    ("SOFTMAX", (32, 32, 3), 10),
    ("(CONV-RELU)*0-(FC),SOFTMAX", (5, 7, 2), 3),
    ("POOL{size=1 stride=9}-CONV{1 size=1},SOFTMAX", (1, 1, 1), 1),
    ("[CONV{filters=9, size=4 pad=2 stride=2}]-POOL{3 stride=1 average},SOFTMAX",
     (10, 8, 3), 7),
    ("NORM-CONV{4}-NORM-RELU-DROPOUT-FC{7}-NORM-DROPOUT{20},SOFTMAX", (6, 5, 2), 3),
    ("DROPOUT{percent=0}-DROPOUT{99},SOFTMAX", (1, 1, 1), 2),
    ("(CONV{999999 size=1})*3,SOFTMAX", (9999, 9999, 9999), 9999),
]
WRONG = [
    "", " ", "CONV", "CONV,", "CONV-,SOFTMAX", "CONV,SOFTMAX,SOFTMAX", "CONV-SOFTMAX",
    "CNV,SOFTMAX", "conv,SOFTMAX", "(CONV-RELU]*2,SOFTMAX", "[(CONV,SOFTMAX",
    "(CONV-RELU)*N,SOFTMAX", "CONV-POOL?,SOFTMAX", "CONV*,SOFTMAX", "CONV*x,SOFTMAX",
    "CONV{size=2},SOFTMAX", "CONV{sizes=3},SOFTMAX", "CONV{size 3},SOFTMAX",
    "CONV{size=3 size=3},SOFTMAX", "RELU{3},SOFTMAX", "POOL{mean},SOFTMAX",
    "POOL{kind=maximum},SOFTMAX", "POOL{kind 2},SOFTMAX", "FC-CONV,SOFTMAX",
    "CONV-RELU*2,SOFTMAX", "CONV*1001,SOFTMAX", "CONV*1234567,SOFTMAX",
    "((CONV)*99)*99,SOFTMAX", "(" * 51 + "CONV", "CONV{0},SOFTMAX",
    "CONV{stride=0},SOFTMAX", "CONV{size=0},SOFTMAX", "FC{0},SOFTMAX",
    "NORM*2,SOFTMAX", "NORM{1},SOFTMAX", "DROPOUT{100},SOFTMAX", "DROPOUTS,SOFTMAX",
    "CONV-DROPOUT{rate=5},SOFTMAX", "POOL{0},SOFTMAX", "POOL{3},SOFTMAX",
    "CONV{size=99 pad=0},SOFTMAX",
    "CONV{5 stride=5 pad=0},SOFTMAX", "(CONV-POOL)*6,SOFTMAX", "CONV\n-\nPOL,SOFTMAX",
    "CONV'", "CONV{size=7 stride=8 pad=0},SOFTMAX", "CONV\\",
    "CONV\N{GREEK SMALL LETTER ALPHA}-\N{CAT FACE}",
    "\N{CAT FACE}CONV-RELU-", "CONV{stride=31 pad=0 size=1}-POOL{8 stride=16},SOFTMAX",
]


def strings() -> list[str]:
    """Seeded random strings of the grammar's own pieces, most of them wrong."""
    rng = np.random.default_rng(65)
    pieces = ["CONV", "RELU", "POOL", "FC", "NORM", "DROPOUT", "-", "-", "(", ")",
              "[", "]", "*", "2", "3", "{", "}", "size", "=", "stride", "pad", "max",
              "average", ",SOFTMAX",
              ",", "SOFTMAX", "?", "N", "kind", " ", "units", "filtres", "F"]
    layer = ["CONV", "CONV{3 5}", "CONV{size=5 pad=1 stride=2}", "POOL", "RELU",
             "POOL{3 stride=2}", "FC", "FC{7}", "(CONV-RELU)*2", "POOL{average}"]
    loose = ["".join(rng.choice(pieces, rng.integers(1, 9))) for _ in range(200)]
    chains = ["-".join(rng.choice(layer, rng.integers(1, 6))) + ",SOFTMAX"
              for _ in range(200)]
    return loose + chains


def expected(pattern: str, shape: tuple, classes: int) -> list | str:
    """The rows of the page's table, or what Python says against the pattern."""
    try:
        rows = architecture.trace_architecture(pattern, shape, classes)
    except (architecture.ArchitectureError, SizeError) as error:
        return str(error)
    return [[times(shape), "", "", ""]] + [
        [times(row.output_shape),
         times(row.receptive_field) if row.receptive_field else "everything",
         f"{row.parameters:,}", f"{row.macs:,}"] for row in rows] + [
        ["", "", f"{sum(row.parameters for row in rows):,}",
         f"{sum(row.macs for row in rows):,}"]]


def test_networks_and_errors_are_those_of_convlab(explorers):
    cases = NETWORKS + [(pattern, (32, 28, 3), 10) for pattern in WRONG + strings()]
    shown = probe(explorers, "architecture", [
        {"Pattern": pattern, "Height": str(h), "Width": str(w),
         "Number of channels": str(c), "Classes": str(classes)}
        for pattern, (h, w, c), classes in cases])
    fitting = 0
    for (pattern, shape, classes), seen in zip(cases, shown, strict=True):
        right = expected(pattern, shape, classes)
        if isinstance(right, str):
            assert seen["refused"], pattern
            assert f"{seen['status']}\n{seen['pointed']}".replace("\n", "\n  ") == right
            continue
        assert not seen["refused"], (pattern, seen["status"])
        head, *body = seen["layers"]
        assert head == ["layer", "output", "sees", "parameters", "MACs"]
        assert [cells[1:] for cells in body] == right
        assert seen["status"] == (f"{len(body) - 2} layers, {right[-1][2]} parameters, "
                                  f"{right[-1][3]} MACs an image.")
        fitting += 1
    assert len(NETWORKS) + 40 < fitting < len(cases) - 150


def test_layers_are_named_as_in_a_summary(explorers):
    pattern, shape, classes = "(CONV{4}-RELU-POOL{average})*2-FC{8}-RELU,SOFTMAX", \
        (8, 8, 1), 3
    (seen,) = probe(explorers, "architecture", [
        {"Pattern": pattern, "Height": "8", "Width": "8", "Number of channels": "1",
         "Classes": "3"}])
    summary = Network(pattern, shape, classes, layers).summary().splitlines()
    told = [line for line in summary[1:] if not line.startswith("-")]
    assert [" ".join(" ".join(cells).split()) for cells in seen["layers"][1:]] == [
        " ".join(line.split()) for line in told]


def test_published_sizes_of_the_examples():
    counts = {one.name: sum(row.parameters for row in architecture.trace_architecture(
        one.architecture, one.shape, one.classes)) for one in EXAMPLES}
    # LeNet-5 with C3 fully connected; VGG-16 is "138 million" in its paper's table 2.
    assert counts["LeNet-5"] == (
        6 * 26 + 16 * (6 * 25 + 1) + 120 * 401 + 84 * 121 + 10 * 85)
    assert round(counts["VGG-16"] / 1e6) == 138


def test_usual_values_on_the_page_are_those_of_the_grammar():
    source = (BOOK / "explorers.md").read_text()
    first, most, units, size, stride, pool = (int(n) for n in re.findall(
        r"\d+", re.search(r"first_filters.*?```", source, re.DOTALL)[0]))
    conv, = architecture.parse("CONV,SOFTMAX", 1)[:1]
    assert (conv.filters, conv.size, conv.stride) == (first, size, stride)
    assert architecture.parse("POOL*9-CONV,SOFTMAX", 1)[9].filters == most
    assert architecture.parse("POOL-FC,SOFTMAX", 1)[:2] == [
        Pool(pool, pool), type(architecture.parse("FC,SOFTMAX", 1)[0])(units)]


# By keyboard, on a phone, in both themes, on paper, without scripts


def status(page, kind: str) -> str:
    return page.locator(f"[data-explorer={kind}] [role=status]").inner_text()


@pytest.mark.parametrize(("kind", "columns", "count"), [
    ("convolution", 3, 9), ("pooling", 2, 4)])
def test_a_walk_by_keyboard_alone(explorers, kind, columns, count):
    explorer = explorers.locator(f"[data-explorer={kind}]")
    explorer.locator("input, select").first.focus()
    for _ in range(30):
        explorers.keyboard.press("Tab")
        if explorers.evaluate("document.activeElement.textContent") == "Next":
            break
    focused = explorer.locator(":focus")
    assert focused.inner_text() == "Next"
    assert focused.evaluate("one => getComputedStyle(one).outlineWidth") == "3px"
    explorers.keyboard.press("Enter")
    assert status(explorers, kind).startswith(f"Position 2 of {count}: row 0, column 1")
    top = explorers.evaluate("scrollY")
    for key, position in (("ArrowDown", 2 + columns), ("End", count),
                          ("ArrowDown", count), ("ArrowRight", 1),
                          ("ArrowLeft", count), ("Home", 1), ("ArrowUp", 1),
                          ("ArrowRight", 2)):
        explorers.keyboard.press(key)
        assert f"Position {position} of {count}:" in status(explorers, kind), key
    assert explorers.evaluate("scrollY") == top
    explorers.keyboard.press("Tab")
    assert explorers.evaluate("document.activeElement.className") == "explorer-grids"
    explorers.keyboard.press("ArrowRight")
    assert status(explorers, kind).startswith("Position 3 of ")
    shown = explorer.locator(".explorer-output td").all_inner_texts()
    assert [cell != "" for cell in shown] == [k < 3 for k in range(count)]


def test_the_window_stands_where_it_says(explorers):
    probe(explorers, "convolution", [{"Stride": "2", "at": 3}])
    boxes = explorers.locator("[data-explorer=convolution] .explorer-frame")
    cells = explorers.locator("[data-explorer=convolution] .explorer-input td")
    window, corner, end = (one.bounding_box() for one in (
        boxes.first, cells.nth(2 * 5 + 2), cells.nth(4 * 5 + 4)))
    assert window["x"] == pytest.approx(corner["x"], abs=1)
    assert window["y"] == pytest.approx(corner["y"], abs=1)
    right = end["x"] + end["width"]
    assert window["x"] + window["width"] == pytest.approx(right, abs=1)


def test_an_example_fills_the_calculator(explorers):
    explorers.get_by_label("Example").select_option("VGG-16")
    assert "138,357,544 parameters" in status(explorers, "architecture")
    explorers.get_by_label("Pattern", exact=True).fill("<img src=x onerror=alert(1)>")
    assert "found '<'" in status(explorers, "architecture")
    assert explorers.locator("[data-explorer] img").count() == 0


WIDE = [("convolution", {
            "Rows of the input": "8", "Columns of the input": "8",
            "Channels of the input": "2", "Padding": "3", "Bias": "-98.75"}),
        ("pooling", {"Rows of the input": "8", "Columns of the input": "8",
                     "Window size": "2", "Stride": "1"}),
        ("architecture", {"Pattern": "[(CONV-RELU)*2-POOL]*2-" * 3 + "RELUX,SOFTMAX"})]


def test_the_largest_settings_fit_a_phone(built, opened):
    page = opened((built / PAGE).as_uri(), width=360)
    for kind, fields in WIDE:
        probe(page, kind, [{**fields, "at": 20}])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cell = page.locator("[data-explorer=convolution] .explorer-input td").first
    assert cell.bounding_box()["width"] >= 18


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_is_content_in_every_state(built, opened, theme):
    page = opened((built / PAGE).as_uri(), theme=theme)
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    for kind, fields in WIDE:
        probe(page, kind, [{**fields, "at": 20}])
    found = Axe().run(page, context=".explorer", options={"preload": False})
    probe(page, "convolution", [{"Stride": "0"}])
    again = Axe().run(page, context=".explorer", options={"preload": False})
    assert [(one["id"], one["nodes"][0]["html"][:120]) for run in (found, again)
            for one in run.response["violations"]] == []


def test_paper_gets_the_numbers_without_the_buttons(explorers):
    explorers.emulate_media(media="print")
    explorer = explorers.locator("[data-explorer=convolution]")
    assert explorer.locator(".explorer-grids").is_visible()
    assert explorer.locator("button:visible").count() == 0


def test_without_scripts_figures_stand_there(built, opened):
    page = opened((built / PAGE).as_uri(), java_script_enabled=False)
    assert page.locator(".explorer").count() == 3
    for k in range(3):
        assert page.locator(".explorer").nth(k).locator("svg").is_visible()
    still = page.locator(".explorer").nth(2).locator("tr").all_inner_texts()
    assert "61,706" in still[-1]
    assert page.locator(".explorer :is(input, button, select)").count() == 0


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_are_small_and_make_no_markup(path):
    source = path.read_text()
    assert len(source) < 15_000
    assert not re.search(r"(inner|outer)HTML|insertAdjacentHTML|document\.write|"
                         r"\beval\(|setAttribute\(.on|https?:", source)


def test_pages_load_the_scripts_that_they_use_alone(built):
    for path in [built / PAGE, *built.glob("chapters/*.html")]:
        page = path.read_text()
        kinds = set(re.findall(r'data-explorer="(\w+)"', page))
        walks = bool(kinds & {"convolution", "pooling"})
        assert ("interactive/walk.js" in page) == walks
        assert ("interactive/architecture.js" in page) == ("architecture" in kinds)
        assert ("interactive/explorers.css" in page) == bool(kinds)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlab.architecture import (
    MOST_LAYERS,
    ArchitectureError,
    parse,
    trace_architecture,
)
from convlab.arithmetic import Conv, Dense, Dropout, Norm, Pool, Relu

CONV32, CONV64 = Conv(32, 3, 1, 1), Conv(64, 3, 1, 1)


@pytest.mark.parametrize("text, layers", [
    ("SOFTMAX", []),
    ("CONV,SOFTMAX", [CONV32]),
    ("(CONV-RELU)*2,SOFTMAX", [CONV32, Relu()] * 2),
    ("[(CONV-RELU)*1-POOL]*2-(FC-RELU)*1,SOFTMAX",
     [CONV32, Relu(), Pool(2, 2), CONV64, Relu(), Pool(2, 2), Dense(128), Relu()]),
    ("(FC{300}-RELU)*1-(FC-RELU)*0,SOFTMAX", [Dense(300), Relu()]),
    ("CONV{16}-CONV{size=5}-CONV{8, size=1, pad=2 stride=3},SOFTMAX",
     [Conv(16, 3, 1, 1), Conv(32, 5, 1, 2), Conv(8, 1, 3, 2)]),
    ("POOL{3}-POOL{average}-POOL{max size=3 stride=2}-POOL{kind=average stride=1},"
     "SOFTMAX",
     [Pool(3, 3), Pool(2, 2, "average"), Pool(3, 2), Pool(2, 1, "average")]),
    (" [ ( CONV - RELU ) * 1\n - POOL ] * 1 , SOFTMAX ", [CONV32, Relu(), Pool()]),
    ("POOL*5-CONV,SOFTMAX", [Pool()] * 5 + [Conv(512, 3, 1, 1)]),
    ("CONV-NORM-RELU-DROPOUT{20}-FC-NORM-RELU-DROPOUT,SOFTMAX",
     [CONV32, Norm(), Relu(), Dropout(20), Dense(128), Norm(), Relu(), Dropout(50)]),
    ("NORM-DROPOUT{percent=0}*2,SOFTMAX", [Norm(), Dropout(0), Dropout(0)]),
])
def test_good_strings(text, layers):
    assert parse(text, 7) == [*layers, Dense(7)]


@given(n=st.integers(0, 4), m=st.integers(0, 4), k=st.integers(0, 2))
def test_the_lectures_pattern(n, m, k):
    layers = parse(f"[(CONV-RELU)*{n}-POOL]*{m}-(FC-RELU)*{k},SOFTMAX", 10)
    assert [type(layer) for layer in layers] == (
        ([Conv, Relu] * n + [Pool]) * m + [Dense, Relu] * k + [Dense])
    filters = [layer.filters for layer in layers if isinstance(layer, Conv)]
    assert filters == [32 * 2 ** stage for stage in range(m) for _ in range(n)]


# A caret stands under the character that the test marks with ^ before it.
BAD = [
    ("^", "expected a layer (CONV, RELU, POOL, FC, NORM, DROPOUT), but the string "
          "ends"),
    ("^softmax", "Did you mean SOFTMAX?"),
    ("[(^CONVV-RELU)*2-POOL]*3,SOFTMAX", "found 'CONVV'. Did you mean CONV?"),
    ("[(CONV-^RELLU)*2-POOL]*3,SOFTMAX", "found 'RELLU'. Did you mean RELU?"),
    ("^conv,SOFTMAX", "Did you mean CONV?"),
    ("CONV,^SOFTMX", "expected SOFTMAX, found 'SOFTMX'. Did you mean SOFTMAX?"),
    ("[(CONV-RELU)*2-POOL^?]*3,SOFTMAX", '"?" means with or without'),
    ("(CONV-RELU)*^N,SOFTMAX", "N stands for a number of your choice"),
    ("(CONV-RELU)*^,SOFTMAX", 'expected how many times after "*", found \',\''),
    ("(CONV-RELU)*2^", 'expected "-", "*" or ",SOFTMAX", but the string ends'),
    ("(CONV-RELU)*2-^SOFTMAX", "SOFTMAX stands once, at the end, after a \",\""),
    ("CONV,SOFTMAX^,SOFTMAX", "SOFTMAX is the end, found ','"),
    ("[CONV^)*2,SOFTMAX", 'the "]" that closes the "[" of column 1, found \')\''),
    ("(CONV-RELU^,SOFTMAX", 'the ")" that closes the "(" of column 1'),
    ("CONV ^RELU,SOFTMAX", 'expected "-", "*" or ",SOFTMAX", found \'RELU\''),
    ("CONV-^-RELU,SOFTMAX", "expected a layer"),
    ("(^),SOFTMAX", "expected a layer (CONV, RELU, POOL, FC, NORM, DROPOUT), found "
                    "')'"),
    ("CONV^\N{EN DASH}RELU,SOFTMAX", 'expected "-"'),
    ("CONV{^filtres=16},SOFTMAX", "Did you mean filters?"),
    ("CONV{16 ^filters=3},SOFTMAX", "filters of CONV is set twice"),
    ("CONV{stride=^-1},SOFTMAX", "expected a whole number for stride, found '-'"),
    ("CONV{stride^},SOFTMAX", 'expected "=" and a value for stride, found \'}\''),
    ("CONV{16^-RELU,SOFTMAX", 'expected a setting of CONV (filters, size, stride, '
                              'pad), or "}", found \'-\''),
    ("^CONV{size=4},SOFTMAX", "even size 4 has no padding that keeps the size"),
    ("POOL{^maxx},SOFTMAX", "Did you mean max?"),
    ("POOL{kind=^avg},SOFTMAX", "Did you mean average?"),
    ("RELU{^3},SOFTMAX", "RELU has no settings"),
    ("(FC-RELU)*1-^CONV,SOFTMAX", "CONV takes a volume, but the FC before it"),
    ("FC-^POOL,SOFTMAX", "POOL takes a volume"),
    ("FC-^RELU*2,SOFTMAX", "a RELU right after a RELU changes nothing"),
    ("FC-^NORM*2,SOFTMAX", "a NORM right after a NORM finds nothing left to do"),
    ("NORM{^3},SOFTMAX", "NORM has no settings"),
    ("CONV-^NORMS,SOFTMAX", "Did you mean NORM?"),
    ("((CONV)*999)*^999,SOFTMAX", f"more than {MOST_LAYERS} layers"),
    ("CONV*^99999999,SOFTMAX", "a number of more than 6 digits"),
    ("(" * 51 + "^(", "brackets more than 50 deep"),
]


@pytest.mark.parametrize("marked, message", BAD)
def test_bad_strings_are_pointed_at(marked, message):
    position, text = marked.index("^"), marked.replace("^", "")
    with pytest.raises(ArchitectureError) as error:
        parse(text, 10)
    assert error.value.position == position
    said, shown, caret = str(error.value).split("\n")
    assert message in said
    assert shown == f"  {text}"
    assert caret == "  " + " " * position + "^"


@pytest.mark.parametrize("marked, shape, message", [
    ("CONV-^POOL,SOFTMAX", (15, 15, 3), "layer 2, Pool(size=2, stride=2"),
    ("[CONV-RELU-^POOL]*6,SOFTMAX", (32, 32, 3), "layer 18, "),
    ("^CONV{size=5 stride=2},SOFTMAX", (32, 32, 3), "Strides that fit: 1, 31"),
    ("CONV-^DROPOUT{100},SOFTMAX", (8, 8, 1), "at most 99 percent can be left out"),
    ("^FC{0},SOFTMAX", (8, 8, 1), "the number of units must be at least 1, got 0"),
])
def test_sizes_that_do_not_fit_are_pointed_at(marked, shape, message):
    with pytest.raises(ArchitectureError) as error:
        trace_architecture(marked.replace("^", ""), shape, 10)
    assert error.value.position == marked.index("^")
    assert message in str(error.value)


@given(st.text("CONVRELUPFSTMAXD()[]{}*-,?=0129 \n", max_size=40))
def test_any_text_is_a_network_or_refused(text):
    try:
        assert parse(text, 10)[-1] == Dense(10)
    except ArchitectureError as error:
        assert 0 <= error.position <= len(text)


def test_only_strings():
    with pytest.raises(TypeError, match="an architecture is a string, got None"):
        parse(None, 10)

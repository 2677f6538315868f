import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlab.optimisers import (
    NEWTON_SCHULZ,
    SCHEDULES,
    SGD,
    Muon,
    Together,
    orthogonalised,
    triangular,
)


def moved(steps=2, **settings):
    parameters = {"w": np.array([[1.0]]), "b": np.array([1.0])}
    sgd = SGD(parameters, **settings)
    for _ in range(steps):
        sgd.step({name: np.full_like(p, 2.0) for name, p in parameters.items()}, 0.1)
    return parameters["w"].item(), parameters["b"].item()


def test_momentum_by_hand():
    # v: 2, then 0.5*2 + 2 = 3
    assert moved(momentum=0.5, nesterov=False) == pytest.approx(
        [1 - 0.1 * 2 - 0.1 * 3] * 2)


def test_nesterov_by_hand():
    # the step is g + 0.5*v: 2 + 0.5*2 = 3, then 2 + 0.5*3 = 3.5
    assert moved(momentum=0.5, nesterov=True) == pytest.approx(
        [1 - 0.1 * 3 - 0.1 * 3.5] * 2)


def test_weights_decay_and_biases_do_not():
    # g of w: 2 + 0.5*1
    assert moved(1, momentum=0, weight_decay=0.5) == pytest.approx(
        (1 - 0.1 * 2.5, 1 - 0.1 * 2))


def test_rates_of_some_parameters():
    parameters = {"w": np.array([[1.0]]), "b": np.array([1.0])}
    for nesterov, move in ((True, 2 + 0.5 * 2), (False, 2)):
        before = {name: p.item() for name, p in parameters.items()}
        sgd = SGD(parameters, 0.5, nesterov, rates={"b": 16})
        sgd.step({name: np.full_like(p, 2.0) for name, p in parameters.items()}, 0.1)
        assert parameters["w"].item() == pytest.approx(before["w"] - 0.1 * move)
        assert parameters["b"].item() == pytest.approx(before["b"] - 1.6 * move)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("nesterov", [True, False])
def test_in_place_it_is_the_formula_bit_for_bit(nesterov, dtype):
    """The work arrays change no rounding: recorded trainings can be repeated."""
    rng = np.random.default_rng(0)
    p = rng.normal(size=(30, 7)).astype(dtype)
    sgd = SGD({"w": p.copy()}, 0.9, nesterov, 5e-4)
    v = np.zeros_like(p)
    for _ in range(3):
        given = rng.normal(size=p.shape).astype(dtype)
        sgd.step({"w": given}, 0.05)
        g = given + 5e-4 * p
        v = 0.9 * v + g
        p = p - 0.05 * (g + 0.9 * v if nesterov else v)
    np.testing.assert_array_equal(sgd.parameters["w"], p)
    np.testing.assert_array_equal(sgd.velocities["w"], v)


def test_a_triangle_that_begins_higher():
    done = [0, 0.1, 0.2, 0.6, 1]
    assert [triangular(d, 0.2) for d in done] == pytest.approx([0.2, 0.6, 1, 0.5, 0])
    assert [triangular(d, 0) for d in done] == [triangular(d) for d in done]


def test_float32_stays_and_gradients_are_left_alone():
    parameters = {"w": np.ones((2, 2), np.float32)}
    gradient = np.ones((2, 2))  # float64, as a student's layer may return
    SGD(parameters, weight_decay=0.1).step({"w": gradient}, 0.1)
    assert parameters["w"].dtype == np.float32
    assert (gradient == 1).all()


@pytest.mark.parametrize("name, start, middle, end", [
    ("constant", 1, 1, 1), ("cosine", 1, 0.5, 0), ("triangular", 0, 0.625, 0)])
def test_schedules(name, start, middle, end):
    factor = SCHEDULES[name]
    assert [factor(0), factor(0.5), factor(1)] == pytest.approx([start, middle, end])
    assert max(map(factor, np.linspace(0, 1, 101))) == 1


def drawn(seed, rows, columns, singular):
    """A matrix with these singular values, and the nearest one that has only ones."""
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.normal(size=(rows, len(singular))))
    right, _ = np.linalg.qr(rng.normal(size=(columns, len(singular))))
    return left * singular @ right.T, left @ right.T


@given(seed=st.integers(0, 99), rows=st.integers(2, 9), columns=st.integers(2, 9),
       scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_orthogonalised_is_near_the_nearest_of_them(seed, rows, columns, scale):
    count = min(rows, columns)
    singular = np.random.default_rng(seed).uniform(0.1, 1, count)
    matrix, nearest = drawn(seed, rows, columns, singular)
    found = orthogonalised(scale * matrix)
    values = np.linalg.svd(found, compute_uv=False)[:count]
    assert values.min() > 0.68 and values.max() < 1.21
    # The same singular vectors: what is left is by how far the values are not 1.
    assert np.linalg.norm(found - nearest, 2) < 0.33


def test_small_singular_values_grow():
    matrix, _ = drawn(0, 4, 6, np.array([1.0, 1e-4]))
    grown = np.linalg.svd(orthogonalised(matrix), compute_uv=False)[1]
    assert grown == pytest.approx(1e-4 * NEWTON_SCHULZ[0] ** 3, rel=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_orthogonalised_keeps_the_dtype_and_zero(dtype):
    zero = np.zeros((3, 2), dtype)
    assert orthogonalised(zero).dtype == dtype
    np.testing.assert_array_equal(orthogonalised(zero), zero)


def test_muon_by_hand():
    """One filter of one number, made 1 long; its step has the sign of g + m*v."""
    a, b, c = NEWTON_SCHULZ
    step = 1.0
    for _ in range(3):
        step = a * step + b * step ** 3 + c * step ** 5
    p = {"w": np.array([[[[-3.0]]]])}
    muon = Muon(p, momentum=0.5)
    muon.step({"w": np.array([[[[2.0]]]])}, 0.1)
    assert muon.velocities["w"].item() == 2
    assert p["w"].item() == pytest.approx(-1 - 0.1 * step)
    # v = 0.5*2 - 1.6 = -0.6, and g + 0.5*v = -1.6 - 0.3 points the other way.
    muon.step({"w": np.array([[[[-1.6]]]])}, 0.1)
    assert muon.velocities["w"].item() == pytest.approx(-0.6)
    assert p["w"].item() == pytest.approx(-1 + 0.1 * step)


def test_muon_goes_as_far_in_each_direction():
    """Two filters, and a gradient that is a hundred times longer for one of them."""
    p = {"w": np.ones((2, 1, 1, 3))}
    gradient = np.zeros((2, 1, 1, 3))
    gradient[0, 0, 0, 0], gradient[1, 0, 0, 2] = 10, 0.1
    Muon(p, momentum=0).step({"w": gradient}, 0.5)
    moved = p["w"] * 3 ** 0.5 - 1
    length = np.linalg.norm(np.ones(6)) / 2 ** 0.5  # filters of length 1
    assert length == pytest.approx(3 ** 0.5)
    assert abs(moved[1, 0, 0, 2]) > 0.3 * abs(moved[0, 0, 0, 0]) > 0
    np.testing.assert_allclose(moved[0, 0, 0, 1:], 0, atol=1e-12)


def test_muon_makes_filters_one_long_and_leaves_the_rest_alone():
    rng = np.random.default_rng(0)
    filters = rng.normal(size=(5, 3, 3, 2))
    muon = Muon({"w": filters}, rates={"w": 2.0})
    muon.step({"w": np.zeros_like(filters), "b": np.ones(5)}, 0.1)
    assert np.linalg.norm(filters) == pytest.approx(5 ** 0.5)
    assert muon.rates == {"w": 2.0} and set(muon.velocities) == {"w"}


def test_together_each_moves_its_own():
    p = {"w": np.array([[[[-3.0]]]]), "b": np.array([1.0])}
    g = {"w": np.array([[[[2.0]]]]), "b": np.array([2.0])}
    alone = {name: p[name].copy() for name in p}
    together = Together(SGD({"b": p["b"]}, 0.5, rates={"b": 4.0}),
                        Muon({"w": p["w"]}, 0.5))
    together.step(g, 0.1)
    SGD({"b": alone["b"]}, 0.5, rates={"b": 4.0}).step(g, 0.1)
    Muon({"w": alone["w"]}, 0.5).step(g, 0.1)
    assert p == alone
    assert set(together.velocities) == {"w", "b"} and together.rates == {"b": 4.0}

import numpy as np
import pytest

from convlab.optimisers import SCHEDULES, SGD, triangular


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

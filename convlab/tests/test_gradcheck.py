import numpy as np
import pytest

from convlab.gradcheck import check_gradients, numerical_gradient, relative_error

X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


def cubes(x):
    return np.sum(x ** 3)


def test_numerical_gradient_of_cubes():
    # the derivative of x^3 is 3 x^2; the difference adds step^2
    np.testing.assert_allclose(numerical_gradient(cubes, X), 3 * X ** 2, rtol=1e-8)
    np.testing.assert_allclose(
        numerical_gradient(cubes, X, step=0.1), 3 * X ** 2 + 0.1 ** 2, rtol=1e-8)


def test_it_works_in_float64_on_a_copy():
    x = X.astype(np.float32)
    gradient = numerical_gradient(cubes, x)
    assert gradient.dtype == np.float64
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(gradient, 3 * X ** 2, rtol=1e-8)


def test_a_right_gradient():
    report = check_gradients(
        lambda x, w: np.sum((x @ w) ** 2), {"x": X, "w": X.T},
        {"x": 2 * X @ X.T @ X, "w": 2 * X.T @ X @ X.T})
    assert report
    assert str(report).splitlines()[1].startswith("w: right in all 6 numbers (largest")


def test_the_worst_place_of_a_wrong_one():
    wrong = 3 * X ** 2
    wrong[0, 1] *= 1.001
    wrong[1, 2] = -wrong[1, 2]
    report = check_gradients(cubes, {"x": X}, {"x": wrong})
    assert not report
    assert str(report) == ("x: wrong in 2 of 6 numbers, furthest off at [1, 2]: -3, "
                           "numerically 3 (relative error 2.0e+00, allowed 1e-05)")


def test_not_a_number_is_wrong():
    report = check_gradients(cubes, {"x": X}, {"x": np.full_like(X, np.nan)})
    assert not report
    assert report.worst[0].wrong == 6


def test_relative_error():
    # |1 - 2| / 2; |-1 - 1| / 1; what is nearly zero counts against a thousandth
    # of the largest, 1e-9 / (1e-3 * 2)
    np.testing.assert_allclose(
        relative_error([1.0, -1.0, 1e-9], [2.0, 1.0, 0.0]), [0.5, 2.0, 5e-7])
    assert not relative_error(np.zeros(2), np.zeros(2)).any()


@pytest.mark.parametrize("gradients, f, message", [
    ({"y": X}, cubes, "y is not one of x"),
    ({"x": X.T}, cubes, r"by x has shape \(3, 2\), but x has shape \(2, 3\)"),
    ({"x": X}, lambda x: x, r"must give one number, it gave an array of shape \(2, 3"),
])
def test_refusals(gradients, f, message):
    with pytest.raises(ValueError, match=message):
        check_gradients(f, {"x": X}, gradients)

"""Student's t and the power of its test, against SciPy's functions and quadrature."""

import itertools
import math

import pytest
from scipy import integrate, special, stats

from lossopt_cli.analysis import student


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 7, 9, 10, 19, 31, 100, 999, 9999])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99, 1 - 0.05 / 66, 1 - 0.05 / 1225])
def test_the_quantile_is_scipys(degrees: int, confidence: float) -> None:
    expected = special.stdtrit(degrees, 0.5 + confidence / 2)
    assert student.quantile(confidence, degrees) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 9, 30])
@pytest.mark.parametrize("t", [0.0, 1e-3, 0.7, 2.5, 40.0])
def test_the_share_inside_is_scipys(degrees: int, t: float) -> None:
    expected = special.stdtr(degrees, t) - special.stdtr(degrees, -t)
    assert student.inside(t, degrees) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("degrees", [1, 2, 3, 9, 44, 999])
@pytest.mark.parametrize("noncentrality", [0.0, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("confidence", [0.95, 1 - 0.05 / 66])
def test_power_is_the_integral_over_the_spread(degrees: int, noncentrality: float, confidence: float) -> None:
    """Where scipy.stats.nct gives a number (not always: NaN at 3 degrees of freedom and 20) it is this one."""
    t = student.quantile(confidence, degrees)

    def density_of_a_claim(scale: float) -> float:
        claimed = special.ndtr(noncentrality - t * scale) + special.ndtr(-noncentrality - t * scale)
        return stats.chi.pdf(scale * math.sqrt(degrees), degrees) * math.sqrt(degrees) * claimed

    ends = [0.0, 0.1, 0.5, 0.9, 1.1, 2.0, 4.0, 9.0]
    parts = [integrate.quad(density_of_a_claim, *end, epsabs=1e-13)[0] for end in itertools.pairwise(ends)]
    assert student.power(noncentrality, degrees, confidence) == pytest.approx(sum(parts), abs=1e-10)

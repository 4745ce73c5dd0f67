"""Learning rates to try after one that was too high or too low."""


def lower_rate(rate: float | None, default: float | None) -> float | None:
    """A rate to try after one that was too high: the optimizer's default where that is far lower, else a tenth; None
    where the optimizer keeps its own rate."""
    if rate is None or not rate > 0.0:
        return None
    return default if default is not None and default < rate / 3.0 else tidy(rate / 10.0)


def higher_rate(rate: float | None, default: float | None) -> float | None:
    """A rate to try after one that was too low: the optimizer's default where that is far higher, else ten times."""
    if rate is None or not rate > 0.0:
        return None
    return default if default is not None and default > rate * 3.0 else tidy(rate * 10.0)


def spoken(rate: float | None, otherwise: str) -> str:
    return otherwise if rate is None else f"--lr {rate:g}"


def tidy(value: float) -> float:
    """To one digit: 0.0316 -> 0.03."""
    return float(f"{value:.0e}")

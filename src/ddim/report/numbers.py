"""How numbers are written in the report: one function per kind of number."""

import math
from collections.abc import Sequence

from ddim.evaluation.aggregate import KID, CellEstimate, Measure
from ddim.evaluation.intervals import standard_error
from ddim.records.cell import Interval
from ddim.schedule import HAT

ETA_HAT = "σ̂"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decimals(value: float, error: float) -> int:
    """Decimals of `value` by its standard error, of which one digit is seen, or two.

    Two where `value` has no more than three significant digits with them.
    """
    assert error > 0, error
    one = -math.floor(math.log10(error))
    three = 2 - math.floor(math.log10(abs(value))) if value else one + 1
    return max(0, min(max(three, one), one + 1))


def fixed(x: float, places: int) -> str:
    """`x` with so many decimals and a true minus sign; no minus zero."""
    text = f"{x:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def significant(x: float, digits: int = 3) -> str:
    """`x` with so many significant digits, never in powers of ten."""
    if x == 0:
        return "0"
    return fixed(x, max(0, digits - 1 - math.floor(math.log10(abs(x)))))


def unit(kind: Measure) -> float:
    """By what a measure is multiplied before it is written: KID is given times 1000."""
    return 1000.0 if kind is KID else 1.0


def estimate(kind: Measure, value: CellEstimate) -> tuple[str, str]:
    """(number, interval) as text, with digits by the standard error; '' for no interval."""
    if value.interval is None:
        return significant(unit(kind) * value.mean), ""
    low, high = value.interval
    return with_interval(unit(kind) * value.mean, (unit(kind) * low, unit(kind) * high))


def with_interval(value: float, interval: Interval) -> tuple[str, str]:
    """('13.4', '12.9–13.8'): digits by the standard error; powers of ten below 0.001."""
    low, high = interval
    error = standard_error(value, high)
    if error <= 0:
        return significant(value), f"{significant(low)}–{significant(high)}"
    if 0 < abs(value) < 1e-3:
        return small(value), f"{small(low)}–{small(high)}"
    places = decimals(value, error)
    return fixed(value, places), f"{fixed(low, places)}–{fixed(high, places)}"


def small(x: float) -> str:
    """Two significant digits; powers of ten below 0.0001."""
    if x == 0:
        return "0"
    if abs(x) >= 1e-4:
        return significant(x, 2)
    mantissa, exponent = f"{x:.1e}".split("e")
    return f"{mantissa}·{power_of_ten(int(exponent))}".replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """-3 -> '10⁻³'."""
    return f"10{str(exponent).translate(_SUPERSCRIPT)}"


def count(n: int) -> str:
    """An integer with a comma between thousands."""
    return f"{n:,}"


def duration(seconds: float) -> str:
    """Seconds as ms, s, min or h, whichever reads best."""
    for name, length, limit in (("ms", 1e-3, 1.0), ("s", 1.0, 120.0), ("min", 60.0, 7200.0)):
        if seconds < limit:
            value = seconds / length
            return f"{value:.1f} {name}" if value < 100 else f"{value:.0f} {name}"
    return f"{seconds / 3600:.1f} h"


def signed(x: float, text: str) -> str:
    """`text`, the formatted size of `x`, with the sign of `x` in front."""
    return f"{'−' if x < 0 else '+'}{text}"


def eta_label(eta: str) -> str:
    """'0.2' -> 'η = 0.2', 'hat' -> 'σ̂'."""
    return ETA_HAT if eta == HAT else f"η = {eta}"


def listed(items: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"

"""How numbers are written in the report: one function per kind of number."""

from collections.abc import Callable, Sequence
from math import floor, log10

from ddim.evaluation.aggregate import FID, KID, PRECISION, RECALL, SCORE, Measure
from ddim.schedule import HAT

ETA_HAT = "σ̂"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def fid(x: float) -> str:
    """Two decimals, as in the paper; three below 1 and two significant digits below 0.01."""
    if abs(x) >= 1 or x == 0:
        return f"{x:.2f}"
    return f"{x:.3f}" if abs(x) >= 0.01 else small(x)


def kid(x: float) -> str:
    """KID times 1000, two decimals."""
    return f"{1000 * x:.2f}".replace("-", "−")


def share(x: float) -> str:
    """A share in [0, 1], three decimals."""
    return f"{x:.3f}"


_FORMAT: dict[Measure, Callable[[float], str]] = {
    FID: fid,
    KID: kid,
    PRECISION: share,
    RECALL: share,
    SCORE: fid,
}


def measure(kind: Measure, x: float) -> str:
    """A value of one of MEASURES."""
    return _FORMAT[kind](x)


def small(x: float) -> str:
    """Two significant digits; powers of ten below 0.0001."""
    if x == 0:
        return "0"
    if abs(x) >= 1e-4:
        return f"{x:.{max(0, 1 - floor(log10(abs(x))))}f}"
    mantissa, exponent = f"{x:.1e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def count(n: int) -> str:
    """An integer with a comma between thousands."""
    return f"{n:,}"


def duration(seconds: float) -> str:
    """Seconds as ms, s, min or h, whichever reads best."""
    for unit, length, limit in (("ms", 1e-3, 1.0), ("s", 1.0, 120.0), ("min", 60.0, 7200.0)):
        if seconds < limit:
            value = seconds / length
            return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"
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

"""How a number is written, as text and in LaTeX."""

import re

import pytest

from ddim.evaluation.aggregate import FID, KID, MEASURES, RECALL, SCORE, CellEstimate
from ddim.records.results import Results
from ddim.report import numbers
from ddim.report.render import latex


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0141, "0.014"), (0.00049, "0.00049"), (3.46e-5, "3.5·10⁻⁵"), (12.0, "12")],
)
def test_small_numbers_keep_two_digits(value: float, text: str) -> None:
    assert numbers.small(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(367.43, "367"), (4.1, "4.10"), (0.2034, "0.203"), (-0.0, "0"), (0, "0")]
)
def test_three_digits_where_there_is_no_error(value: float, text: str) -> None:
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "error", "places"),
    [
        (13.36, 0.34, 1),  # one digit of the error: 13.4
        (4.16, 0.034, 2),
        (5.8, 0.18, 2),  # two digits of the error, three of the value: 5.80
        (367.4, 12.0, 0),
        (367.4, 0.04, 2),  # more than three digits where the error is that small
        (0.9712, 0.0071, 3),
        (0.02, 0.3, 2),  # no more than two digits of the error
        (0.0, 0.3, 2),
    ],
)
def test_decimals_show_one_or_two_digits_of_the_error(
    value: float, error: float, places: int
) -> None:
    assert numbers.decimals(value, error) == places


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (13.36, (12.7, 14.03), ("13.4", "12.7–14.0")),
        (0.02, (-0.57, 0.61), ("0.02", "−0.57–0.61")),
        (0.00056, (0.0005, 0.00062), ("0.00056", "0.00050–0.00062")),
        (3.5e-5, (3.1e-5, 3.9e-5), ("3.5·10⁻⁵", "3.1·10⁻⁵–3.9·10⁻⁵")),
        (7.0, (7.0, 7.0), ("7.00", "7.00–7.00")),
    ],
)
def test_an_interval_has_as_many_digits(
    value: float, interval: tuple[float, float], text: tuple[str, str]
) -> None:
    assert numbers.with_interval(value, interval) == text


@pytest.mark.parametrize(
    ("measure", "value", "interval", "text"),
    [
        (FID, 4.1, (3.9, 4.3), ("4.10", "3.90–4.30")),
        (KID, -0.00012, (-0.0005, 0.00026), ("−0.12", "−0.50–0.26")),
        (RECALL, 0.5, (0.49, 0.51), ("0.500", "0.490–0.510")),
        (SCORE, 9.0, None, ("9.00", "")),
    ],
)
def test_every_measure_has_its_way(measure, value: float, interval, text) -> None:
    assert numbers.estimate(measure, CellEstimate(value, interval, None)) == text
    assert all(numbers.estimate(kind, CellEstimate(0.25, None, None)) for kind in MEASURES)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0086, "8.6 ms"), (0.861, "861 ms"), (31.0, "31.0 s"), (310.0, "5.2 min"), (9e3, "2.5 h")],
)
def test_durations_read_best(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_latex_escapes_what_it_must() -> None:
    assert latex.escape("50 % & σ̂_1 − 2·10⁻⁴ of x̂") == (
        r"50 \% \& \ensuremath{\hat{\sigma}}\_1 \ensuremath{-} "
        r"2{\textperiodcentered}10\ensuremath{^-}\ensuremath{^4} of \ensuremath{\hat{x}}"
    )
    assert (
        latex.escape(r"\{}#$^~") == r"{\textbackslash}\{\}\#\${\textasciicircum}{\textasciitilde}"
    )


def test_latex_is_balanced_and_regular(built: Results) -> None:
    sources = sorted(built.folder.glob("t*/*.tex"))
    assert len(sources) >= 7
    assert built.folder / "timings" / "time.tex" in sources
    for path in sources:
        text = path.read_text()
        plain = re.sub(r"\\[\\{}%&#$_]", "", text)
        assert plain.count("{") == plain.count("}"), path
        assert plain.count("$") % 2 == 0, path
        begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", text) for word in ("begin", "end"))
        assert begun == ended[::-1], path
        assert text.isascii(), path
        layout = re.search(r"\\begin{tabular}{(\w+)}", text)
        assert layout is not None
        for row in re.findall(r"^(.*) \\\\$", text, re.M):
            spanned = sum(int(n) - 1 for n in re.findall(r"\\multicolumn{(\d+)}", row))
            assert len(re.split(r"(?<!\\)&", row)) + spanned == len(layout[1]), row

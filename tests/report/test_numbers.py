"""How a number is written, as text and in LaTeX."""

import re

import pytest

from ddim.evaluation.aggregate import FID, KID, MEASURES, RECALL, SCORE
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
    ("value", "text"), [(367.43, "367.43"), (4.1, "4.10"), (0.2034, "0.203"), (0.0012, "0.0012")]
)
def test_fid_is_written_as_in_the_paper(value: float, text: str) -> None:
    assert numbers.fid(value) == text


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [(FID, 4.1, "4.10"), (KID, -0.00012, "−0.12"), (RECALL, 0.5, "0.500"), (SCORE, 9.0, "9.00")],
)
def test_every_measure_has_its_way(measure, value: float, text: str) -> None:
    assert numbers.measure(measure, value) == text
    assert all(numbers.measure(kind, 0.25) for kind in MEASURES)


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

"""Rows, their page and their JSON."""

import json
from pathlib import Path

import pytest

from benchmarks.findings import Findings, markdown, number, to_json, write

MACHINE = {"date": "2026-01-02", "flags": ["avx2", "bf16"], "versions": {"torch": "2", "dvc": "3"}}
PAGE = """\
# sampling

`python -m benchmarks sampling`

- date: 2026-01-02
- flags: avx2, bf16
- versions: torch 2, dvc 3

| what | median | quartiles | repetitions | goal |  |
|---|---|---|---|---|---|
| a step | 2.00 s | 1.50 to 2.50 | 3 |  |  |
| ours against plain | 1.60 x |  | 1 | at least 1.5 | met |
| ours against plain | 1.00 x |  | 1 | at least 1.5 | not met |

- first

| a | b |
|---|---|

- second
"""


@pytest.fixture
def findings(capsys: pytest.CaptureFixture[str]) -> Findings:
    findings = Findings("sampling", {"command": "python -m benchmarks sampling"})
    findings.add("a step", [1, 2, 3], "s")
    findings.add("ours against plain", [1.6], "x", "sampling.plain")
    findings.add("ours against plain", [1.0], "x", "sampling.plain")
    for line in ("first", "| a | b |", "|---|---|", "second"):
        findings.note(line)
    return findings


def test_rows_are_printed_as_they_come(
    findings: Findings, capsys: pytest.CaptureFixture[str]
) -> None:
    findings.add("another", [1.4], "x", "sampling.plain")
    (line,) = capsys.readouterr().out.splitlines()[-1:]
    assert " ".join(line.split()) == "another 1.40 x n=1 goal at least 1.5: not met"


def test_the_page(findings: Findings) -> None:
    assert markdown(findings.as_dict(MACHINE)) == PAGE


def test_the_page_of_what_is_read_from_json_is_the_same(findings: Findings, tmp_path: Path) -> None:
    write(findings.as_dict(MACHINE), tmp_path)
    assert (tmp_path / "sampling.md").read_text() == PAGE
    content = json.loads((tmp_path / "sampling.json").read_text())
    assert markdown(content) == PAGE
    assert [row["met"] for row in content["rows"]] == [None, True, False]
    assert [row["limits"] for row in content["rows"]] == [None, "at least 1.5", "at least 1.5"]
    assert content["rows"][0]["spread"] == {"median": 2, "lower": 1.5, "upper": 2.5, "repeats": 3}


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json({"seconds": float("nan")})


def test_an_unknown_goal_is_refused() -> None:
    with pytest.raises(KeyError, match="unknown"):
        Findings("sampling", {}).add("a", [1.0], "s", "unknown")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (1, "1.00"),
        (12.345, "12.3"),
        (123.4, "123"),
        (999.7, "1,000"),
        (12345.6, "12,346"),
        (0.0123, "0.0123"),
        (2e-5, "2.0e-05"),
        (-1.5, "-1.50"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text

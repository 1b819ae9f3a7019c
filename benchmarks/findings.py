"""What a part has measured: rows that are printed as they come, then a page and its numbers.

`write` leaves `<part>.md` for people and `<part>.json` for programs; both say when, on which
machine, with which versions and settings.
"""

import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.goals import GOALS
from benchmarks.measure import Spread
from ddim.runtime.files import write_text


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure. unit: s, ms, x (a ratio), MB, ... goal: its key in benchmarks.goals, if any."""

    what: str
    spread: Spread
    unit: str
    goal: str | None = None

    @property
    def met(self) -> bool | None:
        """Whether the median meets the goal; None where there is none."""
        return None if self.goal is None else GOALS[self.goal].met(self.spread.median)

    def cells(self) -> tuple[str, ...]:
        """As text: what, median, quartiles, repetitions, goal, met."""
        s, verdict = self.spread, {None: "", True: "met", False: "not met"}[self.met]
        quartiles = f"{number(s.lower)} to {number(s.upper)}" if s.repeats > 1 else ""
        goal = "" if self.goal is None else str(GOALS[self.goal])
        median = f"{number(s.median)} {self.unit}".rstrip()
        return self.what, median, quartiles, str(s.repeats), goal, verdict


HEADINGS = ("what", "median", "quartiles", "repetitions", "goal", "")


class Findings:
    """The rows and notes of one run of a part."""

    def __init__(self, part: str, settings: Mapping[str, Any]) -> None:
        self.part, self.settings = part, dict(settings)
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def add(self, what: str, values: Sequence[float], unit: str, goal: str | None = None) -> None:
        """Keep the spread of `values`, and print it."""
        row = Row(what, Spread.of(values), unit, goal)
        self.rows.append(row)
        what, median, quartiles, repeats, limits, verdict = row.cells()
        spread = f"[{quartiles}]" if quartiles else ""
        goal_text = f"  goal {limits}: {verdict}" if limits else ""
        print(f"{what:<64} {median:>12} {spread:<20} n={repeats}{goal_text}", flush=True)

    def note(self, line: str) -> None:
        """Keep and print a line that is no figure."""
        self.notes.append(line)
        print(line, flush=True)

    def as_dict(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """For JSON."""
        rows = [dataclasses.asdict(row) | {"met": row.met} for row in self.rows]
        for row in rows:
            row["limits"] = None if row["goal"] is None else str(GOALS[row["goal"]])
        about = {"part": self.part, "settings": self.settings, "machine": dict(machine)}
        return about | {"rows": rows, "notes": self.notes}


def number(value: float) -> str:
    """Three significant digits at least, in the shortest form that a reader takes in."""
    if abs(value) >= 999.5:
        return f"{value:,.0f}"
    return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:#.3g}".rstrip(".")


def markdown(content: Mapping[str, Any]) -> str:
    """The page of one part, from its `as_dict`."""
    rows = [
        Row(row["what"], Spread(**row["spread"]), row["unit"], row["goal"]).cells()
        for row in content["rows"]
    ]
    lines = [f"# {content['part']}", "", f"`{content['settings']['command']}`", ""]
    lines += [f"- {key}: {_text(value)}" for key, value in content["machine"].items()]
    if rows:
        lines += ["", "| " + " | ".join(HEADINGS) + " |", "|---" * len(HEADINGS) + "|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
    for is_table, block in itertools.groupby(content["notes"], lambda line: line.startswith("|")):
        lines += ["", *(line if is_table else f"- {line}" for line in block)]
    return "\n".join(lines).rstrip() + "\n"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def write(content: Mapping[str, Any], folder: Path) -> None:
    """`<part>.md` and `<part>.json` in `folder`."""
    write_text(folder / f"{content['part']}.md", markdown(content))
    write_text(folder / f"{content['part']}.json", to_json(content))


def to_json(content: Any) -> str:
    """Indented, with a final newline; NaN is refused."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"

"""How far a long stage is: a rich bar on a terminal, a plain line now and then in a log file.

Silent with CI=true. Imports rich only where there is a terminal to draw on.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY = 10.0  # seconds between two lines of a log file


class Advance(Protocol):
    """What `track` hands to the loop."""

    def __call__(self, amount: float = 1, note: str = "") -> None:
        """`amount` more is done; `note` (the last loss, say) replaces the one before."""


@contextmanager
def track(total: float, label: str, *, done: float = 0) -> Iterator[Advance]:
    """Show the progress of `total` units of work called `label`.

    `done` units were finished before (a resumed run): they count as progress, not as speed.

        with track(len(batches), "features") as advance:
            for batch in batches:
                ...
                advance()
    """
    if os.environ.get("CI", "").lower() == "true":
        yield silent
    elif sys.stdout.isatty():
        with _bar() as bar:
            yield _Bar(bar, total, label, done)
    else:
        lines = _Lines(total, label, done)
        yield lines
        lines.close()


def duration(seconds: float) -> str:
    """7 s, 2:05 min or 1:02:03 h."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def rate(per_second: float) -> str:
    """12.3/s, or 40 s each where one unit takes longer than a second."""
    return f"{per_second:.3g}/s" if per_second >= 1 else f"{1 / per_second:.3g} s each"


def silent(amount: float = 1, note: str = "") -> None:
    """An `Advance` that shows nothing."""


class _Pace:
    """Work done and the rate at which this process does it."""

    def __init__(self, total: float, done: float) -> None:
        self.total, self.done = total, done
        self._before, self._start = done, time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    @property
    def speed(self) -> float:
        """Units per second; 0 until something is done."""
        return (self.done - self._before) / max(self.seconds, 1e-9)

    def tail(self) -> str:
        """'21.4/s, 1:03 min left'."""
        if self.speed == 0:
            return ""
        left = max(self.total - self.done, 0) / self.speed
        return f"{rate(self.speed)}, {duration(left)} left"


class _Lines:
    """Plain lines: one about every LINE_EVERY seconds, and one at the end."""

    def __init__(self, total: float, label: str, done: float) -> None:
        self._pace, self._label, self._note = _Pace(total, done), label, ""
        self._last = time.monotonic()

    def __call__(self, amount: float = 1, note: str = "") -> None:
        self._pace.done += amount
        self._note = note or self._note
        if time.monotonic() - self._last >= LINE_EVERY:
            self._last = time.monotonic()
            share = self._pace.done / self._pace.total
            self._print(f"{share:4.0%}", self._pace.tail())

    def close(self) -> None:
        self._print("done", f"in {duration(self._pace.seconds)}")

    def _print(self, *parts: str) -> None:
        text = ", ".join(part for part in (*parts, self._note) if part)
        print(f"{self._label}: {text}", flush=True)


class _Bar:
    """rich's bar with our rate, time left and note."""

    def __init__(self, bar: "Progress", total: float, label: str, done: float) -> None:
        self._bar, self._pace, self._note = bar, _Pace(total, done), ""
        self._task = bar.add_task(label, total=total, tail="")
        bar.update(self._task, completed=done)

    def __call__(self, amount: float = 1, note: str = "") -> None:
        self._pace.done += amount
        self._note = note or self._note
        tail = "  ".join(part for part in (self._pace.tail(), self._note) if part)
        self._bar.update(self._task, completed=self._pace.done, tail=tail)


def _bar() -> "Progress":
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[tail]}"),
    )
    return Progress(*columns, refresh_per_second=4)

"""How far a long stage is: a rich bar on a terminal, a plain line now and then in a log file.

Silent with CI=true. Imports rich only where there is a terminal to draw on.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

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
        with _bar(total, label, done) as advance:
            yield advance
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


@contextmanager
def _bar(total: float, label: str, done: float) -> Iterator[Advance]:
    """rich's bar, with the note at its end."""
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Task as RichTask
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: RichTask) -> Text:
            return Text(rate(task.speed) if task.speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        RateColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, refresh_per_second=4) as progress:
        task = progress.add_task(label, total=total, completed=int(done), note="")

        def advance(amount: float = 1, note: str = "") -> None:
            if note:
                progress.update(task, note=note)
            progress.advance(task, amount)

        yield advance


class _Lines:
    """Plain lines: one about every LINE_EVERY seconds, and one at the end."""

    def __init__(self, total: float, label: str, done: float) -> None:
        self._total, self._label, self._note = total, label, ""
        self._done = self._before = done
        self._start = self._last = time.monotonic()

    def __call__(self, amount: float = 1, note: str = "") -> None:
        self._done += amount
        self._note = note or self._note
        now = time.monotonic()
        if now - self._last >= LINE_EVERY:
            self._last = now
            self._print(f"{self._done / self._total:4.0%}", self._speed_and_time_left(now))

    def _speed_and_time_left(self, now: float) -> str:
        """'21.4/s, 1:03 min left'; nothing until something is done."""
        speed = (self._done - self._before) / (now - self._start)
        if speed == 0:
            return ""
        left = max(self._total - self._done, 0) / speed
        return f"{rate(speed)}, {duration(left)} left"

    def close(self) -> None:
        self._print("done", f"in {duration(time.monotonic() - self._start)}")

    def _print(self, *parts: str) -> None:
        text = ", ".join(part for part in (*parts, self._note) if part)
        print(f"{self._label}: {text}", flush=True)

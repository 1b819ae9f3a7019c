"""Progress: what a log file, a terminal and CI see."""

import pytest

from ddim.runtime import progress
from ddim.runtime.progress import duration, track


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    time = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    monkeypatch.delenv("CI", raising=False)
    return time


def test_a_log_file_gets_a_line_every_ten_seconds(clock, capsys):
    with track(100, "sampling") as advance:
        for _ in range(100):
            clock[0] += 0.5
            advance(1, "loss 0.1000")
    assert capsys.readouterr().out.splitlines() == [
        "sampling:  20%, 2/s, 40 s left, loss 0.1000",
        "sampling:  40%, 2/s, 30 s left, loss 0.1000",
        "sampling:  60%, 2/s, 20 s left, loss 0.1000",
        "sampling:  80%, 2/s, 10 s left, loss 0.1000",
        "sampling: 100%, 2/s, 0 s left, loss 0.1000",
        "sampling: done, in 50 s, loss 0.1000",
    ]


def test_work_done_before_is_progress_but_not_speed(clock, capsys):
    with track(100, "training", done=90) as advance:
        clock[0] += 20
        advance(5)
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "training:  95%, 4 s each, 20 s left"


def test_a_failure_is_not_called_done(clock, capsys):
    with pytest.raises(ValueError, match="x"), track(2, "training"):
        raise ValueError("x")
    assert "done" not in capsys.readouterr().out


def test_ci_sees_nothing(clock, capsys, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with track(2, "training") as advance:
        clock[0] += 60
        advance(2)
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with track(4, "training", done=1) as advance:
        advance(3, "loss 0.5000")
    out = capsys.readouterr().out
    assert "training" in out
    assert "100%" in out
    assert "loss 0.5000" in out


def test_durations():
    assert [duration(s) for s in (7.4, 125, 3723)] == ["7 s", "2:05 min", "1:02:03 h"]

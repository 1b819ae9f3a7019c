"""Signals: one line, the exit status of a shell, and what code that swallows them changes."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pipeline import ROOT

from ddim.runtime import interrupt

START = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
from ddim.runtime.interrupt import Deferred, Interrupted, handled
me = os.getpid()
"""

HANDLER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import ddim
print(repr(signal.getsignal(signal.SIGINT)))
"""


def run(
    program: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    return subprocess.run(
        [sys.executable, "-c", START + program],
        env={**kept, "PYTHONPATH": str(ROOT / "src"), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_error_without_a_signal_keeps_its_trace() -> None:
    done = run("with handled(): raise RuntimeError('a bug')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 138)])
def test_a_signal_ends_a_program_with_one_line(name: str, status: int) -> None:
    done = run(f"with handled(): os.kill(me, signal.{name}); time.sleep(9)")
    line = f"interrupted by {name}: run the same command to go on\n"
    assert (done.returncode, done.stdout, done.stderr) == (status, "", line)


@pytest.mark.parametrize(
    "swallow",
    [
        "except BaseException: pass",
        "except KeyboardInterrupt: sys.exit(1)",
        "except KeyboardInterrupt: raise RuntimeError('a worker died')",
    ],
)
def test_a_library_that_swallows_the_signal_changes_no_status(swallow: str) -> None:
    """Lightning exits with 1, a destructor goes on: `train && sample` must not."""
    done = run(f"with handled():\n try: os.kill(me, signal.SIGTERM)\n {swallow}")
    assert done.returncode == 143
    assert done.stderr.count("\n") == 1


def test_with_blocks_clean_up_and_files_keep_their_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    program = f"""
from pathlib import Path
from ddim.runtime.files import replacing
with handled(), replacing(Path({str(tmp_path / "a")!r})) as temporary:
    temporary.write_text("new")
    os.kill(me, signal.SIGTERM)
    time.sleep(9)
"""
    assert run(program).returncode == 143
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_timeout_sends_two_signals_which_are_one() -> None:
    program = """
with handled():
    try:
        os.kill(me, signal.SIGTERM)
    finally:
        os.kill(me, signal.SIGTERM)
        print("cleaned up")
"""
    done = run(program)
    assert (done.returncode, done.stdout) == (143, "cleaned up\n")


def test_a_deferred_signal_waits_for_its_point_and_a_second_one_does_not() -> None:
    program = """
with handled():
    deferred = Deferred()
    deferred.install()
    os.kill(me, signal.SIGTERM)
    print("goes on with", deferred.number, flush=True)
    time.sleep(1.1)
    os.kill(me, signal.SIGINT)
    print("never")
"""
    done = run(program)
    assert (done.returncode, done.stdout) == (130, "goes on with 15\n")


def test_what_is_ignored_stays_ignored() -> None:
    """As Ctrl-C is in a shell's background jobs."""
    program = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nwith handled(): os.kill(me, 2)"
    assert run(program).returncode == 0


def test_handlers_are_those_of_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    program = "with handled(): pass\nprint(signal.getsignal(15), signal.getsignal(10))"
    assert run(program).stdout == "0 0\n".replace("0", str(signal.SIG_DFL))
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("started_as", "handler"), [("-m", "SIG_DFL"), ("pytest", "default")])
def test_ctrl_c_while_a_program_still_imports_leaves_no_trace(
    started_as: str, handler: str
) -> None:
    """sys.argv[0] is -m while `python -m` imports; a library's user keeps Python's own handler."""
    program = f"import sys; sys.argv[0] = {started_as!r}\n{HANDLER}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert handler in done.stdout


def test_only_the_first_of_several_processes_speaks() -> None:
    done = run("with handled(): os.kill(me, 15)", {"LOCAL_RANK": "1"})
    assert (done.returncode, done.stderr) == (143, "")


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("exit 0", "interrupted by SIGUSR1: Slurm's job 7_2 is requeued and goes on\n"),
        (
            "echo no >&2; exit 1",
            "interrupted by SIGUSR1: Slurm's job 7_2 cannot be requeued (no), submit it again to"
            " go on\n",
        ),
    ],
)
def test_slurms_warning_requeues_the_job(tmp_path: Path, answer: str, line: str) -> None:
    asked, scontrol = tmp_path / "asked", tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" > {asked}\n{answer}\n')
    scontrol.chmod(0o755)
    job = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = run("with handled(): os.kill(me, signal.SIGUSR1)", {**job, "PATH": path})
    assert (done.returncode, done.stderr) == (138, line)
    assert asked.read_text() == "requeue 7_2\n"


def test_what_a_library_has_replaced_is_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    restore = interrupt.restorer()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    restore()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_spawned_process_puts_its_own_handlers_back() -> None:
    """Those of the process that started it are of no use there, and cannot be sent."""
    sent = pickle.dumps(interrupt.restorer())
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        restore = pickle.loads(sent)  # in the other process, before the library
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        restore()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)

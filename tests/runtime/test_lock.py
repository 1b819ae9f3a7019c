"""One process at a time."""

import subprocess
import sys
from pathlib import Path

from ddim.runtime.lock import exclusive

HOLD = """
import sys, pathlib
from ddim.runtime.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "S10"):
    print("mine", flush=True)
    sys.stdin.readline()
"""


def start(path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_second_process_says_that_it_waits_and_then_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "cell.lock"
    with exclusive(path, "S10"):
        second = start(path)
        assert second.stdout is not None
        assert second.stdout.readline() == (
            "S10: another process is at it; waiting for that to end\n"
        )
    assert second.stdout.readline() == "mine\n"
    second.communicate("\n", timeout=20)
    assert second.returncode == 0


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cell.lock"
    first = start(path)
    assert first.stdout is not None
    assert first.stdout.readline() == "mine\n"
    first.kill()
    first.wait()
    with exclusive(path, "S10"):
        pass

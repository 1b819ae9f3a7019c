"""A Slurm of one node on this machine, for tests: starts munged, slurmctld and slurmd, stops them.

    python tests/cluster/one_node_slurm.py COMMAND [ARGUMENT ...]

runs COMMAND with SLURM_CONF set, so that sbatch, squeue and scontrol talk to it, and stops it when
COMMAND ends. Needs root and Debian's packages (`apt-get install slurm-wlm munge`); no systemd, no
accounting database. All of its files lie in a temporary folder, and its daemons listen on free
ports of 127.0.0.1: a Slurm that the machine belongs to is left alone.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
CPUS = 2
SECONDS_TO_START = 60

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_interval=1,batch_sched_delay=1,requeue_setup_env_fail
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str | None:
    """Why there can be no such Slurm here; None where there can."""
    if absent := [name for name in DAEMONS if shutil.which(name, path=PATH) is None]:
        return f"no {', '.join(absent)} here: apt-get install slurm-wlm munge"
    return None if os.geteuid() == 0 else "a Slurm of one's own needs root"


@contextmanager
def running() -> Iterator[dict[str, str]]:
    """Inside the block Slurm runs; yields the environment that makes its commands find it.

    Raises RuntimeError, with the logs, where the node does not come up within a minute.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ddim-slurm-")))
        environment = os.environ | {"SLURM_CONF": str(_configure(folder)), "PATH": PATH}
        munge = ["--foreground", "--force", f"--key-file={folder}/munge.key", "--num-threads=2"]
        munge += [f"--{name}-file={folder}/munge.{name}" for name in ("log", "pid", "seed")]
        for command in (
            ["munged", *munge, f"--socket={folder}/munge.socket"],
            ["slurmctld", "-D", "-c"],
            ["slurmd", "-D", "-c"],
        ):
            stack.callback(_stop, _start(command, environment, folder))
        _wait_for_the_node(environment, folder)
        stack.callback(_cancel_all, environment)
        yield environment


def _configure(folder: Path) -> Path:
    """Write munge's key and slurm.conf into `folder`; returns the latter."""
    folder.chmod(0o755)  # munge's clients look into it
    for name in ("controller", "node"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    path = folder / "slurm.conf"
    ports = dict(zip(("controller_port", "node_port"), _free_ports(2), strict=True))
    host = socket.gethostname().partition(".")[0]
    path.write_text(CONFIGURATION.format(host=host, folder=folder, cpus=CPUS, **ports))
    return path


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start(
    command: list[str], environment: dict[str, str], folder: Path
) -> "subprocess.Popen[bytes]":
    with (folder / f"{command[0]}.output").open("wb") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, preexec_fn=_end_with_parent
        )


def _end_with_parent() -> None:
    """In a daemon: SIGTERM when the process that started it is gone, however it went."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for_the_node(environment: dict[str, str], folder: Path) -> None:
    command = ["sinfo", "--noheader", "--format=%T"]
    for _ in range(2 * SECONDS_TO_START):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    logs = [path for suffix in ("log", "output") for path in sorted(folder.glob(f"*.{suffix}"))]
    texts = [f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in logs]
    raise RuntimeError("\n".join([f"no idle node: {done.stdout}{done.stderr}", *texts]))


def _cancel_all(environment: dict[str, str]) -> None:
    """No job may outlive the node's daemon."""
    subprocess.run(["scancel", "--state=PENDING"], env=environment, check=False)
    subprocess.run(["scancel", "--state=RUNNING"], env=environment, check=False)
    for _ in range(60):
        left = ["squeue", "--noheader"]
        if not subprocess.run(left, env=environment, capture_output=True, check=False).stdout:
            return
        time.sleep(0.5)


if __name__ == "__main__":
    if reason := missing():
        sys.exit(f"error: {reason}")
    with running() as slurm:
        sys.exit(subprocess.run(sys.argv[1:], env=slurm, check=False).returncode)

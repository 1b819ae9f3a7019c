"""What the tests of tests/survival share: a tiny project, programs that are ended, comparisons."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ddim import weights
from ddim.config import params, paths
from ddim.records.training import Training
from ddim.runtime import files
from ddim.unet import UNet
from helpers.pipeline import ROOT, TINY

# What takes time is cut further: the tests end programs many times.
SMALL = [
    "train.steps=24",
    "train.warmup=5",
    "train.batch_size=8",
    "train.checkpoint_every=5",
    "logger=disabled",
]
SMALL += ["sample.shard_size=5", "sample.batch_size=5", "sweep.steps=[2,3]", "sweep.eta=[hat]"]


@dataclass(frozen=True)
class Done:
    """How a program ended: its exit status, negative for a signal, and all that it printed."""

    status: int
    output: str


@dataclass(frozen=True)
class Running:
    """A program that was started."""

    number: int
    file: Path
    server: "Server"

    def wait(self) -> Done:
        status = int(self.server.ask({"wait": self.number}))
        return Done(status, self.file.read_text())

    def end(self, signal: int) -> None:
        os.kill(self.number, signal)


class Server:
    """helpers/stage_server.py: `start` and `run` are `python -m module arguments`."""

    def __init__(self, kind: str) -> None:
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")])
        environment = {**os.environ, "PYTHONPATH": paths, "CI": "true", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "stage_server.py"), kind],
            env=environment | {"WANDB_MODE": "offline"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._count = 0
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def ask(self, request: dict[str, Any]) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._line()

    def start(self, project: Path, module: str, *arguments: str, **plan: Any) -> Running:
        self._count += 1
        output = project / f"output.{self._count}.log"
        request = {"start": module, "arguments": arguments, "folder": str(project)}
        number = self.ask(request | {"output": str(output), "plan": plan})
        return Running(int(number), output, self)

    def run(self, project: Path, module: str, *arguments: str, **plan: Any) -> Done:
        return self.start(project, module, *arguments, **plan).wait()

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def server(kind: str) -> Iterator[Server]:
    """kind: "light", or "all" with Lightning and W&B."""
    served = Server(kind)
    yield served
    served.close()


def new_project(server: Server, folder: Path, *overrides: str) -> Path:
    """A folder with conf/ and the tiny params.yaml."""
    (folder / "conf").symlink_to(ROOT / "conf")
    done = server.run(folder, "ddim.compose", *TINY, *SMALL, *overrides)
    assert done.status == 0, done.output
    return folder


def with_weights(project: Path) -> Path:
    """The project with an untrained network where the stage `train` leaves one."""
    with chdir(project):
        cfg = params.read([])
        torch.manual_seed(0)
        unet, file = UNet(**cfg.network), paths.weights_file(cfg)
        info = {"trained_steps": 3, "source": "trained here"}
        weights.save(file, unet, kind="ema", info=info)
        Training(
            source="trained here",
            parameters=sum(p.numel() for p in unet.parameters()),
            seed=0,
            recipe=None,
            sha256={"ema": files.sha256(file)},
            loss=(),
        ).write(paths.training_record(cfg))
    return project


# --- what there is afterwards --------------------------------------------------------------------

# Wall times, which are no results, and what Hydra and W&B keep of every run.
NO_RESULTS = ("timings", "timing.json", "index.html", "wandb", "hydra")


def results(project: Path) -> dict[str, str]:
    """{path: checksum} of every result."""
    found = {}
    for folder in ("out", "reports"):
        for path in sorted((project / folder).rglob("*")):
            name = path.relative_to(project)
            if path.is_file() and not set(NO_RESULTS) & set(name.parts):
                found[str(name)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def left_over(project: Path) -> list[str]:
    """Files and folders that no next run uses: of work/ it uses resume points and locks."""
    found = [*project.rglob(".*.tmp"), *(project / "work").glob("cell-*")]
    return sorted(str(path.relative_to(project)) for path in found)


@dataclass
class Repeated:
    """What a log of helpers/stage_server.py says was done more than once."""

    steps: int = 0
    images: int = 0

    @classmethod
    def of(cls, log: Path) -> "Repeated":
        counts = Counter(log.read_text().splitlines() if log.is_file() else [])
        more = {line: n - 1 for line, n in counts.items() if n > 1}
        return cls(
            steps=sum(n for line, n in more.items() if line.startswith("step ")),
            images=sum(n for line, n in more.items() if line.startswith("image ")),
        )

"""Run by tests in a process of its own: starts programs of ddim as its forks, in no time.

A program imports torch for seconds; a fork of this process has it. Reads a JSON object a line:
{"start": module, "arguments": [...], "folder": ..., "output": file, "plan": {...}} answers with the
process's number, {"wait": number} with its exit status, negative for a signal.

The plan of a program, all of it optional:
    "end"     [k, when, number]: at the k-th file that gets its name (from 0), "half" of it written,
              "before" or "after" the move, send this process the signal
    "log"     a file that gets a line for each file that gets its name, each training step and
              each image sampled
    "limit"   the most bytes that a file may have, as of a full disk
"""

import importlib
import json
import os
import resource
import runpy
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIGHT = ("torch", "hydra", "matplotlib.figure", "sklearn.datasets", "scipy.stats", "safetensors")
LIGHT += ("ddim.sampling.cell", "ddim.sampling.shards", "ddim.evaluation.measure")
LIGHT += ("ddim.evaluation.classifier", "ddim.config.params", "ddim.data.prepare")
ALL = (*LIGHT, "pytorch_lightning", "torch._dynamo", "ddim.tracking.training_progress", "wandb")
ALL += ("ddim.report.build", "ddim.analysis.section_runner", "ddim.analysis.path", "bokeh.plotting")


def main() -> None:
    for name in ALL if sys.argv[1:] == ["all"] else LIGHT:
        importlib.import_module(name)
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
        else:
            print(start(request), flush=True)


def start(request: dict[str, Any]) -> int:
    number = os.fork()
    if number == 0:
        os._exit(program(request))
    return number


def program(request: dict[str, Any]) -> int:
    """As `python -m module arguments` in its folder; the exit status."""
    os.setsid()
    os.chdir(request["folder"])
    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    follow(request["plan"])
    sys.argv = [request["start"], *request["arguments"]]
    status = 0
    try:
        runpy.run_module(request["start"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def follow(plan: dict[str, Any]) -> None:
    """Prepare this process for its plan."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if limit := plan.get("limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    log = os.open(plan["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if "log" in plan else None

    def note(line: str) -> None:
        if log is not None:
            os.write(log, f"{line}\n".encode())

    os.replace = replacing(plan.get("end"), note)
    note_work(note)


def replacing(end: list[Any] | None, note: Callable[[str], None]) -> Callable[..., None]:
    """os.replace, which ends the process where it is told to."""
    replace, count = os.replace, 0

    def replaced(source: str, target: str, **options: Any) -> None:
        nonlocal count
        number, count = count, count + 1
        here = end is not None and end[0] == number
        if here and end[1] == "half":
            halve(Path(source))
        if here and end[1] != "after":
            os.kill(os.getpid(), end[2])
        replace(source, target, **options)
        note(f"file {os.path.relpath(target)}")
        if here and end[1] == "after":
            os.kill(os.getpid(), end[2])

    return replaced


def halve(path: Path) -> None:
    """Leave half of a file, or of a folder's files."""
    if path.is_file():
        os.truncate(path, path.stat().st_size // 2)
        return
    inside = sorted(path.iterdir())
    for each in inside[len(inside) // 2 :]:
        shutil.rmtree(each) if each.is_dir() else each.unlink()


def note_work(note: Callable[[str], None]) -> None:
    """Have each training step and each sampled image noted."""
    callbacks = sys.modules.get("ddim.training.callbacks")
    if callbacks is not None:
        step = callbacks.StepSeed.on_train_batch_start

        def on_train_batch_start(self: Any, trainer: Any, *rest: Any) -> None:
            note(f"step {trainer.global_step}")
            step(self, trainer, *rest)

        callbacks.StepSeed.on_train_batch_start = on_train_batch_start
    shards = sys.modules["ddim.sampling.shards"]
    sample = shards.ShardJob.sample

    def sampled(self: Any, indices: range, *rest: Any) -> None:
        for i in indices:
            note(f"image {self.shards.folder.name} {i}")
        sample(self, indices, *rest)

    shards.ShardJob.sample = sampled


if __name__ == "__main__":
    main()

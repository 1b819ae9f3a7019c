"""Run by tests in processes of their own: end a training by a signal, or train with two processes.

python training_program.py SIGKILL|SIGTERM|SIGINT|ddp FOLDER
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

import torch

from ddim.runtime import interrupt
from ddim.runtime.lightning import is_global_zero
from ddim.tracking.training_progress import ProgressLine
from helpers import tiny


def end(name: str, folder: Path) -> None:
    """Send this process the signal in the 18th step; the last resume point is that of step 14."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    with interrupt.handled():
        tiny.train(tiny.net(tiny.kill(18, signal.Signals[name])), folder)


def ddp(folder: Path) -> None:
    """Train over two processes; each leaves what it ended with."""
    trainer = dataclasses.replace(tiny.CPU, strategy="ddp", devices=2)
    network, logger = tiny.net(), tiny.RecordingLogger()
    tiny.train(
        network,
        folder / "work",
        trainer=trainer,
        callbacks=[ProgressLine()],
        held_out=tiny.images(20),
        validate_every=10,
        logger=logger,
    )
    seen = {"raw": network.state_dict(), "exports": is_global_zero()}
    seen["val"] = logger.curve("val/loss")
    torch.save(seen, folder / f"rank{os.environ['LOCAL_RANK']}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, folder = sys.argv[1], Path(sys.argv[2])
    ddp(folder) if what == "ddp" else end(what, folder)

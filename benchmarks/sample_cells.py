"""Samples the grid of ./params.yaml; prints seconds and peak memory: `python -m ... [overrides]`.

By the code of the stage `sample`. Imports and one evaluation of the network are not timed.
"""

import json
import re
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from ddim.config import params
from ddim.runtime.device import torch_device
from ddim.sampling import cell
from ddim.sampling.shards import sample_missing


def main(arguments: Sequence[str]) -> None:
    """Print {"seconds", "peak"}, the latter in bytes, as the last line."""
    cfg = params.read(arguments)
    weights, model = cell.weights_in_use(cfg), cell.load_network(cfg)
    device = torch_device(cfg.trainer.accelerator)
    x = torch.zeros(cfg.sample.batch_size, *cfg.image_shape, device=device)
    model.place(device)(x, torch.ones(len(x), dtype=torch.int64, device=device))
    cell.shard_job(cfg, cell.plan(cfg, weights), model)  # imports what the first cell would
    start = time.perf_counter()
    for each in cfg.cells():
        plan = cell.plan(each, weights)
        job = cell.shard_job(each, plan, model)
        sample_missing(job, plan.name, each.trainer)
        cell.collect(each, plan, job)
    print(json.dumps({"seconds": time.perf_counter() - start, "peak": peak_memory()}))


def peak_memory() -> int:
    """Bytes that this process has held at most.

    Linux' ru_maxrss counts what the parent held when it started the process, so not that one.
    """
    status = Path("/proc/self/status")
    if status.is_file() and (peak := re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.M)):
        return 1024 * int(peak[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main(sys.argv[1:])

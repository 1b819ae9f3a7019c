"""python -m ddim.dashboard [key=value ...]: the W&B workspace of an experiment, built by code."""

from ddim.runtime.cli import command
from ddim.tracking.workspace import main

if __name__ == "__main__":
    command(main)

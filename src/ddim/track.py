"""python -m ddim.track [key=value ...]: the experiment as one W&B run, from its records."""

from ddim.runtime.cli import command
from ddim.tracking.sweep_run import main

if __name__ == "__main__":
    command(main)

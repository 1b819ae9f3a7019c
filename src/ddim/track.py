"""The experiment as one W&B run, from its records; at any time, and as often as you like.

The settings are those of params.yaml, under `key=value` on the command line.
"""

from ddim.runtime.cli import settings_command
from ddim.tracking.sweep_run import main

if __name__ == "__main__":
    settings_command(main)

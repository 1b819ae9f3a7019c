"""The W&B workspace of an experiment, built by code.

The settings are those of params.yaml, under `key=value` on the command line.
"""

from ddim.runtime.cli import settings_command
from ddim.tracking.workspace import main

if __name__ == "__main__":
    settings_command(main)

"""python -m ddim.dashboard [key=value ...]: the W&B workspace of an experiment, built by code."""

import sys

from ddim.tracking.workspace import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

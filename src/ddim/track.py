"""python -m ddim.track [key=value ...]: the experiment as one W&B run, from its records."""

import sys

from ddim.tracking.experiment import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

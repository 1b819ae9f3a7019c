"""python -m ddim.compose [key=value ...] | --check: write params.yaml from conf/, or check it."""

import os
import sys

from ddim.config.params import main

if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    sys.exit(main(sys.argv[1:]))

"""python -m ddim.export WEIGHTS.safetensors FOLDER: our weights as a diffusers pipeline folder."""

import sys

from ddim.interop.pipeline_folder import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

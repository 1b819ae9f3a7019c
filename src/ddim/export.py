"""python -m ddim.export WEIGHTS.safetensors FOLDER: our weights as a diffusers pipeline folder."""

from ddim.interop.pipeline_folder import main
from ddim.runtime.cli import command

if __name__ == "__main__":
    command(main)

"""python -m ddim.compose [key=value ...] | --check: write params.yaml from conf/, or check it."""

from ddim.config.params import main
from ddim.runtime.cli import command

if __name__ == "__main__":
    command(main)

"""ddim PROGRAM [...]: the console command. It runs the module that `python -m` runs as well."""

import difflib
import os
import runpy
import sys
from importlib.metadata import version

from ddim.commandline.programs import BY_NAME, listed


def main() -> None:
    """Run the program that the first argument names; without one, list them."""
    if "_ARGCOMPLETE" in os.environ:  # a shell asks
        from ddim.commandline import completion

        completion.answer()
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help", "help"):
        print(listed())
    elif name in ("-V", "--version"):
        print(f"ddim {version('ddim')}")
    elif name in BY_NAME:
        sys.argv = [f"ddim {name}", *rest]
        runpy.run_module(BY_NAME[name].module, run_name="__main__", alter_sys=True)
    else:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"did you mean `ddim {near[0]}`? " if near else ""
        sys.exit(f"error: ddim has no program {name!r}; {hint}There are: {', '.join(BY_NAME)}")


if __name__ == "__main__":
    main()

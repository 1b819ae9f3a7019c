"""Runs a program until it first evaluates the network: python -m benchmarks.first_call MODULE ...

It imports nothing before the program does, so that the process takes as long as the program takes
to get there. FIRST_CALL is then printed, and the process ends.
"""

import importlib.util
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

FIRST_CALL = "first call of the network"
MODULE = "ddim.sampling.network"


class EndAtFirstCall(MetaPathFinder):
    """When ddim.sampling.network is imported, has its EpsModel end the process when called."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Of that module the usual one, whose class is then changed; of others none."""
        del path, target
        if fullname != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            module.EpsModel.forward = end

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def end(*_: object) -> NoReturn:
    """In place of the network's first evaluation."""
    print(FIRST_CALL, flush=True)
    os._exit(0)


def main(arguments: Sequence[str]) -> None:
    """Run the module that the first argument names with the rest."""
    sys.meta_path.insert(0, EndAtFirstCall())
    module, *rest = arguments
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])

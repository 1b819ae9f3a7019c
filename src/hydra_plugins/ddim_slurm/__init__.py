"""Where Hydra finds the launcher of `hydra/launcher=slurm`; ddim.runtime.slurm does the work."""

import importlib.util
from collections.abc import Sequence
from typing import Any

__all__ = []

if importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None:
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher as Submitit

    class SlurmLauncher(Submitit):
        """One Slurm job for each job of the multirun, in one array; waits for all of them."""

        def launch(
            self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
        ) -> Sequence[Any]:
            """Send the jobs, wait, and leave a line in the folder of each that never answered."""
            from ddim.runtime.slurm import launch

            assert self.config is not None
            return launch(
                self, self.params, str(self.config.hydra.sweep.dir), job_overrides, initial_job_idx
            )

    __all__ += ["SlurmLauncher"]

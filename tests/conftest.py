"""Settings of the whole suite: reproducible property tests without deadlines, two quiet threads."""

import os

from hypothesis import settings

# A first call may import torch's compiler for seconds: deadlines would measure that.
settings.register_profile("ddim", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("ddim")

# Two test processes on two cores: OpenMP threads beside them would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Under coverage OmegaConf would take itself for debugged, and word its errors differently.
os.environ.setdefault("OC_CAUSE", "0")

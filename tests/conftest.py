"""Settings of the whole suite: reproducible property tests without deadlines, two quiet threads."""

import os

from hypothesis import settings

# A first call may import torch's compiler for seconds: deadlines would measure that.
settings.register_profile("ddim", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("ddim")

os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")

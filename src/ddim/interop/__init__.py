"""Other people's weights and configurations, both ways.

`DDIMScheduler` is a scheduler of diffusers; `encode` and `decode` take any pipeline of it.
"""

import importlib
from typing import Any

# No import statements: a training, which may import weights by this room, depends on neither the
# samplers nor diffusers.
_HOMES = {
    "DDIMScheduler": "ddim.for_diffusers.scheduler",
    "decode": "ddim.for_diffusers.encoding",
    "encode": "ddim.for_diffusers.encoding",
}


def __getattr__(name: str) -> Any:
    """One of _HOMES, imported when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)

"""Which device a stage runs on, and how a report names it. Imports torch; changes no result."""

import torch

from ddim.config.schema import Accelerator


def torch_device(accelerator: Accelerator) -> torch.device:
    """The device that `trainer.accelerator` names; `auto` is the best one present."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator is Accelerator.auto:
        return torch.device(next((name for name, there in present.items() if there), "cpu"))
    if not present.get(accelerator.value, True):
        raise ValueError(
            f"trainer.accelerator is {accelerator.value}, which this machine does not have:"
            " use auto or cpu"
        )
    return torch.device(accelerator.value)


def describe(device: torch.device) -> str:
    """The device as the report names it: 'cpu (2 threads)', or the GPU's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type

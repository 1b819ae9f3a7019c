"""Which device a stage runs on, and its name for the records. Imports torch."""

import torch


def torch_device(accelerator: str) -> torch.device:
    """The device that `trainer.accelerator` names: cpu, cuda, mps, or auto, the best one present.

    Raises ValueError for one that this machine does not have.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator == "auto":
        return torch.device(next((name for name, available in present.items() if available), "cpu"))
    if not present.get(accelerator, True):
        raise ValueError(
            f"trainer.accelerator is {accelerator}, which this machine does not have:"
            " use auto or cpu"
        )
    return torch.device(accelerator)


def describe(device: torch.device) -> str:
    """The device as the report names it: 'cpu (2 threads)', or the GPU's own name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type

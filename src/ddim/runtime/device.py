"""Which device a stage runs on, whether this machine has what it asks for, and its name."""

import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

# Who starts the processes of the other nodes says so in one of these.
_LAUNCHERS = ("SLURM_JOB_ID", "MASTER_ADDR", "TORCHELASTIC_RUN_ID")


class TrainerSettings(Protocol):
    """The part of ddim.config.schema.Trainer that says where it runs."""

    accelerator: Any  # an enumeration of auto, cpu, cuda, mps
    devices: int
    num_nodes: int
    precision: str


def torch_device(accelerator: str) -> "torch.device":
    """The device that `trainer.accelerator` names: cpu, cuda, mps, or auto, the best one present.

    Raises ValueError for one that this machine does not have.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if accelerator == "auto":
        return torch.device(next((name for name, available in present.items() if available), "cpu"))
    if not present.get(accelerator, True):
        raise _absent(accelerator)
    return torch.device(accelerator)


def _absent(accelerator: str) -> ValueError:
    return ValueError(
        f"trainer.accelerator is {accelerator}, which this machine does not have:"
        " use auto or cpu (trainer=auto, trainer=cpu)"
    )


def require(trainer: TrainerSettings) -> None:
    """Raise ValueError unless this machine has the devices that `trainer` asks for.

    At once, and without torch, where there cannot be any.
    """
    accelerator = trainer.accelerator.value
    may_have_gpu = {"cuda": _has_gpu_driver(), "mps": sys.platform == "darwin"}
    if not may_have_gpu.get(accelerator, True):
        raise _absent(accelerator)
    kind = "cpu"
    if accelerator != "cpu" and any(may_have_gpu.values()):
        kind = torch_device(accelerator).type
    count, words = _count(kind)
    if trainer.devices > count:
        raise ValueError(
            f"trainer.devices must be at most {count} here ({words}), got {trainer.devices}"
        )
    if kind == "cpu" and trainer.precision == "16-mixed":
        raise ValueError(
            "trainer.precision must be 32-true or bf16-mixed on the CPU, got '16-mixed'"
        )
    if trainer.num_nodes > 1 and not any(name in os.environ for name in _LAUNCHERS):
        raise ValueError(
            "trainer.num_nodes must be 1 unless a launcher starts this program on every node (srun,"
            f" torchrun: docs/scaling.md), got {trainer.num_nodes}"
        )


def _has_gpu_driver() -> bool:
    """Whether there is a driver of NVIDIA's or AMD's GPUs: without one torch finds none."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Path("/dev/kfd").exists()
    return True


def _count(kind: str) -> tuple[int, str]:
    """How many devices of a kind there are, and in words; two processes also share one core."""
    if kind == "cuda":
        import torch

        count = torch.cuda.device_count()
        return count, f"{count} GPU" + ("" if count == 1 else "s")
    if kind == "mps":
        return 1, "one GPU"
    cores = os.cpu_count() or 1
    return max(cores, 2), f"the CPU has {cores} core" + ("" if cores == 1 else "s")


def describe(device: "torch.device") -> str:
    """The device as the report names it: 'cpu (2 threads)', or the GPU's own name."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type

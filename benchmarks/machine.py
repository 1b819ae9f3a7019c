"""When and where something was measured, for the results: processor, memory, versions, revision."""

import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from ddim.runtime import git

PACKAGES = ("torch", "numpy", "diffusers", "torch-fidelity", "torchmetrics", "dvc")
# What speed depends on, by Linux' names.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_fp16", "asimd", "bf16")


def describe(device: str = "cpu") -> dict[str, Any]:
    """Date, machine, versions and threads, for JSON. Imports torch."""
    import torch

    about: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": git.revision(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "flags": cpu_flags(),
        "memory_gb": round(memory() / 1e9, 1),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),  # of the minute before
    }
    if device == "cuda":
        about["gpu"] = torch.cuda.get_device_name()
    versions = {"python": platform.python_version()}
    versions |= {name: _version(name) for name in PACKAGES}
    return about | {"versions": versions}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def cpu_model() -> str:
    """The processor's name as the system has it."""
    found = re.search(r"^model name\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """Those of FLAGS that the processor has; empty where the system does not say."""
    found = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
    present = set(found[1].split()) if found else set()
    return [flag for flag in FLAGS if flag in present]


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.is_file() else ""


def memory() -> int:
    """Bytes of main memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

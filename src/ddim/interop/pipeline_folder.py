"""python -m ddim.export WEIGHTS.safetensors FOLDER: our weights as a diffusers pipeline folder.

`diffusers.DDIMPipeline.from_pretrained(FOLDER)` loads and samples from it. Writing needs no
diffusers.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import safetensors.torch

from ddim import weights
from ddim.interop import published

VERSION = "0.42.0"  # of diffusers, whose folder format this is


def export(path: str | Path, folder: str | Path) -> None:
    """Write the weights in `path` as a pipeline to `folder`, which must not exist yet.

    Raises FileNotFoundError, FileExistsError or ValueError in one line; never leaves half a folder.
    """
    unet, about = weights.load(path)
    scheduler = scheduler_config(about["info"], Path(path))
    config = {**published.diffusers_config(unet.arguments), "_diffusers_version": VERSION}
    tensors = published.to_diffusers(unet.state_dict(), levels=len(unet.up))
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: name a new folder")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        (part / "unet").mkdir(parents=True)
        (part / "scheduler").mkdir()
        _write(part / "model_index.json", PIPELINE)
        _write(part / "scheduler" / "scheduler_config.json", scheduler)
        _write(part / "unet" / published.CONFIG, config)
        data = safetensors.torch.save(tensors, {"format": "pt"})
        (part / "unet" / published.WEIGHTS).write_bytes(data)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


PIPELINE = {
    "_class_name": "DDIMPipeline",
    "_diffusers_version": VERSION,
    "scheduler": ["diffusers", "DDIMScheduler"],
    "unet": ["diffusers", "UNet2DModel"],
}


def scheduler_config(info: dict[str, Any], path: Path) -> dict[str, Any]:
    """DDIMScheduler's settings that make it the sampler of this project where the two agree.

    "leading" without an offset is our "linear" trajectory whenever S divides T (theirs counts from
    0); x0_hat is not clipped; the last step goes to alpha-bar = 1.
    """
    schedule = info.get("diffusion", {})
    if missing := [key for key in ("T", "beta_start", "beta_end") if key not in schedule]:
        raise ValueError(f"{path} does not say its schedule (info.diffusion lacks {missing[0]})")
    return {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": VERSION,
        "num_train_timesteps": schedule["T"],
        "beta_start": schedule["beta_start"],
        "beta_end": schedule["beta_end"],
        "beta_schedule": "linear",
        "clip_sample": False,
        "prediction_type": "epsilon",
        "rescale_betas_zero_snr": False,
        "set_alpha_to_one": True,
        "steps_offset": 0,
        "thresholding": False,
        "timestep_spacing": "leading",
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def main(arguments: list[str]) -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ddim.export", description=export.__doc__)
    parser.add_argument("weights", help="e.g. out/digits/train/ema.safetensors")
    parser.add_argument("folder", help="to be written")
    args = parser.parse_args(arguments)
    try:
        export(args.weights, args.folder)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{args.folder}: load it with diffusers.DDIMPipeline.from_pretrained({args.folder!r})")
    return 0

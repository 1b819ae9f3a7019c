"""Our weights as a diffusers pipeline folder (ddim export).

`diffusers.DDIMPipeline.from_pretrained(FOLDER)` loads and samples from it. Writing needs no
diffusers.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch

from ddim import weights
from ddim.interop import diffusers_layout
from ddim.runtime.files import replacing_folder

VERSION = "0.42.0"  # of diffusers, whose folder format this is


CARD = "README.md"  # where a model card lies in a folder


def export(path: str | Path, folder: str | Path, card: str = "") -> None:
    """Write the weights in `path` as a pipeline to `folder`, which must not exist yet.

    card: Markdown that goes beside them; "" for none.
    Raises FileNotFoundError, FileExistsError or ValueError in one line; never leaves half a folder.
    """
    unet, metadata = weights.load(path)
    scheduler = scheduler_config(metadata["info"], Path(path))
    config = {**diffusers_layout.unet_config(unet.arguments), "_diffusers_version": VERSION}
    tensors = diffusers_layout.to_tensors(unet.state_dict(), levels=len(unet.up))
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: name a new folder")
    with replacing_folder(folder) as part:
        (part / "unet").mkdir()
        (part / "scheduler").mkdir()
        _write(part / "model_index.json", PIPELINE)
        _write(part / "scheduler" / "scheduler_config.json", scheduler)
        _write(part / "unet" / diffusers_layout.CONFIG, config)
        data = safetensors.torch.save(tensors, {"format": "pt"})
        (part / "unet" / diffusers_layout.WEIGHTS).write_bytes(data)
        if card:
            (part / CARD).write_text(card, encoding="utf-8")


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

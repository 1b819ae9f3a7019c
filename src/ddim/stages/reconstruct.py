"""Stage `reconstruct`: Table 2. Encode held-out images with S steps, decode with the same S."""

import time
from typing import TYPE_CHECKING

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import cells
from ddim.runtime import files, git
from ddim.runtime.cli import stage

if TYPE_CHECKING:
    import torch

    from ddim.sampling.network import EpsModel

PRECISION = "32-true"  # whatever the samplers use: rounding would drown the error at large S
SHOWN = 8  # images of the picture: originals above, decoded below


def run(cfg: Config) -> None:
    """Measure the error of cell.steps steps on the first reconstruct.num_images held-out images.

    One that is already there under the same key is kept.
    """
    key = cells.reconstruction_key(cfg)
    if cells.reconstructed(cfg, key):
        print(f"S = {cfg.cell.steps}: already there")
        return
    from ddim.evaluation.intervals import reconstruction_error
    from ddim.records.arrays import load

    taken = cells.trajectory(cfg)
    images = load(paths.data(cfg), "test").images[: cfg.reconstruct.num_images]
    if len(images) < cfg.reconstruct.num_images:
        raise ValueError(
            f"reconstruct.num_images must be at most the {len(images)} held-out images, "
            f"got {cfg.reconstruct.num_images}"
        )
    start = time.perf_counter()
    squared, decoded = _round_trip(cfg, taken["tau"], images)
    seconds = time.perf_counter() - start
    error = reconstruction_error(squared)
    _picture(cfg, images, decoded)
    report = {
        "steps": cfg.cell.steps,
        "n": len(images),
        "error": error.value,
        "interval": error.interval,
        "scale": "[0,1]",
        "split": "test",
        "nfe": 2 * len(taken["tau"]),
        "trajectory": taken,
        "clip_x0": False,
        "eta": "0.0",
        "weights": cells.weights_report(cfg),
        "precision": PRECISION,
        "seconds": round(seconds, 3),
        "key": key,
        "revision": git.revision(),
    }
    files.write_json(paths.reconstruct_report(cfg, ".json"), report)
    print(f"S = {cfg.cell.steps}: error {error.value:.6f} on [0,1], {len(images)} images")


def _round_trip(cfg: Config, tau: list[int], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(squared error of each image [N], the first SHOWN images decoded again, uint8 [n,C,H,W]).

    images uint8 [N,C,H,W]; one batch of them is in memory at a time.
    """
    import torch

    from ddim import schedule
    from ddim.images import squared_errors, to_float, to_uint8
    from ddim.runtime.progress import track
    from ddim.sampler import encode, sample

    model, device = _network(cfg)
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    size, squared, shown = cfg.reconstruct.batch_size, [], []
    with track(2 * len(tau) * len(images), f"reconstruct S{cfg.cell.steps}") as advance:

        def eps_model(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            advance(len(x))
            return model(x, t)

        for first in range(0, len(images), size):
            x_0 = to_float(torch.from_numpy(np.array(images[first : first + size])))
            x_T = encode(eps_model, x_0.to(device), alpha_bar, tau)
            decoded = sample(eps_model, x_T, alpha_bar, tau).cpu()
            squared.append(squared_errors(x_0, decoded))
            shown.append(to_uint8(decoded[: max(SHOWN - first, 0)]).numpy())
    return np.concatenate(squared), np.concatenate(shown)


def _network(cfg: Config) -> tuple["EpsModel", "torch.device"]:
    """The trained network on its device."""
    from ddim import weights
    from ddim.runtime.device import torch_device
    from ddim.sampling.network import EpsModel

    unet, _ = weights.load(cells.weights_file(cfg), expect=cfg.network)
    device = torch_device(cfg.trainer.accelerator)
    model = EpsModel(unet, precision=PRECISION, compiled=cfg.trainer.compile)
    return model.place(device), device


def _picture(cfg: Config, images: np.ndarray, decoded: np.ndarray) -> None:
    from ddim.plotting.grids import grid, save_png

    rows = np.concatenate([images[:SHOWN], decoded])
    scale = max(1, 32 // cfg.data.image_size)
    picture = grid(rows, columns=min(SHOWN, len(images)), scale=scale)
    save_png(paths.reconstruct_report(cfg, ".png"), picture)


if __name__ == "__main__":
    stage(run)

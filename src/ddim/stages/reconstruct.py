"""Stage `reconstruct`: Table 2. Encode held-out images with S steps, decode with the same S."""

import time
from typing import Any

import numpy as np

from ddim import cells, files, paths, provenance
from ddim.schema import Config
from ddim.stages.entry import stage

PRECISION = "32-true"  # whatever the samplers use: rounding would drown the error at large S
SHOWN = 8  # images of the picture: originals above, decoded below


def run(cfg: Config) -> None:
    """Measure the error of cell.steps steps on the first reconstruct.n held-out images.

    One that is already there under the same key is kept.
    """
    key = cells.reconstruction_key(cfg)
    if cells.reconstructed(cfg, key):
        print(f"S = {cfg.cell.steps}: already there")
        return
    from ddim import metrics
    from ddim.data import load
    from ddim.images import to_float, to_uint8

    taken = cells.trajectory(cfg)
    held_out = load(paths.data(cfg), "test").images
    if len(held_out) < cfg.reconstruct.n:
        raise ValueError(
            f"reconstruct.n must be at most the {len(held_out)} held-out images, "
            f"got {cfg.reconstruct.n}"
        )
    images = np.array(held_out[: cfg.reconstruct.n])
    start = time.perf_counter()
    x_0, decoded = _round_trip(cfg, taken["tau"], images, to_float)
    seconds = time.perf_counter() - start
    error = metrics.reconstruction_error(x_0.numpy(), decoded.numpy())
    _picture(cfg, images, to_uint8(decoded).numpy())
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
        "revision": provenance.revision(),
    }
    files.write_json(paths.reconstruct_report(cfg, ".json"), report)
    print(f"S = {cfg.cell.steps}: error {error.value:.6f} on [0,1], {len(images)} images")


def _round_trip(cfg: Config, tau: list[int], images: np.ndarray, to_float: Any) -> tuple[Any, Any]:
    """(x_0, its encoding decoded again), float32 [N,C,H,W] on the CPU, batch by batch."""
    import torch

    from ddim import sampler, schedule, weights
    from ddim.device import EpsModel, torch_device
    from ddim.progress import track

    unet, _ = weights.load(cells.weights_file(cfg), expect=cfg.network)
    device = torch_device(cfg.trainer.accelerator)
    model = EpsModel(unet, precision=PRECISION, compiled=cfg.trainer.compile).place(device)
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    x_0 = to_float(torch.from_numpy(images))
    decoded = []
    with track(2 * len(tau) * len(x_0), f"reconstruct S{cfg.cell.steps}") as advance:

        def eps_model(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            advance(len(x))
            return model(x, t)

        for batch in x_0.split(cfg.reconstruct.batch_size):
            x_T = sampler.encode(eps_model, batch.to(device), alpha_bar, tau)
            decoded.append(sampler.sample(eps_model, x_T, alpha_bar, tau).cpu())
    return x_0, torch.cat(decoded)


def _picture(cfg: Config, images: np.ndarray, decoded: np.ndarray) -> None:
    from ddim.images import grid, save_png

    rows = np.concatenate([images[:SHOWN], decoded[:SHOWN]])
    scale = max(1, 32 // cfg.data.image_size)
    picture = grid(rows, columns=min(SHOWN, len(images)), scale=scale)
    save_png(paths.reconstruct_report(cfg, ".png"), picture)


if __name__ == "__main__":
    stage(run)

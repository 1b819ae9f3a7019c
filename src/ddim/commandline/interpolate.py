"""ddim interpolate A B: from one image to another through their latents, by slerp.

`python -m ddim.commandline.interpolate [A B] [weights=<report>] [key=value ...]`. A and B are image
files, numbers of held-out images, or noise as `seed:<number>`; seed:0 and seed:1 if not given.
Writes a strip to `out/<name>/interpolated/`, the cross-fade of the pixels of its ends below it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import published
from ddim.runtime.cli import stage, take_words

DEFAULT = ("seed:0", "seed:1")


def run(cfg: Config, words: Sequence[str]) -> None:
    """Decode analysis.interpolate.points latents between the two that `words` name."""
    if len(words) not in (0, 2):
        got = " ".join(words)
        raise ValueError(f"name two images or seeds to interpolate between, got {got}")
    from ddim.analysis.interpolate import SLERP, cross_fade, decode_paths
    from ddim.commandline import inputs

    context, S = inputs.context(cfg), cfg.cell.steps
    ends = [inputs.read(context, word) for word in words or DEFAULT]
    slerped = decode_paths(context, inputs.to_latents(context, ends), SLERP)
    path = paths.out(cfg) / "interpolated" / f"{ends[0].name}_{ends[1].name}_S{S}.png"
    _draw(path, [end.title for end in ends], slerped[0], cross_fade(slerped)[0])
    print(f"{slerped.shape[1]} images from {ends[0].name} to {ends[1].name}, S = {S}: {path}")


def _draw(path: Path, ends: Sequence[str], slerped: np.ndarray, faded: np.ndarray) -> None:
    from ddim.plotting.canvas import strips
    from ddim.runtime.files import replacing

    picture = strips(
        np.stack([slerped, faded]),
        row_labels=["slerp", "cross-fade"],
        column_labels=[ends[0], *[""] * (len(slerped) - 2), ends[1]],
    )
    with replacing(path) as temporary:
        temporary.write_bytes(picture)


if __name__ == "__main__":
    given = take_words()
    stage(lambda cfg: run(cfg, given), published.settings)

"""Stage `data`: the configured images as uint8 arrays in `out/<name>/data`.

The first stage that knows the images: what the later ones ask of them is checked here.
"""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage
from ddim.runtime.lock import exclusive
from ddim.stages import ready


def run(cfg: Config) -> None:
    """Prepare both splits and print what there is; refuse settings that ask for more."""
    from ddim.data.prepare import prepare

    ready.solvers_can_be_built(cfg)
    with exclusive(paths.lock(cfg, "data"), f"the images of {cfg.name}"):
        record = prepare(cfg.data, paths.data(cfg))
    print(f"{cfg.data.name}: {record.train_n} training and {record.test_n} held-out images")
    if left_out := record.preprocessing.left_out:
        print(f"left out of data.root={cfg.data.root}: {left_out}")
    ready.fits(cfg, record)
    ready.every_class_has_images(cfg)


if __name__ == "__main__":
    stage(run, ready=ready.room)

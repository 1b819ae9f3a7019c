"""Stage `data`: the configured images as uint8 arrays in `out/<name>/data`."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Prepare both splits and print what there is."""
    from ddim.data.prepare import prepare

    record = prepare(cfg.data, paths.data(cfg))
    print(f"{cfg.data.name}: {record.train_n} training and {record.test_n} held-out images")
    if left_out := record.preprocessing.left_out:
        print(f"left out of data.root={cfg.data.root}: {left_out}")


if __name__ == "__main__":
    stage(run)

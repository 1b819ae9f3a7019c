"""Stage `data`: the configured images as uint8 arrays in out/<name>/data."""

from ddim.config import paths
from ddim.config.schema import Config
from ddim.runtime.cli import stage


def run(cfg: Config) -> None:
    """Prepare both splits and say what there is."""
    from ddim.data.prepare import prepare

    about = prepare(cfg.data, paths.data(cfg))
    print(f"{cfg.data.name}: {about['train_n']} training and {about['test_n']} held-out images")
    if left_out := about.get("left_out"):
        print(f"left out of data.root={cfg.data.root}: {left_out}")


if __name__ == "__main__":
    stage(run)

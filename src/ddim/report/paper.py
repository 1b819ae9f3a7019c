"""The paper's published tables as data; nothing else in the project repeats these numbers.

Source: Song, Meng, Ermon, Denoising Diffusion Implicit Models, arXiv 2010.02502 (v4): Table 1
(CIFAR-10 and CelebA), Table 2 (CIFAR-10), Table 3 (LSUN). The protocol behind them is the
paper's where it says it and its public code's where it does not.
"""

from typing import Any

TITLES = {
    "cifar10": "CIFAR-10",
    "celeba": "CelebA",
    "lsun_bedroom": "LSUN Bedroom",
    "lsun_church": "LSUN Church",
}
SOURCE = "Song, Meng, Ermon, arXiv 2010.02502 (v4)"
N_GENERATED = 50_000  # of every FID in Tables 1 and 3

_S1 = (10, 20, 50, 100, 1000)
_S3 = (10, 20, 50, 100)
_S2 = (10, 20, 50, 100, 200, 500, 1000)


def _rows(steps: tuple[int, ...], rows: dict[str, str]) -> dict[str, dict[int, float]]:
    """Rows of numbers as printed -> {eta: {S: number}}."""
    return {
        eta: dict(zip(steps, map(float, printed.split()), strict=True))
        for eta, printed in rows.items()
    }


def _network(size: int, multipliers: list[int], dropout: float) -> dict[str, Any]:
    """DDPM's U-Net for RGB images of `size` x `size`."""
    return {
        "image_size": size,
        "in_channels": 3,
        "channels": 128,
        "multipliers": multipliers,
        "blocks": 2,
        "attention": [16],
        "dropout": dropout,
        "groups": 32,
    }


# {experiment's `table`: {eta: {S: FID}}}
FID: dict[str, dict[str, dict[int, float]]] = {
    "cifar10": _rows(
        _S1,
        {
            "0.0": "13.36 6.84 4.67 4.16 4.04",
            "0.2": "14.04 7.11 4.77 4.25 4.09",
            "0.5": "16.66 8.35 5.25 4.46 4.29",
            "1.0": "41.07 18.36 8.01 5.78 4.73",
            "hat": "367.43 133.37 32.72 9.99 3.17",
        },
    ),
    "celeba": _rows(
        _S1,
        {
            "0.0": "17.33 13.73 9.17 6.53 3.51",
            "0.2": "17.66 14.11 9.51 6.79 3.64",
            "0.5": "19.86 16.06 11.01 8.09 4.28",
            "1.0": "33.12 26.03 18.48 13.93 5.98",
            "hat": "299.71 183.83 71.71 45.20 3.26",
        },
    ),
    "lsun_bedroom": _rows(_S3, {"0.0": "16.95 8.89 6.75 6.62", "1.0": "42.78 22.77 10.81 6.81"}),
    "lsun_church": _rows(_S3, {"0.0": "19.45 12.47 10.84 10.58", "1.0": "51.56 23.37 11.16 8.27"}),
}

# {experiment's `table`: {S: per-dimension mean squared error on the [0, 1] scale}}
RECONSTRUCTION: dict[str, dict[int, float]] = {
    "cifar10": dict(zip(_S2, (0.014, 0.0065, 0.0023, 0.0009, 0.0004, 0.0001, 0.0001), strict=True))
}

DEFAULT = "cifar10"  # what data sets without a table of their own are shown beside


def beside(table: str | None) -> str:
    """The data set of the paper whose figures stand beside those of an experiment."""
    return table if table in FID else DEFAULT


# How the steps were chosen (App. D.2); LSUN and CelebA as "other datasets".
SPACING = {
    "cifar10": "quadratic",
    "celeba": "linear",
    "lsun_bedroom": "linear",
    "lsun_church": "linear",
}

# The arguments of the U-Net: DDPM's for CIFAR-10 and LSUN (its App. B), CelebA's as in the public
# code of DDIM.
NETWORK: dict[str, dict[str, Any]] = {
    "cifar10": _network(32, [1, 2, 2, 2], 0.1),
    "celeba": _network(64, [1, 2, 2, 2, 4], 0.1),
    "lsun_bedroom": _network(256, [1, 1, 2, 2, 4, 4], 0.0),
    "lsun_church": _network(256, [1, 1, 2, 2, 4, 4], 0.0),
}

# Training steps (DDPM, App. B); not published for CelebA.
STEPS = {"cifar10": 800_000, "lsun_bedroom": 2_400_000, "lsun_church": 1_200_000}


def _recipe(batch_size: int, lr: float, flip: bool) -> dict[str, Any]:
    """What moves the weights beside their number of steps, by the names in train.json."""
    rest = {"ema_decay": 0.9999, "lr_decay": "none"}
    return {"batch_size": batch_size, "lr": lr, "flip": flip, **rest}


# How the network was trained: DDPM's App. B; CelebA as in the public code of DDIM.
RECIPE = {
    "cifar10": _recipe(128, 2e-4, True),
    "celeba": _recipe(128, 2e-4, True),
    "lsun_bedroom": _recipe(64, 2e-5, False),
    "lsun_church": _recipe(64, 2e-5, True),
}

# Images of each set's training split, as its authors publish it.
TRAIN_N = {
    "cifar10": 50_000,
    "celeba": 162_770,
    "lsun_bedroom": 3_033_042,
    "lsun_church": 126_227,
}

# FID of DDPM with all 1,000 steps, from the caption of Table 3.
DDPM_1000 = {"lsun_bedroom": 6.36, "lsun_church": 7.89}

# Images in the split that Table 2 encodes.
TEST_N = {"cifar10": 10_000}


def number(table: str | None) -> int:
    """Which table of the paper an experiment's FIDs belong to: 3 for LSUN, 1 for all else."""
    return 3 if table is not None and table.startswith("lsun") else 1

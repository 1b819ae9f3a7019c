"""Convert a report of the flat house (JSON without versions) to records. Run once, for reports/mnist.

    python convert_report.py OLD_FOLDER NEW_FOLDER DATE [compose overrides]

Numbers are copied, never typed. Times go to timings/, with DATE, which the old files do not have.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from ddim.config import params, paths
from ddim.config.checks import SECTIONS
from ddim.config.schema import as_dict, checked
from ddim.records.cell import Cell, CellKey, Measured, Sampled, Trajectory, Weights
from ddim.records.experiment import Experiment
from ddim.records.features import ClassifierTraining, FeatureSpace
from ddim.records.prepared import ArrayFile, PreparedData, Preprocessing
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Floor, Reference
from ddim.records.section import Figure, Section, Table
from ddim.records.timing import Timing
from ddim.records.training import Recipe, Training
from ddim.runtime.git import revision

ENGINE = "ours"  # there was no other
WORDS = {  # old names of figures and numbers, and words in sentences
    "strangeness of the middle": "nearest-neighbour distance of the middle / of the ends",
    "strangeness.": "nearest_neighbour.",
    "drawn.": "random.",
    "drawn latents": "random latents",
    "drawn_": "random_",
    "latent_std_still": "latent_std_constant_pixels",
    "latent_std_others": "latent_std_varying_pixels",
    "The yardstick": "The reference solution",
    ",way": ",method",
    "so many looks allow": "so many comparisons allow",
    "were held against": "were compared with",
}


def in_new_words(text: str) -> str:
    for old, new in WORDS.items():
        text = text.replace(old, new)
    return text


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def measured(old: dict[str, Any]) -> Measured:
    return Measured(
        **{k: old[k] for k in ("n_generated", "n_reference", "fid", "kid", "precision", "recall")},
        fid_interval=tuple(old["fid_interval"]),
        kid_interval=tuple(old["kid_interval"]),
        n_paired=tuple(old["n_paired"]),
        inception_score=old["inception_score"],
        engine=ENGINE,
        interval=old["interval"],
    )


def trajectory(old: dict[str, Any]) -> Trajectory:
    return Trajectory(
        spacing=old["spacing"], tau=tuple(old["tau"]), repeats_dropped=old["repeats_dropped"]
    )


def cell(old_folder: Path, new: Path, key: CellKey, date: str) -> None:
    s = read(old_folder / "samples" / f"{key.name}.json")
    m = read(old_folder / "cells" / f"{key.name}.json")
    assert m["samples_sha256"] == s["samples_sha256"]
    sampled = Sampled(
        cell=key,
        n=s["n"],
        nfe=s["nfe"],
        batch_size=s["batch_size"],
        precision=s["precision"],
        weights=Weights(**s["weights"]),
        trajectory=trajectory(s["trajectory"]),
        clip_x0=s["clip_x0"],
        sha256=s["samples_sha256"],
        fingerprint=s["key"],
    )
    Cell(sampled=sampled, measured=measured(m), fingerprint=m["key"]).write(
        new / "cells" / f"{key.name}.json"
    )
    shutil.copy2(old_folder / "samples" / f"{key.name}.png", new / "cells" / f"{key.name}.png")
    timing(s, s["n"], date).write(new / "timings" / f"{key.name}.json")


def timing(old: dict[str, Any], images: int, date: str) -> Timing:
    return Timing(
        seconds=old["seconds"],
        images=images,
        processes=1,
        device=old["device"],
        date=date,
        revision=old["revision"],
    )


def reconstruction(old_folder: Path, new: Path, steps: int) -> None:
    r = read(old_folder / "reconstruct" / f"S{steps}.json")
    Reconstruction(
        **{k: r[k] for k in ("steps", "n", "split", "scale", "nfe", "precision")},
        mse=r["error"],
        interval=tuple(r["interval"]),
        trajectory=trajectory(r["trajectory"]),
        weights=Weights(**r["weights"]),
        fingerprint=r["key"],
    ).write(new / "reconstruct" / f"S{steps}.json")
    for folder in (new / "reconstruct",):
        shutil.copy2(old_folder / "reconstruct" / f"S{steps}.png", folder / f"S{steps}.png")


def data(old: dict[str, Any]) -> PreparedData:
    names = ("split", "crop", "resize", "pixels", "left_out")
    files = {
        name: ArrayFile(**(f | {"shape": tuple(f["shape"])})) for name, f in old["files"].items()
    }
    keys = ("name", "description", "note", "image_size", "channels", "train_n", "test_n")
    return PreparedData(
        **{key: old[key] for key in keys},
        train_sha256=old["train_sha256"],
        classes=None if old["classes"] is None else tuple(old["classes"]),
        preprocessing=Preprocessing(**{name: old.get(name) for name in names}),
        files=files,
    )


def reference(old: dict[str, Any]) -> Reference:
    f = old["features"]
    return Reference(
        data=data(old["data"]),
        features=FeatureSpace(
            name=f["name"],
            description=f["description"],
            dim=f["dim"],
            sha256=f["sha256"],
            test_accuracy=f["test_accuracy"],
            training=ClassifierTraining(epochs=f["epochs"], train_n=f["train_n"], seed=f["seed"]),
        ),
        split=old["reference"]["split"],
        n=old["reference"]["n"],
        sha256=old["reference"]["sha256"],
        floors=tuple(
            Floor(n_asked=x["n"], what=x["what"], measured=measured(x)) for x in old["floors"]
        ),
    )


def training(old: dict[str, Any], precision: str, flip: bool) -> Training:
    return Training(
        source=old["source"],
        parameters=old["parameters"],
        seed=old["seed"],
        recipe=Recipe(
            **{key: old[key] for key in ("steps", "batch_size", "lr", "ema_decay")},
            flip=old.get("flip", flip),
            precision=old.get("precision", precision),
        ),
        sha256={kind: old[f"{kind}_sha256"] for kind in ("ema", "raw")},
        loss=tuple((step, value) for step, value in old["loss"]),
    )


def content(path: Path) -> bytes:
    """A picture as it is; a CSV in the new words."""
    if path.suffix != ".csv":
        return path.read_bytes()
    return in_new_words(path.read_text(encoding="utf-8")).encode()


def section(old_folder: Path, new: Path, name: str) -> None:
    home = old_folder / "lecture" / name
    text = (home / "section.json").read_text(encoding="utf-8")
    names = [n for f in json.loads(text)["figures"] for n in (f["file"], f["data"])]
    files = {in_new_words(n): content(home / n) for n in names}
    s = json.loads(in_new_words(text))
    Section(
        name=name,
        order=SECTIONS.index(name) + 1,
        **{key: s[key] for key in ("title", "claim", "finding", "text", "numbers")},
        figures=tuple(Figure(**figure) for figure in s["figures"]),
        tables=tuple(
            Table(
                title=t["title"],
                columns=tuple(t["columns"]),
                rows=tuple(tuple(row) for row in t["rows"]),
            )
            for t in s.get("tables", ())
        ),
    ).save(new / "analysis" / name, files)


def main(old_folder: Path, new: Path, date: str, overrides: list[str]) -> None:
    cfg = checked(params.from_conf(overrides))
    assert paths.reports(cfg).name == old_folder.name == new.name, cfg.name
    Experiment(name=cfg.name, compose=tuple(overrides), config=as_dict(cfg)).write(
        new / "experiment.json"
    )
    reference(read(old_folder / "protocol.json")).write(new / "reference.json")
    old_training = read(old_folder / "train.json")
    training(old_training, cfg.trainer.precision, cfg.data.flip).write(new / "train.json")
    timing(old_training, old_training["steps"], date).write(new / "timings" / "train.json")
    for configured in cfg.cells():
        cell(old_folder, new, CellKey.of(configured), date)
    for steps in cfg.reconstruct.steps:
        reconstruction(old_folder, new, steps)
    for name in cfg.analysis.sections:
        if name != "speed":  # made again from the cells
            section(old_folder, new, name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:])

"""conf/ -> params.yaml: ranges, messages, the guard against staleness, every shipped experiment."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ddim.compose import main
from ddim.config import params
from ddim.config.schema import checked

ROOT = Path(__file__).parent.parent.parent
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf/experiment").glob("*.yaml"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with a copy of conf/, as the working folder."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_shipped_experiment_composes(project: Path, experiment: str) -> None:
    params.write([f"experiment={experiment}"])
    # The name is for folders and pages, the preset's for the command line: cifar10-jpeg here.
    assert OmegaConf.load("params.yaml").name.replace("-", "_") == experiment
    params.check()


def test_the_name_follows_the_data_unless_it_is_given(project: Path) -> None:
    """Or one's own images would overwrite the committed reports/digits."""
    own = ["data=image_folder", "data.root=photos"]
    assert params.from_conf(own).name == "image_folder"
    assert params.from_conf(["experiment=mnist", *own]).name == "image_folder"
    assert params.from_conf([*own, "name=mine"]).name == "mine"
    assert params.from_conf([]).name == "digits"
    params.write(own)
    assert "\nname: image_folder\n" in Path("params.yaml").read_text()
    params.check()


def test_dvcs_own_composition_gives_the_same_name(project: Path) -> None:
    """`dvc exp run -S` composes with DVC's code, which must resolve what stands in conf/."""
    from dvc.utils.hydra import compose_and_dump

    overrides = {
        "mnist": ["experiment=mnist"],
        "cifar10-jpeg": ["experiment=cifar10_jpeg"],
        "image_folder": ["data=image_folder", "data.root=photos"],
    }
    for name, given in overrides.items():
        conf, plugins = str(project / "conf"), str(ROOT / "src")
        compose_and_dump("params.yaml", conf, None, "config", plugins, given)
        assert OmegaConf.load("params.yaml").name == name


SPLITS = {  # training and held-out images of every shipped experiment's data
    "celeba": (162_770, 19_962),
    "cifar10": (50_000, 10_000),
    "cifar10_16": (50_000, 10_000),
    "cifar10_jpeg": (50_000, 10_000),
    "digits": (1_437, 360),
    "discrete_digits": (1_437, 360),
    "lsun_bedroom": (3_033_042, 300),
    "lsun_church": (126_227, 300),
    "mnist": (60_000, 10_000),
}


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_experiment_asks_for_more_images_than_its_data_has(experiment: str) -> None:
    """A stage would refuse, hours into the run: after training, or after the whole sweep."""
    cfg = checked(params.from_conf([f"experiment={experiment}"]))
    train, held_out = SPLITS[experiment]
    assert cfg.reconstruct.num_images <= held_out
    assert cfg.analysis.num_images <= held_out
    # KID's subsets are of generated images (any cell), of training images, and, for the floor, of
    # as many held-out images as a cell has.
    fewest = min(cfg.sample.num_images, *cfg.sample.num_images_at.values(), train, held_out)
    assert cfg.evaluate.kid_subset_size <= fewest
    assert cfg.evaluate.neighbours < fewest
    assert cfg.analysis.num_images <= fewest


def test_the_committed_params_are_what_conf_gives() -> None:
    import os

    here = Path.cwd()
    os.chdir(ROOT)
    try:
        assert params.check()[1] == []  # by compose itself, without overrides
    finally:
        os.chdir(here)


def test_an_edit_in_conf_makes_params_stale_and_the_message_mends_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["train.lr=0.001", "sweep.steps=[10,20]"])
    main(["--check"])
    assert (project / "out/config.ok").read_text() == "ok\n"
    path = project / "conf/config.yaml"
    path.write_text(path.read_text().replace("kid_subsets: 100", "kid_subsets: 7"))
    experiment = project / "conf/experiment/digits.yaml"
    experiment.write_text(experiment.read_text().replace("kid_subsets: 100", "kid_subsets: 7"))
    with pytest.raises(ValueError, match="out of date") as error:
        main(["--check"])
    listed = capsys.readouterr().err
    listed = "".join(f"{line}\n" for line in listed.splitlines() if not line.startswith("note: "))
    assert listed == "evaluate.kid_subsets: params.yaml has 100, conf/ gives 7\n"
    assert "`python -m ddim.compose train.lr=0.001 'sweep.steps=[10,20]'`" in str(error.value)
    main(["train.lr=0.001", "sweep.steps=[10,20]"])
    main(["--check"])


def test_composing_imports_no_torch(project: Path) -> None:
    program = "import sys, ddim.compose as p; p.main([]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_outside_the_project_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="run this from the project's root"):
        main([])


def test_reading_params_takes_overrides_and_needs_no_conf(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["cell.steps=20"])
    shutil.rmtree("conf")
    assert params.read([]).cell.steps == 20
    assert params.read(["cell.steps=100", "sweep.eta=[0.0,hat]"]).sweep.eta == [0.0, "hat"]
    Path("params.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"params.yaml is missing: run `python -m"):
        params.read([])

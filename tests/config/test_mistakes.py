"""Every mistake in a setting is one line that names the key; nothing unknown passes."""

import re
import sys
from pathlib import Path

import pytest

from ddim import compose
from ddim.config import params
from ddim.config.schema import checked
from ddim.runtime.cli import command
from ddim.runtime.errors import USER_ERRORS, one_line

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """conf/ is the real one."""
    monkeypatch.chdir(ROOT)


def refusal(*overrides: str) -> str:
    """The line about `overrides`."""
    with pytest.raises(USER_ERRORS) as error:
        checked(params.from_conf(overrides))
    line = one_line(error.value)
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lr=fast", "train.lr: Value 'fast' of type 'str' could not be converted to Float"),
        ("train.lr=0", "train.lr must be greater than 0, got 0.0"),
        ("train.ema_decay=1.5", "train.ema_decay must be in [0, 1), got 1.5"),
        ("cell.steps=0", "cell.steps must be greater than 0, got 0"),
        ("cell.steps=1001", "cell.steps must be at most diffusion.T = 1000, got 1001"),
        ("sweep.steps=[10,1001]", "sweep.steps must be at most diffusion.T = 1000, got 1001"),
        ("sweep.steps=[10,10]", "sweep.steps must be a list without repeats, "),
        ("sweep.steps=[]", "sweep.steps must be a list without repeats, "),
        ("cell.eta=-0.1", "cell.eta must be a number in [0, 1] or 'hat', got -0.1"),
        ("cell.eta=large", "cell.eta must be a number in [0, 1] or 'hat', got 'large'"),
        ("sweep.eta=[0.0,2.0]", "sweep.eta must be a number"),
        ("sweep.eta=[0,1]", "sweep.eta must be written with a decimal point, as 0.0 or 1.0, got 0"),
        ("data.image_size=9", "data.image_size must be divisible by 2"),
        ("model.groups=5", "model.groups must be a divisor"),
        ("sampler.trajectory=cosine", "sampler.trajectory must be one of"),
        ("trainer.precision=float8", "trainer.precision must be one of"),
        (
            "trainer.accelerator=gpu",
            "trainer.accelerator: Invalid value 'gpu', expected one of [auto, cpu, cuda, mps]",
        ),
        ("features.name=vgg", "features.name must be one of"),
        ("sample.num_images=1", "sample.num_images must be at least 2, got 1"),
        ("analysis.sections=[speed,pace]", "analysis.sections must be among "),
        ("name=a/b", "name must be letters, digits"),
        ("seed=-1", "seed must be 0 or more, got -1"),
        ("data=image_folder", "data.root has no value: set data.root=..."),
        ("train.steps", "Error parsing override 'train.steps'"),
    ],
)
def test_a_value_that_is_refused_names_its_key(override: str, message: str) -> None:
    assert refusal(override).startswith(message)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.stpes=10", "train.stpes is no setting; did you mean train.steps?"),
        ("trian.steps=10", "trian.steps is no setting; did you mean train.steps?"),
        ("date=mnist", "date is no setting; did you mean data?"),
        ("experimnt=mnist", "experimnt is no setting; did you mean experiment?"),
        ("foo=1", "foo is no setting; conf/config.yaml and its groups have them all"),
        ("+foo=1", "foo is no setting; conf/config.yaml and its groups have them all"),
        ("++foo=1", "foo is no setting; conf/config.yaml and its groups have them all"),
        ("+cell.colour=1", "cell.colour is no setting; cell has steps, eta, seed"),
        ("cell={colour: 1}", "cell.colour is no setting; cell has steps, eta, seed"),
        ("+cell={colour: 1}", "cell.colour is no setting; cell has steps, eta, seed"),
        ("analysis.solvers.rows.Heun.schedule=x", "analysis.solvers.rows.Heun.schedule is no "),
        ("~train", "train cannot be removed: every setting has a value"),
        ("~train.steps", "train.steps cannot be removed: every setting has a value"),
        (
            "experiment=mnits",
            "experiment=mnits is no choice; did you mean experiment=mnist? There are: celeba, ",
        ),
        ("model=zzz", "model=zzz is no choice; There are: cifar10_16, "),
    ],
)
def test_an_unknown_key_or_choice_is_one_line_with_the_nearest(override: str, message: str) -> None:
    line = refusal(override)
    assert line.startswith(message)
    assert "append" not in line
    assert "+" not in line


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sample.n", "sample.num_images"),
        ("sample.n_at", "sample.num_images_at"),
        ("sample.shard", "sample.shard_size"),
        ("reconstruct.n", "reconstruct.num_images"),
        ("solvers.n", "analysis.solvers.num_images"),
        ("solvers.steps", "analysis.solvers.steps"),
        ("solvers", "analysis/solvers"),
        ("analysis.draws", "analysis.invert.draws"),
        ("lecture.draws", "analysis.invert.draws"),
        ("lecture", "analysis"),
        ("lecture.n", "analysis.num_images"),
        ("lecture.shown", "analysis.num_shown"),
        ("lecture.simulations", "analysis.family.num_simulations"),
        ("lecture.ode_steps", "analysis.ode.steps"),
    ],
)
@pytest.mark.parametrize("plus", ["", "+"])
def test_an_old_key_is_told_its_new_name(old: str, new: str, plus: str) -> None:
    assert refusal(f"{plus}{old}=8") == f"{old} is called {new} now"


@pytest.mark.parametrize(
    "override",
    [
        "sample.num_images_at={1000: 20}",
        "+sample.num_images_at={1000: 20}",
        "++sample.num_images_at={1000: 20}",
    ],
)
def test_entries_of_an_open_mapping_need_no_plus(override: str) -> None:
    assert checked(params.from_conf([override])).sample.num_images_at == {1000: 20}


def test_one_entry_is_added_to_an_open_mapping_or_removed_from_it() -> None:
    cfg = checked(params.from_conf(["sampler.options.algorithm_type=sde-dpmsolver++"]))
    assert cfg.sampler.options == {"algorithm_type": "sde-dpmsolver++"}
    assert (
        "PNDM"
        not in checked(params.from_conf(["~analysis.solvers.rows.PNDM"])).analysis.solvers.rows
    )


def test_an_old_key_in_params_yaml_names_the_file_and_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "params.yaml").read_text().replace("\nsample:\n  num_images:", "\nsample:\n  n:")
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^params.yaml: sample.n is called sample.num_images now"):
        params.read([])


def test_an_unknown_key_in_conf_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    mine = "# @package _global_\nsample:\n  n: 5\n"
    (tmp_path / "conf/experiment/mine.yaml").write_text(mine)
    line = refusal("experiment=mine")
    assert line == "conf/experiment/mine.yaml: sample.n is called sample.num_images now"


def test_a_command_ends_in_one_line_and_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["ddim.compose", "train.stpes=10"])
    with pytest.raises(SystemExit) as error:
        command(compose.main)
    assert re.fullmatch(r"error: train.stpes is no setting; .*", str(error.value.code))

"""The experiment's record: the whole configuration, and a command that composes it again."""

import re
import shutil
from pathlib import Path

import pytest

from ddim import compose
from ddim.config import params
from ddim.config.schema import as_dict, checked
from ddim.records import results
from ddim.records.experiment import Experiment

ROOT = Path(__file__).parents[2]
RECORD = Path("reports/digits/experiment.json")
OVERRIDES = ["sweep.eta=[0.0,hat]", "sample.num_images_at={1000: 200}", "data.note='a, b'"]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)


def recorded() -> Experiment:
    compose.main(["--check"])
    return Experiment.read(RECORD, "")


def test_it_holds_the_configuration_typed() -> None:
    compose.main(OVERRIDES)
    cfg = recorded().cfg
    assert as_dict(cfg) == as_dict(params.read([]))
    assert cfg.sample.num_images_at == {1000: 200}  # whole numbers, which JSON's keys are not


def test_its_command_composes_the_same_configuration() -> None:
    compose.main(OVERRIDES)
    experiment = recorded()
    assert experiment.compose == tuple(OVERRIDES)
    again = checked(params.from_conf(list(experiment.compose)))
    assert as_dict(again) == as_dict(experiment.cfg)


def test_a_params_file_that_dvc_composed_gets_its_command_from_the_differences() -> None:
    compose.main(["train.steps=700", "sweep.steps=[10,20]"])
    text = params.PARAMS.read_text().split("\n", 1)[1]  # without the line that compose writes
    params.PARAMS.write_text(text)
    experiment = recorded()
    assert experiment.compose == ("train.steps=700", "sweep.steps=[10, 20]")
    again = checked(params.from_conf(list(experiment.compose)))
    assert as_dict(again) == as_dict(experiment.cfg)


def test_keys_that_only_a_file_can_give_have_no_command() -> None:
    compose.main([])
    text = params.PARAMS.read_text().split("\n", 1)[1]
    row = r" +PNDM:\n +scheduler: PNDMScheduler\n +options: {}\n"
    without, count = re.subn(row, "", text)
    assert count == 1
    params.PARAMS.write_text(without)
    assert recorded().compose is None


def test_a_setting_of_another_version_is_one_line() -> None:
    compose.main([])
    experiment = recorded()
    old = experiment.config | {"lecture": {"n": 3}}
    Experiment(name="digits", compose=(), config=old).write(RECORD)
    line = f"{RECORD}: config: lecture is called analysis now: make it again with `python -m"
    with pytest.raises(ValueError, match=re.escape(line)):
        results.load(RECORD.parent)

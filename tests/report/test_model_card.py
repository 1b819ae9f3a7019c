"""The model card of exported weights: the report's numbers and protocol, the data's note."""

from pathlib import Path

import yaml
from helpers import report_fixture as fixture

from ddim.records import results
from ddim.records.reference import Reference
from ddim.report import model_card, protocol


def test_a_card_has_the_reports_numbers_protocol_note_and_licence(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "digits"
    fixture.experiment(folder, fixture.config(*fixture.SMALL, "sampler.trajectory=quadratic"))
    fixture.edit(Reference, folder / "reference.json", data__note="a copy <b>of</b> it")
    read = results.load(folder)
    card = model_card.of_report(read, "pipeline")
    front = yaml.safe_load(card.split("---")[1])
    assert (front["license"], front["library_name"]) == ("mit", "diffusers")
    assert f"Protocol: {protocol.line(read)}." in card
    assert "|η = 0.0|**13.0**" in card  # Table 1
    assert 'trajectory="quadratic"' in card
    assert "4,000 steps of 128 images" in card
    assert r"digits 8×8×1, a copy \<b\>of\</b\> it: " in card
    assert "under the MIT licence" in card
    assert 'DDIMPipeline.from_pretrained("pipeline")' in card


def test_a_card_without_a_report_says_that_nothing_was_measured() -> None:
    info = {"data": "digits", "source": "trained here"}
    card = model_card.of_file(info, "raw", "x")
    assert "Weights: raw, trained here. There was no whole report of them" in card
    assert "FID" not in card

"""Section edit: latents moved from one class towards another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.analysis_fixture import context, saved

from ddim.analysis import edit
from ddim.config.schema import Edit
from ddim.plotting import canvas
from ddim.records.verdict import CONTRADICTED, REPRODUCED


def test_every_kind_is_judged_at_every_strength(tmp_path: Path) -> None:
    content = saved(edit, context(), tmp_path)
    assert len(content["tables"][0]["rows"]) == 6
    assert content["figures"][0]["file"] == "strength_1.png"
    assert len(content["verdicts"]) == 2
    assert "difference of class means" in content["finding"]


def test_targets_are_other_classes() -> None:
    labels = np.array([0, 0, 0, 2])
    targets = edit.choose_targets(labels, 3)
    assert (targets != labels).all()
    assert set(targets) <= {0, 1, 2}


def test_strength_0_changes_nothing_in_either_direction() -> None:
    measured = edit.measure(context())
    ours, astray = (measured.at(kind, 0.0) for kind in (edit.TOWARDS, edit.ASTRAY))
    assert measured.row(ours)[2:] == measured.row(astray)[2:]
    assert measured.as_target(ours)[0] <= 1 - measured.as_itself(ours)


def test_a_ddpm_latent_returns_another_image() -> None:
    measured = edit.measure(context())
    ours, diffused = (measured.at(kind, 0.0) for kind in (edit.TOWARDS, edit.DIFFUSED))
    assert ours.distance[0] < diffused.distance[0] / 3


def test_the_verdicts_follow_what_the_classifier_sees_and_the_distances() -> None:
    measured = edit.measure(context())

    def judged(hit: str, near: str) -> list[str]:
        """Only edits of kind `hit` reach the target, and those of kind `near` the original."""
        edits = [
            replace(
                one,
                predicted=measured.targets if one.kind == hit else measured.labels,
                distances=np.linspace(0.1, 0.2, 16) + (one.kind != near),
            )
            for one in measured.edits
        ]
        verdicts = edit.present(replace(measured, edits=tuple(edits))).verdicts
        return [verdict.word for verdict in verdicts]

    assert judged(edit.TOWARDS, edit.TOWARDS) == [REPRODUCED, REPRODUCED]
    assert judged(edit.ASTRAY, edit.DIFFUSED) == [CONTRADICTED, CONTRADICTED]


def test_wrong_classes_are_crossed() -> None:
    captions = edit._captions(np.array([3, 4]), np.array([3, 5]))
    assert captions == ["3", f"{canvas.CROSS} 4"]


def test_edit_without_labels_says_so_instead_of_showing_something_else(tmp_path: Path) -> None:
    made = context()
    made = context(train=replace(made.train, labels=None))
    content = saved(edit, made, tmp_path)
    assert "needs labels" in content["finding"]
    assert content["figures"] == []
    assert not content.get("verdicts")


def test_a_class_without_training_images_is_named() -> None:
    train = context().train
    labels = np.full(len(train.images), 2, np.int64)
    with pytest.raises(ValueError, match="class 0 has no training image"):
        edit.measure(context(train=replace(train, labels=labels)))


@pytest.mark.parametrize("strengths", [[], [0.5, 1.0], [0.0, 2.0], [-1.0, 0.0, 1.0]])
def test_strengths_without_0_or_1_are_refused(strengths: list[float]) -> None:
    with pytest.raises(ValueError, match=r"analysis\.edit\.strengths must be .*with 0\.0"):
        Edit(per_class=4, strengths=strengths)

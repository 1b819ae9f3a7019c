"""Appendix A: training and sampling binary images, on cases whose answer is known."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.analysis_fixture import context, gaussian, saved

from ddim import multinomial
from ddim.analysis import appendix_a
from ddim.config import params, schema
from ddim.config.schema import checked
from ddim.evaluation.intervals import Estimate
from ddim.records.prepared import Split
from ddim.stages import discrete


def settings() -> schema.Config:
    return checked(
        params.from_conf(
            [
                "experiment=discrete_digits",
                "model.channels=8",
                "train.steps=150",
                "train.warmup=5",
                "train.batch_size=16",
                "train.lr=5e-3",
                "train.ema_decay=0.9",
                "sample.num_images=12",
                "evaluate.kid_subset_size=10",
                "sweep.steps=[5,20]",
                "sweep.eta=[0.0,1.0,hat]",
                "trainer.accelerator=cpu",
            ]
        )
    )


def test_it_learns_its_images_and_samples_them_at_every_eta() -> None:
    """Two kinds of images, left half or right half light: samples must be one of the two."""
    kinds = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
    kinds[0, :, :, :4] = 1
    kinds[1, :, :, 4:] = 1
    cfg = settings()
    network = appendix_a.train(cfg, kinds.repeat(8, 1, 1, 1), torch.device("cpu"))
    for eta in (0.0, 1.0):
        x = appendix_a.sample(cfg, network, 20, eta, torch.device("cpu"))
        wrong = (x[:, None] != kinds[None]).float().mean(dim=(2, 3, 4)).amin(1)
        assert wrong.mean() < 0.03
        assert 0 < (x[:, 0, 0, 0] == 1).float().mean() < 1  # both kinds come up


def test_training_mirrors_where_data_flip_says_so() -> None:
    cfg = settings()
    image = torch.zeros(1, 1, 8, 8, dtype=torch.int64)
    image[..., :4] = 1
    for flip in (False, True):
        chosen = replace(cfg, data=replace(cfg.data, flip=flip))
        batch = appendix_a._batch(chosen, image, torch.Generator().manual_seed(0))
        assert (batch[:, 0, 0, 0] == 0).any() == flip
        assert (batch[:, 0, 0, 0] == 1).any()


def test_the_average_ramps_and_training_leaves_the_global_generator_alone() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = appendix_a._average(layer, 0.9999)
    average.update_parameters(layer)
    layer.weight.data.fill_(1.0)
    average.update_parameters(layer)
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11)
    cfg = settings()
    cfg = replace(cfg, train=replace(cfg.train, steps=1))
    before = torch.random.get_rng_state()
    appendix_a.train(cfg, torch.zeros(4, 1, 8, 8, dtype=torch.int64), torch.device("cpu"))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_step_size_follows_the_recipe() -> None:
    images, cpu, trained = torch.zeros(4, 1, 8, 8, dtype=torch.int64), torch.device("cpu"), {}
    for decay in ("none", "cosine"):
        recipe = replace(settings().train, steps=2, warmup=0, lr_decay=decay)
        network = appendix_a.train(replace(settings(), train=recipe), images, cpu)
        trained[decay] = torch.cat([p.detach().flatten() for p in network.parameters()])
    assert not torch.equal(trained["none"], trained["cosine"])  # the second step is half as long


@pytest.mark.parametrize("S", [1, 3, 7, 100])
def test_every_trajectory_begins_where_x_is_uniform(S: int) -> None:
    tau = appendix_a.trajectory(100, S)
    assert len(set(tau)) == S
    assert tau[0] >= 1
    assert tau[-1] == 100


def test_the_section_leaves_out_sigma_hat_and_measures_the_rest(tmp_path: Path) -> None:
    cfg = settings()
    cfg = replace(cfg, train=replace(cfg.train, steps=2))
    made = context(cfg, train=Split(gaussian(30, 1), None))
    content = saved(appendix_a, made, tmp_path)
    fids = {f"fid_eta{eta}_S{S}" for eta in (0, 1) for S in (5, 20)}
    marginal = {"marginal_largest_deviation", "marginal_allowed_deviation"}
    assert set(content["numbers"]) == fids | marginal
    assert [verdict["word"] for verdict in content["verdicts"]] == ["reproduced"]
    assert "of 12 images, held-out binarised ones have" in content["text"]
    assert [figure["file"] for figure in content["figures"]] == ["fid.png", "samples.png"]


def cell(eta: float, fid: float, noise: np.ndarray) -> appendix_a.DiscreteCell:
    images = np.zeros((3, 1, 8, 8), np.uint8)
    return appendix_a.DiscreteCell(eta, 5, Estimate(fid, (noise,)), 0.3, images)


@pytest.mark.parametrize(
    ("fids", "word"), [((3.0, 3.3), "rises with η"), ((3.0, 3.01), "does not clearly rise with η")]
)
def test_the_order_of_eta_is_decided_in_pairs(fids: tuple[float, float], word: str) -> None:
    """Each FID has a standard error of 1, their difference one of 0.1: they share their noise."""
    rng = np.random.default_rng(0)
    shared, own = (spread * rng.standard_normal(400) for spread in (20.0, 2.0))
    result = appendix_a.DiscreteResult(
        T=100,
        train_steps=1,
        num_images=400,
        light=0.3,
        real=np.zeros((3, 1, 8, 8), np.uint8),
        floor=None,
        cells=(cell(0.0, fids[0], shared), cell(1.0, fids[1], shared + own)),
        marginals=(appendix_a.DiscreteMarginal(0.0, 5, 0.9, 1.0),),
    )
    assert f"at S = 5, FID {word}: " in appendix_a.present(result).finding


def test_one_command_makes_what_is_missing_and_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = settings()
    monkeypatch.chdir(tmp_path)
    short = replace(cfg.features, epochs=1)
    discrete.run(replace(cfg, train=replace(cfg.train, steps=2), features=short))
    home = tmp_path / "reports" / "discrete_digits"
    readme = (home / "README.md").read_text()
    for shown in (
        "**reproduced**",
        "analysis/appendix_a/fid.png",
        "analysis/appendix_a/samples.png",
    ):
        assert shown in readme
    assert "|0|" in readme  # the table, which a README of all sections leaves to the page
    assert (home / "tables" / "verdicts.csv").is_file()
    assert "Appendix A" in (home / "index.html").read_text()


def test_a_process_with_other_marginals_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step resamples a little more than it should."""

    def posterior(*arguments: Any) -> torch.Tensor:
        return 0.98 * right(*arguments) + 0.01

    right = multinomial.posterior
    images = torch.tensor([0, 1])
    good = appendix_a.simulated(images, 50, 0.0)
    monkeypatch.setattr(multinomial, "posterior", posterior)
    bad = appendix_a.simulated(images, 50, 0.0)
    assert max(abs(marginal.deviation) for marginal in good) < 4
    assert max(abs(marginal.deviation) for marginal in bad) > 10


def test_sigma_hat_alone_is_refused() -> None:
    cfg = settings()
    cfg = replace(cfg, sweep=replace(cfg.sweep, eta=["hat"]), train=replace(cfg.train, steps=1))
    with pytest.raises(ValueError, match=r"sweep\.eta needs a number for the discrete case"):
        appendix_a.measure(context(cfg, train=Split(gaussian(4, 1), None)))

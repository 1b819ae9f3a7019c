"""The lecture's sections on the exact oracle, and their small statistics against scipy."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.oracle import S_DATA, eps_model
from helpers.report_fixture import config

from ddim import sampler
from ddim.analysis import (
    consistency,
    edit,
    family,
    interpolate,
    invert,
    ode,
    path,
    solvers,
    speed,
    statistics,
)
from ddim.analysis.context import Bench
from ddim.config import paths, schema
from ddim.config.schema import Analysis, Solver, Solvers
from ddim.evaluation import intervals
from ddim.evaluation.classifier import Classifier
from ddim.evaluation.reference import Reference
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.plotting import canvas
from ddim.records.arrays import Split
from ddim.records.section import Section

SMALL = Analysis(
    sections=[],
    num_images=16,
    num_shown=3,
    steps=20,
    draws=3,
    points=5,
    per_class=4,
    strengths=[0.0, 1.0],
    num_simulations=2000,
    eta=[0.5, 1.0],
    ode_steps=[10, 20, 50, 100, 200, 1000],
)


def settings(**changes) -> schema.Config:
    """The digits experiment with small sections and a short sweep."""
    cfg = config("sweep.steps=[10,20,50]", "sweep.eta=[0.0,1.0]", "features.batch_size=64")
    few = Solvers(num_images=16, steps=[5, 10], rows={"Heun": Solver("HeunDiscreteScheduler", {})})
    return replace(cfg, **{"analysis": SMALL, "solvers": few, **changes})


def gaussian(n: int, seed: int) -> np.ndarray:
    """uint8 images [n,1,8,8] of x_0 ~ N(0, s^2), the oracle's data."""
    return to_uint8(S_DATA * Noise(seed, range(n), (1, 8, 8)).draw()).numpy()


def bench(**changes) -> Bench:
    """The oracle in the network's place, and an untrained classifier as the feature space."""
    train, test = (
        Split(gaussian(n, seed), np.arange(n, dtype=np.int64) % 3) for n, seed in ((60, 1), (20, 2))
    )
    made = Bench(settings(**changes), eps_model, torch.device("cpu"), train, test)
    torch.manual_seed(0)
    made.__dict__["extractor"] = Classifier(in_channels=1, image_size=8, classes=3, dim=8).eval()
    return made


def sweep(made: Bench) -> None:
    """out/<name>/samples as the stage `sample` leaves it, in the working folder."""
    cfg = made.cfg
    for S in cfg.sweep.steps:
        for eta in cfg.sweep.eta:
            noise = Noise(0, range(20), cfg.image_shape)
            x_0 = sampler.sample(
                eps_model, noise.draw(), made.alpha_bar, made.tau(S), eta, randn_like=noise
            )
            cell = replace(cfg.cell, steps=S, eta=eta, seed=0)
            folder = paths.samples(replace(cfg, cell=cell))
            folder.mkdir(parents=True)
            np.save(folder / "samples.npy", to_uint8(x_0).numpy())


def check(section: Section, folder) -> dict:
    """Written whole, with a CSV beside every figure, and only finite numbers."""
    section.write(folder)
    home = folder / section.name
    content = json.loads((home / "section.json").read_text())
    for figure in content["figures"]:
        assert (home / figure["file"]).stat().st_size > 100
        assert len((home / figure["data"]).read_text().splitlines()) > 1
        assert figure["alt"]
        assert figure["caption"]
    assert {file.name for file in home.iterdir()} == {"section.json", *section.files}
    assert all(math.isfinite(value) for value in content["numbers"].values())
    for table in content.get("tables", []):
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    assert [file for file in folder.iterdir() if file.name.startswith(".")] == []
    return content


# --- each section --------------------------------------------------------------------------------


def test_invert_measures_exactly_no_spread_and_a_smaller_error(tmp_path):
    numbers = check(invert.section(bench()), tmp_path)["numbers"]
    assert numbers["ddim_spread"] == numbers["ddim_largest_difference"] == 0
    assert numbers["ddpm_spread"] == pytest.approx(1, abs=0.1)  # no bias, with three draws
    assert numbers["ddim_round_trip"] < numbers["ddpm_round_trip"] / 10


def test_the_exact_networks_latents_pass_for_normal(tmp_path):
    """Gaussian data: what encoding gets wrong is its step length alone."""
    analysis = replace(SMALL, num_images=20, steps=200)
    numbers = check(invert.section(bench(analysis=analysis)), tmp_path)["numbers"]
    assert numbers["latent_variance"] == pytest.approx(1, abs=0.1)
    assert numbers["norm_ks_p"] > 0.01


def test_consistency_is_near_0_at_eta_0_and_near_1_at_eta_1(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = bench()
    sweep(made)
    numbers = check(consistency.section(made), tmp_path)["numbers"]
    assert numbers["pixel_eta0_S20"] < numbers["pixel_eta0_S10"] < 0.3
    assert numbers["pixel_eta1_S20"] > 0.6


def test_consistency_names_the_cell_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"S10_eta0\.0_seed0.*run the stage sample"):
        consistency.section(bench())


def test_path_settles_and_is_animated(tmp_path):
    from PIL import Image

    content = check(path.section(bench()), tmp_path)
    assert content["numbers"]["error_at_start"] > 0.1
    with Image.open(tmp_path / "path" / "path.png") as animation:
        assert animation.n_frames > 10


def test_interpolation_keeps_its_ends_and_measures_both_ways(tmp_path):
    made = bench()
    latents = made.noise(5, 2)
    images = interpolate._paths(made, latents, "slerp")
    assert images.shape == (1, 5, 1, 8, 8)
    np.testing.assert_array_equal(images[0, 0], to_uint8(made.decode(latents, 20))[0].numpy())
    content = check(interpolate.section(made), tmp_path)
    assert content["numbers"]["drawn_slerp_length"] >= 1
    assert len(content["tables"][0]["rows"]) == 4


def test_corner_grid_has_the_four_latents_in_its_corners():
    corners = Noise(0, range(4), (1, 2, 2)).draw()
    grid = interpolate.corner_grid(corners, 5)
    torch.testing.assert_close(grid[[0, 4, 20, 24]], corners)


def test_edit_judges_both_directions(tmp_path):
    content = check(edit.section(bench()), tmp_path)
    assert len(content["tables"][0]["rows"]) == 4
    targets = edit._targets(np.array([0, 0, 0, 2]), 3)
    assert (targets != np.array([0, 0, 0, 2])).all()
    assert set(targets) <= {0, 1, 2}


def test_edit_without_labels_says_so_instead_of_showing_something_else(tmp_path):
    made = bench()
    made = replace(made, train=replace(made.train, labels=None))
    made.__dict__["extractor"] = None
    content = check(edit.section(made), tmp_path)
    assert "needs labels" in content["finding"]
    assert content["figures"] == []


def test_family_on_the_oracle(tmp_path):
    numbers = check(family.section(bench()), tmp_path)["numbers"]
    assert numbers["marginal_largest_deviation"] < numbers["marginal_allowed_deviation"]
    assert numbers["ddpm_mean_error"] < 1e-12
    assert numbers["ddpm_std_error"] < 1e-12
    assert numbers["bits_ddpm"] < numbers["bits_eta0.5"]


def test_ode_finds_first_order_on_the_oracle(tmp_path):
    content = check(ode.section(bench()), tmp_path)
    numbers = content["numbers"]
    assert "over S = 10..200" in content["text"]
    assert "tau_S, which is 901 at S = 10" in content["text"]
    assert numbers["order"] == pytest.approx(1, abs=0.12)


def test_solvers_count_evaluations_and_measure_each_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = bench()
    sweep(made)
    features = made.features(made.train.images)
    Reference.of(features, neighbours=1).save(paths.reference(made.cfg))
    content = check(solvers.section(made), tmp_path)
    counts = {name: few for name, *few in content["tables"][2]["rows"]}
    assert counts == {"DDIM (ours)": [5, 10], "Heun": [9, 19]}
    fids, intervals_of = (content["tables"][i]["rows"] for i in (0, 1))
    for (_, fid, _), (_, said, _) in zip(fids, intervals_of, strict=True):
        low, high = map(float, said.split(" – "))
        assert low < fid < high


def test_a_mistake_in_a_solver_names_its_row():
    wrong = Solvers(num_images=16, steps=[5], rows={"Best": Solver("BestScheduler", {})})
    with pytest.raises(ValueError, match=r"solvers\.rows\.Best: sampler\.scheduler must be one of"):
        solvers.section(bench(solvers=wrong))


# --- speed, which reads JSON ---------------------------------------------------------------------


def cell(
    reports, S: int, eta: str, seconds: float, fid: float, *, n: int = 100, seed: int = 0
) -> None:
    for folder, content in (
        ("samples", {"seconds_per_image": seconds}),
        ("cells", {"n_generated": n, "fid": fid, "fid_interval": [fid - 1, fid + 1]}),
    ):
        (reports / folder).mkdir(parents=True, exist_ok=True)
        (reports / folder / f"S{S}_eta{eta}_seed{seed}.json").write_text(json.dumps(content))


def test_speed_takes_the_shortest_trajectory_that_is_as_good(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = settings()
    reports = paths.reports(cfg)
    for S, fid in ((10, 9.0), (20, 5.9), (50, 5.0)):
        cell(reports, S, "0.0", S / 1000, fid)
        cell(reports, S, "1.0", S / 1000, fid - 3)
    content = check(speed.section(cfg), tmp_path)
    assert "S = 20, η = 0.0 (FID 5.90) is as good as S = 50, η = 0.0" in content["finding"]
    assert "No shorter trajectory with η = 0.0 is as good as S = 50, η = 1.0" in content["finding"]
    assert content["numbers"]["speed_up_ddim_over_eta0.0"] == pytest.approx(2.5)
    assert "speed_up_ddim_over_eta1.0" not in content["numbers"]


def test_speed_compares_only_fids_of_as_many_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = settings()
    for S, fid in ((10, 9.0), (20, 5.0), (50, 5.0)):
        for eta in ("0.0", "1.0"):
            cell(paths.reports(cfg), S, eta, S / 1000, fid, n=30 if S == 50 else 100)
    content = check(speed.section(cfg), tmp_path)
    assert "Nothing shorter has the 30 images of S = 50, η = 0.0" in content["finding"]
    assert "S = 50: 30" in content["text"]
    assert content["numbers"]["speed_up_ddim_over_eta0.0"] == 1


def test_speed_takes_the_hull_of_the_seeds_intervals(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = settings()
    cfg = replace(cfg, sweep=replace(cfg.sweep, seeds=[0, 1], eta=[0.0]))
    for S in cfg.sweep.steps:
        for seed in (0, 1):
            cell(paths.reports(cfg), S, "0.0", S / 1000, 5.0 + 4 * seed, seed=seed)
    found = speed._measured(cfg, 20, 0.0)
    assert (found.fid, found.low, found.high) == (7.0, 4.0, 10.0)


def test_speed_names_the_file_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"S10_eta0\.0_seed0\.json is missing"):
        speed.section(settings())


# --- what they share -----------------------------------------------------------------------------


def test_a_section_is_replaced_whole_and_its_bytes_depend_on_its_numbers_alone(tmp_path):
    def made(height: float) -> Section:
        section = Section("x", 1, "Title", "claim", finding="found")
        with canvas.canvas() as drawn:
            canvas.curve(drawn.axes[0], 0, [1, 2], [1, height], "a")
        section.figure("a.png", drawn.png, caption="c", alt="a", columns=["x"], rows=[[1], [2]])
        return section

    check(made(2), tmp_path)
    first = (tmp_path / "x" / "a.png").read_bytes()
    (tmp_path / "x" / "left_over.png").write_bytes(b"old")
    check(made(2), tmp_path)
    assert (tmp_path / "x" / "a.png").read_bytes() == first
    check(made(3), tmp_path)
    assert (tmp_path / "x" / "a.png").read_bytes() != first


def test_too_many_images_asked_for_names_the_key(tmp_path, monkeypatch):
    import ddim.lecture.bench as module

    monkeypatch.setattr(module.weights, "load", lambda *args, **kwargs: (torch.nn.Identity(), {}))
    monkeypatch.setattr(module.data, "load", lambda folder, split: Split(gaussian(4, 0), None))
    with pytest.raises(
        ValueError, match=r"analysis\.num_images must be at most the 4 held-out images"
    ):
        Bench.of(settings())


def test_order_recovers_the_exponent_with_and_without_a_yardstick():
    steps = [5, 10, 50, 200, 500]
    assert statistics.order(steps, [3 * S**-1.5 for S in steps]) == pytest.approx(1.5)
    inexact = [3 * (S**-1.2 - 1000**-1.2) for S in steps]
    assert statistics.order(steps, inexact, 1000) == pytest.approx(1.2, abs=2e-3)
    assert abs(statistics.order(steps, inexact) - 1.2) > 0.05  # the yardstick's error matters


def test_chi_and_kolmogorov_smirnov_agree_with_scipy():
    from scipy import stats

    norms = np.random.default_rng(0).chisquare(64, 50) ** 0.5
    cdf = statistics.chi_cdf(norms, 64)
    np.testing.assert_allclose(cdf, stats.chi(64).cdf(norms), atol=1e-12)
    np.testing.assert_allclose(statistics.chi_density(norms, 64), stats.chi(64).pdf(norms))
    for sample in (cdf, cdf**1.5):
        expected = stats.kstest(sample, "uniform")
        distance, p_value = statistics.kolmogorov_smirnov(sample)
        assert distance == pytest.approx(expected.statistic)
        assert p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_intervals_agree_with_scipy():
    from scipy import stats

    expected = stats.binomtest(3, 40).proportion_ci(method="wilson")
    share, low, high = intervals.of_share(3, 40)
    assert (share, low, high) == pytest.approx((3 / 40, expected.low, expected.high), abs=1e-6)
    assert intervals.of_share(0, 40)[1] == pytest.approx(0, abs=1e-12)
    values = np.random.default_rng(1).normal(2, 3, 500)
    mean, low, high = intervals.of_mean(values)
    assert (low, high) == pytest.approx(stats.norm(mean, stats.sem(values)).interval(0.95))


def test_moments_agree_with_scipy():
    from scipy import stats

    values = np.random.default_rng(2).gamma(2.0, size=(50, 10))
    found = statistics.moments(values)
    assert found.skewness == pytest.approx(stats.skew(values.ravel()))
    assert found.excess_kurtosis == pytest.approx(stats.kurtosis(values.ravel()))


# --- the discrete case ---------------------------------------------------------------------------


def discrete_settings() -> schema.Config:
    return config(
        "experiment=discrete_digits",
        "model.channels=8",
        "train.steps=150",
        "train.warmup=5",
        "train.batch_size=16",
        "train.lr=5e-3",
        "train.ema_decay=0.9",
        "sample.num_images=12",
        "sweep.steps=[5,20]",
        "sweep.eta=[0.0,1.0,hat]",
        "trainer.accelerator=cpu",
    )


def test_the_discrete_case_learns_its_images_and_samples_them_at_every_eta():
    """Two kinds of images, left half or right half light: samples must be whole ones of the two."""
    from ddim.analysis import appendix_a

    kinds = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
    kinds[0, :, :, :4] = 1
    kinds[1, :, :, 4:] = 1
    cfg = discrete_settings()
    network = appendix_a.train(cfg, kinds.repeat(8, 1, 1, 1), torch.device("cpu"))
    for eta in (0.0, 1.0):
        x = appendix_a.sample(cfg, network, 20, eta, torch.device("cpu"))
        wrong = (x[:, None] != kinds[None]).float().mean(dim=(2, 3, 4)).amin(1)
        assert wrong.mean() < 0.03
        assert 0 < (x[:, 0, 0, 0] == 1).float().mean() < 1  # both kinds come up


def test_the_discrete_training_mirrors_where_data_flip_says_so():
    from ddim.analysis import appendix_a

    cfg = discrete_settings()
    image = torch.zeros(1, 1, 8, 8, dtype=torch.int64)
    image[..., :4] = 1
    for flip in (False, True):
        chosen = replace(cfg, data=replace(cfg.data, flip=flip))
        batch = appendix_a._batch(chosen, image, torch.Generator().manual_seed(0))
        assert (batch[:, 0, 0, 0] == 0).any() == flip
        assert (batch[:, 0, 0, 0] == 1).any()


def test_the_discrete_average_ramps_and_training_leaves_the_global_generator_alone():
    from ddim.analysis import appendix_a

    layer = torch.nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    average = appendix_a._average(layer, 0.9999)
    average.update_parameters(layer)
    layer.weight.data.fill_(1.0)
    average.update_parameters(layer)
    assert average.module.weight.item() == pytest.approx(1 - 2 / 11)
    cfg = discrete_settings()
    cfg = replace(cfg, train=replace(cfg.train, steps=1))
    before = torch.random.get_rng_state()
    appendix_a.train(cfg, torch.zeros(4, 1, 8, 8, dtype=torch.int64), torch.device("cpu"))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("S", [1, 3, 7, 100])
def test_every_discrete_trajectory_begins_where_x_is_uniform(S):
    from ddim.analysis import appendix_a

    tau = appendix_a.trajectory(100, S)
    assert len(set(tau)) == S
    assert tau[0] >= 1
    assert tau[-1] == 100


def test_the_discrete_section_leaves_out_sigma_hat_and_measures_the_rest(tmp_path, monkeypatch):
    from ddim.analysis import appendix_a

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(appendix_a.data, "load", lambda folder, split: Split(gaussian(30, 1), None))
    classifier = bench().extractor
    monkeypatch.setattr(appendix_a.features, "load_extractor", lambda *args: classifier)
    cfg = discrete_settings()
    cfg = replace(cfg, train=replace(cfg.train, steps=2))
    content = check(appendix_a.section(cfg), tmp_path)
    assert set(content["numbers"]) == {f"fid_eta{eta}_S{S}" for eta in (0, 1) for S in (5, 20)}

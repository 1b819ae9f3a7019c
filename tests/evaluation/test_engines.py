"""Ours, torch-fidelity and torchmetrics over the same features: the same numbers."""

import sys
from dataclasses import replace
from subprocess import run

import numpy as np
import pytest
import torch
from helpers.gaussians import gaussian

from ddim.config.schema import Evaluate
from ddim.evaluation.engines import ENGINES, Ours
from ddim.evaluation.reference import Reference

EVALUATE = Evaluate(kid_subsets=40, kid_subset_size=100, neighbours=3, engine="ours")
LIBRARIES = ("torch-fidelity", "torchmetrics")
D = 24


def engine(name: str, *, m: int = 400, evaluate: Evaluate = EVALUATE, seed: int = 5) -> Ours:
    reference = Reference.of(gaussian(m, D, seed=2), neighbours=evaluate.neighbours)
    return ENGINES[name](reference, evaluate, seed)


def generated(n: int = 300, seed: int = 1) -> np.ndarray:
    return gaussian(n, D, seed, spread=1.3)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize(
    ("n", "m"), [(300, 400), (20, 400), (300, 20)], ids=["n, m > D", "n < D", "m < D"]
)
def test_fid_is_ours(name: str, n: int, m: int) -> None:
    """With fewer images than dimensions they take the root of eigenvalues that are rounding."""
    ours, theirs = (engine(each, m=m).fid(generated(n)) for each in ("ours", name))
    assert theirs.value == pytest.approx(ours.value, rel=1e-10 if min(n, m) > D else 1e-6)
    assert theirs.standard_error == ours.standard_error


@pytest.mark.parametrize("name", LIBRARIES)
def test_fid_of_inception_sized_means_is_ours(name: str) -> None:
    """A mean far from zero: where sums of squares would lose digits in float32."""
    features, reference = generated() + np.float32(30), gaussian(400, D, 2) + np.float32(31)
    of_reference = Reference.of(reference, neighbours=3)
    ours, theirs = (
        ENGINES[each](of_reference, EVALUATE, 5).fid(features) for each in ("ours", name)
    )
    assert theirs.value == pytest.approx(ours.value, rel=1e-9)


def test_kid_is_torch_fidelitys_subset_for_subset() -> None:
    ours, theirs = (engine(each).kid(generated()) for each in ("ours", "torch-fidelity"))
    assert theirs.value == pytest.approx(ours.value, rel=1e-12)
    assert theirs.standard_error == ours.standard_error


def test_kid_is_torchmetrics_up_to_the_choice_of_subsets() -> None:
    ours, theirs = (engine(each).kid(generated()) for each in ("ours", "torchmetrics"))
    assert theirs.value != ours.value
    assert theirs.value == pytest.approx(ours.value, abs=ours.standard_error)
    of_all = replace(EVALUATE, kid_subsets=1, kid_subset_size=300)
    ours, theirs = (
        engine(each, m=300, evaluate=of_all).kid(generated()) for each in ("ours", "torchmetrics")
    )
    assert theirs.value == pytest.approx(ours.value, rel=1e-10)


def test_precision_and_recall_are_torch_fidelitys() -> None:
    ours, theirs = (
        engine(each).precision_recall(generated()) for each in ("ours", "torch-fidelity")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert other == pytest.approx(one, abs=1e-6)
        assert 0 < one[0] < 1


@pytest.mark.parametrize("name", ENGINES)
def test_a_cell_does_not_depend_on_the_cells_measured_before_it(name: str) -> None:
    def numbers(engine: Ours, features: np.ndarray) -> list[tuple[float, float]]:
        return [(e.value, e.standard_error) for e in (engine.fid(features), engine.kid(features))]

    used = engine(name)
    first, other = numbers(used, generated()), numbers(used, generated(200, seed=3))
    assert numbers(used, generated()) == first
    assert other != first
    assert numbers(engine(name), generated(200, seed=3)) == other


@pytest.mark.parametrize("name", ENGINES)
def test_kid_is_a_function_of_its_seed_alone(name: str) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    value = engine(name).kid(generated()).value
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert engine(name).kid(generated()).value == value
    other = engine(name, seed=6).kid(generated()).value
    assert other != value
    assert engine(name).kid(generated(), repeat=1).value == other  # the default seed is 5
    assert np.isfinite(engine(name).kid(generated(), repeat=2**32 - 1).value)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    ("features", "change", "message"),
    [
        (gaussian(300, 5, 0), {}, "generated and reference features have 5 and 24 dimensions"),
        (gaussian(1, D, 0), {}, r"at least 2 generated images \(sample\.num_images\), got 1"),
        (gaussian(50, D, 0), {}, r"evaluate\.kid_subset_size.*50, got 100.*sample\.num_images"),
        (np.full((300, D), np.inf), {}, "generated features of image 0 are not finite"),
        (gaussian(300, D, 0), {"neighbours": 300}, r"evaluate\.neighbours.*300, got 300"),
    ],
    ids=["other D", "one image", "few images", "not finite", "many neighbours"],
)
def test_every_engine_refuses_in_one_line(
    name: str, features: np.ndarray, change: dict[str, int], message: str
) -> None:
    used = engine(name, evaluate=replace(EVALUATE, **change))
    with pytest.raises(ValueError, match=message) as caught:
        used.fid(features), used.kid(features), used.precision_recall(features)
    assert "\n" not in str(caught.value)


def test_the_default_imports_neither_library() -> None:
    script = """
import sys
import numpy as np
from ddim.config.schema import Evaluate
from ddim.evaluation.engines import ENGINES
from ddim.evaluation.reference import Reference
import ddim.evaluation.measure
x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
engine = ENGINES["ours"](Reference.of(x, neighbours=2), Evaluate(2, 5, 2, "ours"), 0)
engine.fid(x), engine.kid(x), engine.precision_recall(x)
heavy = ("torchmetrics", "torch_fidelity", "torchvision", "pytorch_lightning", "scipy.stats")
print([name for name in heavy if name in sys.modules])
"""
    done = run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kid_subset_size": 1}, r"evaluate\.kid_subset_size must be at least 2, .*, got 1"),
        ({"engine": "torch_fidelity"}, r"evaluate\.engine must be one of ours, torch-fidelity"),
    ],
)
def test_the_configuration_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(EVALUATE, **change)

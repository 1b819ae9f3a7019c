"""Influences: kept and read back, refused where cells do not pair, and what pairing gains."""

from pathlib import Path

import numpy as np
import pytest
from helpers.gaussians import gaussian

from ddim.evaluation.fid import ReferenceStatistics, fid, fid_infinite
from ddim.evaluation.influences import Influences, check_pairing, covariances
from ddim.evaluation.intervals import covariance
from ddim.evaluation.kid import kid

RNG = np.random.default_rng(0)


def influences(cell: str = "a", n: int = 50, **changes: object) -> Influences:
    fields = {"seed": 0, "reference": "r", "fingerprint": "f"} | changes
    parts = {("fid", n): (RNG.normal(size=n),), ("kid", n): (RNG.normal(size=n), np.arange(9.0))}
    return Influences(cell=cell, parts=parts, **fields)  # type: ignore[arg-type]


def test_influences_survive_their_file_to_float32(tmp_path: Path) -> None:
    saved = influences()
    saved.save(tmp_path / "a.npz")
    loaded = Influences.load(tmp_path / "a.npz")
    assert (loaded.cell, loaded.seed, loaded.reference, loaded.fingerprint) == ("a", 0, "r", "f")
    assert loaded.parts.keys() == saved.parts.keys()
    for place, parts in saved.parts.items():
        for one, other in zip(parts, loaded.parts[place], strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-6)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"a\.npz is missing: make it again with"):
        Influences.load(path)
    influences().save(path)
    content = path.read_bytes()
    for broken in (b"", content[: len(content) // 2], b"not a file of arrays"):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match=r"a\.npz is damaged .*stages\.evaluate -cn stage"):
            Influences.load(path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (influences("b", reference="s"), "measured against different references"),
        (influences("b", seed=3), "their noise is of seeds 0 and 3"),
        (influences("b", n=40), "at n = 50: b has fid of n = 40 alone"),
    ],
    ids=["reference", "noise", "n"],
)
def test_cells_that_do_not_pair_are_refused_in_one_line(other: Influences, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        check_pairing(influences("a"), other, "fid", 50)
    assert "\n" not in str(caught.value)


def test_influences_of_fewer_images_than_they_say_are_refused() -> None:
    wrong = Influences(
        cell="b", seed=0, reference="r", fingerprint="f", parts={("fid", 50): (np.zeros(49),)}
    )
    with pytest.raises(ValueError, match="b has influences of 49 images under n = 50"):
        check_pairing(influences("a"), wrong, "fid", 50)


def test_matrices_are_by_measure_n_and_seed() -> None:
    cells = [influences("a"), influences("b"), influences("c", n=40), influences("d", seed=1)]
    matrices = {(m.measure, m.n, m.seed): m for m in covariances(cells)}
    assert {place: m.cells for place, m in matrices.items() if place[0] == "fid"} == {
        ("fid", 50, 0): ("a", "b"),
        ("fid", 40, 0): ("c",),
        ("fid", 50, 1): ("d",),
    }
    a, b = (cell.parts["kid", 50] for cell in cells[:2])
    assert matrices["kid", 50, 0].of("b", "a") == pytest.approx(covariance(a, b))
    assert matrices["kid", 50, 0].of("a", "a") == pytest.approx(covariance(a, a))


# What pairing promises, by simulation: two cells whose images share most of their noise.

REAL = gaussian(2000, 6, seed=10_000)
REFERENCE = ReferenceStatistics.of(REAL)


def pair(seed: int, spread: float, dim: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Features of two samplers, correlated image by image; the second one a little wider."""
    shared = gaussian(n, dim, seed)
    own = [gaussian(n, dim, seed + offset) for offset in (100_000, 200_000)]
    first, second = (np.float32(0.95) * shared + np.float32(0.31) * x for x in own)
    return first, np.float32(spread) * second


@pytest.mark.parametrize(
    ("spread", "gain"), [(1.3, 0.97), (1.02, 0.8)], ids=["far from the floor", "near the floor"]
)
@pytest.mark.parametrize("dim", [6, 64])
@pytest.mark.parametrize("measure", ["fid", "kid"])
def test_paired_intervals_cover_the_expected_difference(
    measure: str, dim: int, spread: float, gain: float
) -> None:
    """Of 150 pairs at least 90 % hold the mean difference of all, and pairing narrows them."""
    values, errors, unpaired = [], [], []
    real = gaussian(800, dim, seed=10_000)
    reference = ReferenceStatistics.of(real)
    for seed in range(150):
        one, other = (
            fid(x, reference)
            if measure == "fid"
            else kid(x, real, subsets=5, subset_size=100, seed=seed)
            for x in pair(seed, spread, dim)
        )
        values.append(other.value - one.value)
        variances = [covariance(x.parts, x.parts) for x in (one, other)]
        both = covariance(one.parts, other.parts)
        errors.append(max(sum(variances) - 2 * both, 0.0) ** 0.5)
        unpaired.append(sum(variances) ** 0.5)
    differences, half = np.array(values), 1.96 * np.array(errors)
    assert (np.abs(differences - differences.mean()) <= half).mean() >= 0.9
    assert half.mean() < 2 * 1.96 * differences.std()
    assert np.mean(errors) < gain * np.mean(unpaired)


def test_fid_at_infinite_n_has_lost_most_of_its_bias() -> None:
    """Equal distributions: FID is pure bias, and its extrapolation scatters around 0."""
    samples = [gaussian(400, 6, seed) for seed in range(40)]
    at_n = np.array([fid(x, REFERENCE).value for x in samples])
    at_infinity = [fid_infinite(x, REFERENCE) for x in samples]
    assert None not in at_infinity
    assert abs(np.mean(at_infinity)) < 0.35 * at_n.mean()  # type: ignore[arg-type]
    assert fid_infinite(samples[0][:24], REFERENCE) is None  # a quarter is as many as dimensions

"""Each claim of Tables 1 and 2 can come out all three ways, by the numbers alone."""

from pathlib import Path

import pytest
from helpers import report_fixture as fixture

from ddim.records.results import Results, load
from ddim.records.verdict import Verdict
from ddim.report import content, verdicts
from ddim.report.document import Panel

OVERRIDES = (
    "sweep.steps=[10,100,1000]",
    "sweep.eta=[0.0,0.5,hat]",
    "reconstruct.steps=[10,100]",
    "analysis.sections=[]",
)
STEPS, ETAS = (10, 100, 1000), ("0.0", "0.5", "hat")
# FIDs with which the paper is right, at S = 10, 100 and 1000.
PAPER = {"0.0": (13.0, 4.0, 3.5), "0.5": (17.0, 5.0, 4.5), "hat": (300.0, 10.0, 3.0)}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("verdicts") / "digits"
    fixture.experiment(folder, fixture.config(*OVERRIDES))
    return load(folder)


def fids(**rows: tuple[float, float, float]) -> dict[tuple[int, str], float]:
    """The paper's rows, others where they are named: eta0, eta5, hat."""
    names = {"eta0": "0.0", "eta5": "0.5", "hat": "hat"}
    table = PAPER | {names[key]: row for key, row in rows.items()}
    return {(s, eta): table[eta][i] for eta in ETAS for i, s in enumerate(STEPS)}


def decided(
    results: Results, start: str, half: float = 0.01, **rows: tuple[float, float, float]
) -> Verdict:
    """The verdict whose claim starts so, with other rows and intervals."""
    changed = fixture.with_fid(results, fids(**rows), half)
    (found,) = [v for v in verdicts.of_tables(changed) if v.claim.startswith(start)]
    return found


CLAIMS = {
    "η = 0 has the lowest": {"eta5": (12.0, 5.0, 4.5)},
    "At the smallest S, FID rises": {"eta5": (12.0, 5.0, 4.5)},
    "With η = 0": {"eta0": (13.0, 14.0, 3.5)},
    "At the smallest S, σ̂": {"hat": (15.0, 10.0, 3.0)},
    "At S = T": {"hat": (300.0, 10.0, 9.0)},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_comes_out_all_three_ways(results: Results, claim: str) -> None:
    assert decided(results, claim).word == "reproduced"
    assert decided(results, claim, **CLAIMS[claim]).word == "contradicted"
    assert decided(results, claim, half=0.9).word == "undecided"
    assert decided(results, claim, half=0.9, **CLAIMS[claim]).word == "undecided"


def test_the_words_of_a_verdict_are_exact(results: Results) -> None:
    found = decided(results, "η = 0 has the lowest", eta5=(12.0, 5.0, 4.5))
    assert found.claim == "η = 0 has the lowest FID at every S ≤ 100"
    assert found.source == "paper, Table 1"
    assert found.paper == "CIFAR-10: η = 0.0 at S = 10, 20, 50 and 100"
    assert found.ours == "η = 0.5 at S = 10; η = 0.0 at S = 100"
    # intervals are 1 % of each number, correlation 0.9; S = 10, eta = 0.5 has the largest p
    start = "paired, n = 360: 3 of 4 as claimed, 1 against, largest p"
    assert found.test.startswith(start)
    assert found.test.endswith("; KID: 3 of 4")


def test_comparisons_are_paired_by_the_shared_noise(results: Results) -> None:
    """Though the intervals overlap: the difference is known better than either number."""
    found = decided(results, "At the smallest S, FID rises", half=0.2)
    # 13 +- 2.6 and 17 +- 3.4 overlap; with correlation 0.9 the difference has error 0.79
    assert found.word == "reproduced"
    assert "1 of 1 as claimed, p < 0.001" in found.test


def test_the_whole_chain_is_judged_by_the_margin(results: Results) -> None:
    worse = {"hat": (300.0, 10.0, 4.5)}
    assert decided(results, "At S = T", **worse).word == "reproduced"  # 4.5 < 1.5 x 3.5
    assert decided(results, "At S = T", **worse).claim.endswith("(FID at most 50 % higher)")
    exact = {"hat": (300.0, 10.0, 5.25)}
    assert decided(results, "At S = T", **exact).word == "undecided"


def test_other_n_is_told_and_compared_at_the_smaller(tmp_path: Path) -> None:
    fixture.experiment(tmp_path, fixture.config(*OVERRIDES, *fixture.FEW))
    results = load(tmp_path)
    (row,) = [v for v in verdicts.of_tables(results) if v.claim.startswith("With η = 0")]
    assert row.ours == "13.0 → 4.90 (n = 2,000); 5.59 → 4.09 (n = 250)"
    assert row.test.startswith("paired, n = 2,000 (250 in 1): 2 of 2 as claimed")
    (chain,) = [v for v in verdicts.of_tables(results) if v.claim.startswith("At S = T")]
    assert chain.test.startswith("paired, n = 250: ")


@pytest.mark.parametrize(
    ("mse", "half", "word"),
    [(0.001, 0.05, "reproduced"), (0.1, 0.05, "contradicted"), (0.012, 0.5, "undecided")],
)
def test_the_reconstruction_comes_out_all_three_ways(
    results: Results, mse: float, half: float, word: str
) -> None:
    columns = {
        s: fixture.changed(column, mse=value, interval=((1 - half) * value, (1 + half) * value))
        for (s, column), value in zip(results.reconstructions.items(), (0.014, mse), strict=True)
    }
    found = verdicts.reconstruction(fixture.replace(results, reconstructions=columns))
    assert found is not None
    assert found.word == word
    assert found.source == "paper, Table 2"
    assert found.paper == "CIFAR-10: 0.014 at S = 10, 0.0001 at S = 1000"
    assert found.test.startswith("independent errors, n = 128: ")


@pytest.mark.parametrize(
    ("override", "left"),
    [
        ("sweep.eta=[0.5,hat]", ["At the smallest S, σ̂", "At S = T"]),
        ("sweep.eta=[0.0]", ["With η = 0"]),
        ("sweep.steps=[10]", ["η = 0 has", "At the smallest S, FID", "At the smallest S, σ̂"]),
        ("sweep.steps=[200,500]", ["At the smallest S, FID", "With η = 0", "At the smallest S, σ̂"]),
    ],
)
def test_a_claim_without_its_cells_is_left_out(
    tmp_path: Path, override: str, left: list[str]
) -> None:
    cfg = fixture.config(*OVERRIDES, override, "reconstruct.steps=[10]")
    fixture.experiment(tmp_path, cfg)
    claims = [verdict.claim for verdict in verdicts.of_tables(load(tmp_path))]
    assert len(claims) == len(left)
    assert all(claim.startswith(start) for claim, start in zip(claims, left, strict=True))


def test_a_data_set_of_the_paper_stands_beside_its_own_table(tmp_path: Path) -> None:
    cfg = fixture.config("experiment=lsun_church", *OVERRIDES, "sweep.eta=[0.0,1.0]")
    fixture.experiment(tmp_path, cfg)
    first = verdicts.of_tables(load(tmp_path))[0]
    assert first.source == "paper, Table 3"
    assert first.paper == "LSUN Church: η = 0.0 at S = 10, 20 and 50; η = 1.0 at S = 100"


def test_the_panel_ends_with_the_sections_in_their_order(tmp_path: Path) -> None:
    fixture.experiment(tmp_path, fixture.config(*OVERRIDES, "analysis.sections=[ode,consistency]"))
    results = load(tmp_path)
    panel = verdicts.panel(results)
    assert panel[-2:] == tuple(v for s in results.sections for v in s.verdicts)
    (block,) = [b for b in content.document(results).lead if isinstance(b, Panel)]
    assert block.verdicts == panel


def test_the_summary_counts_the_words() -> None:
    words = ("reproduced", "reproduced", "contradicted")
    panel = [fixture.verdict(word) for word in words]
    assert verdicts.summary(panel) == "3 claims: 2 reproduced, 1 contradicted and 0 undecided."

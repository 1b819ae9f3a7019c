"""The claims of Tables 1 and 2, decided; then those of the sections: the panel of the report.

Every claim is a set of comparisons of which it says "below 0". Cells of one seed share their noise,
so FIDs are compared in pairs, at equal n; KID is the second opinion, told in the same column.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from ddim.evaluation import aggregate, intervals
from ddim.evaluation.aggregate import FID, KID, Column, Grid
from ddim.evaluation.hypotheses import Decision, decide, unpaired
from ddim.records.results import Results
from ddim.records.verdict import CONTRADICTED, REPRODUCED, UNDECIDED, Verdict
from ddim.report import numbers, paper, sections
from ddim.report.numbers import eta_label, listed
from ddim.schedule import HAT

DDIM = "0.0"
FEW_STEPS = 100  # up to here the paper's eta = 0 has the best FID of every S
TABLE_2 = "paper, Table 2"
RULE = (
    "Reproduced: every comparison comes out as claimed, by two-sided tests at 5 % for all "
    "comparisons of the claim together (Holm). Contradicted: one at least comes out the other way. "
    "Undecided: neither. A claim that two things are equal is reproduced unless a difference is "
    "beyond what so many comparisons allow. Of 10 to 50 times fewer evaluations one comparison is "
    "enough."
)

Contrast = tuple[str, Mapping[Column, float]]  # its name, and the weight of every cell
Published = Mapping[str, Mapping[int, float]]  # FID by eta and S


def panel(results: Results) -> tuple[Verdict, ...]:
    """Every verdict of the report, in its order."""
    ours = of_tables(results)
    return (*ours, *(verdict for section in results.sections for verdict in section.verdicts))


def anchors(results: Results) -> tuple[str, ...]:
    """Of each claim of `panel`: the part of the report that measures it."""
    tables = ["quality" if v.source != TABLE_2 else "reconstruction" for v in of_tables(results)]
    places = [sections.anchor(section) for section in results.sections for _ in section.verdicts]
    return (*tables, *places)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Such as: 17 claims: 12 reproduced, 2 contradicted and 3 undecided."""
    counts = Counter(verdict.word for verdict in verdicts)
    parts = [f"{counts[word]} {word}" for word in (REPRODUCED, CONTRADICTED, UNDECIDED)]
    return f"{len(verdicts)} claims: {listed(parts)}."


def of_tables(results: Results) -> list[Verdict]:
    """The claims of Tables 1 and 2 whose cells are in the grid."""
    tables = _Tables.of(results)
    verdicts = [
        best_with_few_steps(tables),
        order_of_eta(tables),
        more_steps(tables),
        sigma_hat_worst(tables),
        sigma_hat_competitive(tables),
        reconstruction(results),
    ]
    return [verdict for verdict in verdicts if verdict is not None]


@dataclass(frozen=True)
class _Tables:
    """What the claims of Table 1 compare, and the paper's figures beside it."""

    results: Results
    fid: Grid
    kid: Grid
    published: Published
    data: str  # the published figures' data set: "CIFAR-10"

    @classmethod
    def of(cls, results: Results) -> "_Tables":
        fid, kid = (
            aggregate.grid(results.cells, results.cfg, measure, results.covariances)
            for measure in (FID, KID)
        )
        name = paper.beside(results.cfg.table)
        return cls(results, fid, kid, paper.FID[name], paper.TITLES[name])

    @property
    def steps(self) -> list[int]:
        return sorted(self.results.steps)

    @property
    def etas(self) -> list[str]:
        return self.results.etas

    def text(self, column: Column, n: int | None = None) -> str:
        """The FID of a cell, of its first n images where that is said."""
        estimate = self.fid.values[column]
        return numbers.estimate(FID, estimate if n is None else estimate.at(n))[0]

    def decide(
        self,
        claim: str,
        contrasts: Sequence[Contrast],
        paper_: str,
        ours: str,
        *,
        by_kid: bool = True,
    ) -> Verdict:
        """The verdict by FID, and what KID decides: not of a margin, since KID may be 0 or less."""
        fid, kid = (
            decide([grid.contrast(name, weights) for name, weights in contrasts])
            for grid in (self.fid, self.kid)
        )
        n = _counts(self.fid.n(list(weights)) for _, weights in contrasts)
        return Verdict(
            claim=claim,
            source=f"paper, Table {paper.number(paper.beside(self.results.cfg.table))}",
            paper=f"{self.data}: {paper_}" if paper_ else "",
            ours=ours,
            test=f"paired, n = {n}: {fid.summary}" + (f"; KID: {_agreeing(kid)}" if by_kid else ""),
            word=fid.word,
        )


def _agreeing(decision: Decision) -> str:
    return f"{len(decision.below)} of {len(decision.comparisons)}"


def _counts(values: Iterable[int]) -> str:
    """'2,000', or '2,000 (250 in 1)' where comparisons are of several numbers of images."""
    (common, _), *others = Counter(values).most_common()
    rest = ", ".join(f"{numbers.count(n)} in {times}" for n, times in others)
    return numbers.count(common) + (f" ({rest})" if rest else "")


def _below(first: Column, second: Column) -> Contrast:
    """The first cell's number is below the second's."""
    return f"{first} - {second}", {first: 1.0, second: -1.0}


# --- Table 1 -------------------------------------------------------------------------------------


def best_with_few_steps(tables: _Tables) -> Verdict | None:
    """Eta = 0 has the best FID of every S up to FEW_STEPS."""
    steps = [s for s in tables.steps if s <= FEW_STEPS]
    others = [eta for eta in tables.etas if eta != DDIM]
    if DDIM not in tables.etas or not others or not steps:
        return None
    contrasts = [_below((s, DDIM), (s, eta)) for s in steps for eta in others]
    ours = {s: {eta: tables.fid.values[s, eta].mean for eta in tables.etas} for s in steps}
    published = _columns(tables.published)
    few = {s: column for s, column in published.items() if s <= FEW_STEPS}
    return tables.decide(
        f"η = 0 has the lowest FID at every S ≤ {FEW_STEPS}",
        contrasts,
        _winners(few),
        _winners(ours),
    )


def _columns(published: Published) -> dict[int, dict[str, float]]:
    """{S: {eta: FID}}."""
    steps = dict.fromkeys(s for row in published.values() for s in row)
    return {s: {eta: row[s] for eta, row in published.items() if s in row} for s in steps}


def _winners(columns: Mapping[int, Mapping[str, float]]) -> str:
    """'η = 0.0 at S = 10, 20 and 50; σ̂ at S = 100'."""
    wins: dict[str, list[str]] = {}
    for s, column in columns.items():
        wins.setdefault(min(column, key=column.__getitem__), []).append(str(s))
    return "; ".join(f"{eta_label(e)} at S = {listed(s)}" for e, s in wins.items())


def order_of_eta(tables: _Tables) -> Verdict | None:
    """FID rises with eta at the smallest S."""
    etas = sorted((eta for eta in tables.etas if eta != HAT), key=float)
    if len(etas) < 2:
        return None
    s = tables.steps[0]
    contrasts = [_below((s, low), (s, high)) for low, high in pairwise(etas)]
    columns = _columns(tables.published)
    smallest = min(columns)
    published = [f"{fid:g}" for eta, fid in columns[smallest].items() if eta != HAT]
    return tables.decide(
        f"At the smallest S, FID rises with η: {' < '.join(etas)}",
        contrasts,
        f"{', '.join(published)} at S = {smallest}",
        f"{', '.join(tables.text((s, eta)) for eta in etas)} at S = {s}",
    )


def more_steps(tables: _Tables) -> Verdict | None:
    """FID of eta = 0 falls with every S."""
    if DDIM not in tables.etas or len(tables.steps) < 2:
        return None
    row = [(s, DDIM) for s in tables.steps]
    contrasts = [_below(more, fewer) for fewer, more in pairwise(row)]
    published = tables.published[DDIM]
    return tables.decide(
        "With η = 0, FID falls with every increase of S",
        contrasts,
        f"{' → '.join(f'{fid:g}' for fid in published.values())} "
        f"at S = {', '.join(map(str, published))}",
        _chains(tables, row),
    )


def _chains(tables: _Tables, row: Sequence[Column]) -> str:
    """'13.4 → 6.8 → 4.7 (n = 2,000); 9.1 → 9.0 (n = 250)': neighbours at equal n."""
    chains = []
    for n, pairs in groupby(pairwise(row), key=lambda pair: tables.fid.n(pair)):
        run = list(pairs)
        columns = [run[0][0], *(second for _, second in run)]
        values = " → ".join(tables.text(column, n) for column in columns)
        chains.append((values, f" (n = {numbers.count(n)})"))
    if len(chains) == 1:
        return chains[0][0]
    return "; ".join(values + n for values, n in chains)


def sigma_hat_worst(tables: _Tables) -> Verdict | None:
    """Sigma-hat has the worst FID at the smallest S."""
    others = [eta for eta in tables.etas if eta != HAT]
    if HAT not in tables.etas or not others:
        return None
    s = tables.steps[0]
    contrasts = [_below((s, eta), (s, HAT)) for eta in others]
    worst = max(others, key=lambda eta: tables.fid.values[s, eta].mean)
    return tables.decide(
        "At the smallest S, σ̂ has the highest FID",
        contrasts,
        _hat_against(tables.published, "highest other", max, first=True),
        f"σ̂ {tables.text((s, HAT))}, highest other {tables.text((s, worst))} at S = {s}",
    )


def sigma_hat_competitive(tables: _Tables) -> Verdict | None:
    """With the whole chain, sigma-hat's FID is not worse than another row's by a margin."""
    others = [eta for eta in tables.etas if eta != HAT]
    s = tables.results.cfg.diffusion.T
    if HAT not in tables.etas or not others or s not in tables.steps:
        return None
    margin = tables.results.cfg.analysis.speed.margin
    contrasts = [
        (f"σ̂ against {eta_label(eta)}", {(s, HAT): 1.0, (s, eta): -(1 + margin)}) for eta in others
    ]
    best = min(others, key=lambda eta: tables.fid.values[s, eta].mean)
    return tables.decide(
        f"At S = T, σ̂ is as good as every other row (FID at most {100 * margin:.0f} % higher)",
        contrasts,
        _hat_against(tables.published, "lowest other", min, first=False),
        f"σ̂ {tables.text((s, HAT))}, lowest other {tables.text((s, best))} at S = {s}",
        by_kid=False,
    )


def _hat_against(
    published: Published, name: str, pick: Callable[[Iterable[float]], float], *, first: bool
) -> str:
    """'σ̂ 367.43, highest other 41.07 at S = 10'; '' where the paper has no such row."""
    if HAT not in published:
        return ""
    columns = _columns(published)
    s = min(columns) if first else max(columns)
    other = pick(fid for eta, fid in columns[s].items() if eta != HAT)
    return f"σ̂ {columns[s][HAT]:g}, {name} {other:g} at S = {s}"


# --- Table 2 -------------------------------------------------------------------------------------


def reconstruction(results: Results) -> Verdict | None:
    """The reconstruction error falls with every S.

    The errors are taken as independent; the images are the same, so they are not, and the tests
    err towards undecided.
    """
    columns = [results.reconstructions[s] for s in sorted(results.reconstructions)]
    if len(columns) < 2:
        return None
    errors = [(c.mse, intervals.standard_error(c.mse, c.interval[1])) for c in columns]
    degrees = min(c.n for c in columns) - 1
    names = [f"S = {fewer.steps} → {more.steps}" for fewer, more in pairwise(columns)]
    decision = decide(
        [unpaired(n, b, a, degrees) for n, (a, b) in zip(names, pairwise(errors), strict=True)]
    )
    published = paper.RECONSTRUCTION[paper.DEFAULT]
    return Verdict(
        claim="The reconstruction error falls with every increase of S",
        source=TABLE_2,
        paper=f"{paper.TITLES[paper.DEFAULT]}: {_ends(published, '{:g}'.format)}",
        ours=_ends({column.steps: column.mse for column in columns}, numbers.small),
        test=f"independent errors, n = {_counts(c.n for c in columns)}: {decision.summary}",
        word=decision.word,
    )


def _ends(errors: Mapping[int, float], text: Callable[[float], str]) -> str:
    """'0.014 at S = 10, 0.0001 at S = 1000'."""
    return ", ".join(f"{text(errors[s])} at S = {s}" for s in (min(errors), max(errors)))

"""All records of one experiment, `reports/<name>/`, as one object: what reports and W&B read.

The grid is that of the recorded configuration, never what happens to lie in the folder: a cell
that left the grid is ignored, a cell that is missing is an error that names it and the command
that makes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import commands
from ddim.records import section as sections_
from ddim.records.base import refuse
from ddim.records.cell import Cell, CellKey
from ddim.records.covariances import Covariances
from ddim.records.experiment import Experiment
from ddim.records.reconstruction import Reconstruction
from ddim.records.reference import Floor, Reference
from ddim.records.section import Section
from ddim.records.timing import Timing
from ddim.records.training import Training
from ddim.runtime import files, picture_file
from ddim.runtime.array_file import require_file


@dataclass(frozen=True, kw_only=True)
class Results:
    """Every record that the report of one experiment shows; `folder` is `reports/<name>`.

    `cells` are in the grid's order: eta by eta, S by S, seed by seed.
    """

    folder: Path
    experiment: Experiment
    cfg: Config  # the experiment's
    reference: Reference
    training: Training
    cells: dict[CellKey, Cell]
    covariances: Covariances  # of the cells' errors
    reconstructions: dict[int, Reconstruction]  # by S
    sections: tuple[Section, ...]  # in the report's order

    @property
    def steps(self) -> list[int]:
        """The grid's S."""
        return list(self.cfg.sweep.steps)

    @property
    def etas(self) -> list[str]:
        """The grid's eta, as text."""
        return [paths.eta_name(eta) for eta in self.cfg.sweep.eta]

    @property
    def seeds(self) -> list[int]:
        """The grid's seeds."""
        return list(self.cfg.sweep.seeds)

    @property
    def counts(self) -> list[int]:
        """Every number of images that a cell has, rising; of more than one, FIDs do not compare."""
        return sorted({cell.measured.n_generated for cell in self.cells.values()})

    @property
    def floor(self) -> Floor | None:
        """The floor at the number of images at which all cells are compared, the smallest."""
        return self.reference.floor(self.counts[0])

    def repeats(self, steps: int, eta: str) -> list[Cell]:
        """The cell of S and eta, once for every seed."""
        return [self.cells[CellKey(steps=steps, eta=eta, seed=seed)] for seed in self.seeds]

    def first_seed(self, steps: int, eta: str) -> Cell:
        """The repeat that pictures are taken from."""
        return self.repeats(steps, eta)[0]

    def picture(self, key: CellKey) -> Path:
        """The grid of a cell's first images."""
        return self.folder / "cells" / f"{key.name}.png"

    def reconstruction_picture(self, steps: int) -> Path:
        """Originals above, decoded below, with S = `steps`."""
        return self.folder / "reconstruct" / f"S{steps}.png"

    def section_folder(self, section: Section) -> Path:
        """Where a section's figures lie."""
        return self.folder / "analysis" / section.name

    def timing(self, key: CellKey) -> Timing:
        """How long a cell's images took. Not read with the rest: no result depends on it."""
        path = self.folder / "timings" / f"{key.name}.json"
        # Images that are there are not sampled again for the time alone, unless somebody asks.
        images = paths.all_samples(self.cfg) / key.name
        again = f"git checkout {path}`, or delete {images} and run `{commands.sample(key)}"
        return Timing.read(path, again)

    def training_timing(self) -> Timing | None:
        """How long the training took; None for imported weights."""
        if self.training.recipe is None:
            return None
        return Timing.read(self.folder / "timings" / "train.json", commands.TRAIN)


def grid(cfg: Config) -> list[CellKey]:
    """Every cell of the sweep: eta by eta, S by S, seed by seed."""
    return [CellKey.of(cell) for cell in cfg.cells()]


def load(folder: Path) -> Results:
    """Every record of `folder` (`reports/<name>`), checked against one another.

    FileNotFoundError names a missing file and the command that makes it; ValueError one that is
    damaged, of an earlier version of ddim, or of other weights than the rest.
    """
    experiment, cfg = _experiment(folder / "experiment.json")
    cells = read_cells(folder, cfg)
    results = Results(
        folder=folder,
        experiment=experiment,
        cfg=cfg,
        reference=Reference.read(folder / "reference.json", commands.REFERENCE),
        training=Training.read(folder / "train.json", commands.TRAIN),
        cells=cells,
        covariances=_covariances(folder, cells),
        reconstructions={S: _reconstruction(folder, S) for S in cfg.reconstruct.steps},
        sections=read_sections(folder, cfg.analysis.sections),
    )
    _require_one_set_of_weights(results)
    _require_pictures(results)
    _require_published_weights(results)
    return results


def _experiment(path: Path) -> tuple[Experiment, Config]:
    experiment = Experiment.read(path, commands.CONFIG)
    try:
        return experiment, experiment.cfg
    except ValueError as error:
        refuse(path, str(error), commands.CONFIG)


def read_cells(folder: Path, cfg: Config) -> dict[CellKey, Cell]:
    """The grid's cells in `folder` (`reports/<name>`); errors as `load`'s."""
    return {key: _cell(folder, key) for key in grid(cfg)}


def read_covariances(folder: Path, cfg: Config) -> Covariances:
    """The covariances of the grid's cells in `folder`; ValueError if they are of other cells."""
    return _covariances(folder, read_cells(folder, cfg))


def _covariances(folder: Path, cells: Mapping[CellKey, Cell]) -> Covariances:
    path, made_by = folder / "covariances.json", commands.stage("evaluate")
    covariances = Covariances.read(path, made_by)
    if covariances.cells != {key.name: cell.fingerprint for key, cell in cells.items()}:
        refuse(path, "is of other measurements than those in cells/", made_by)
    return covariances


def read_sections(folder: Path, names: Sequence[str]) -> tuple[Section, ...]:
    """The sections `names` in `folder` (`reports/<name>`), in the report's order."""
    sections = [_section(folder, name) for name in names]
    return tuple(sorted(sections, key=lambda section: section.order))


def _section(folder: Path, name: str) -> Section:
    path, made_by = folder / "analysis" / name / sections_.FILE, commands.section(name)
    section = Section.read(path, made_by)
    if section.name != name:  # it names files of the report
        refuse(path, f"describes another section ({section.name!r})", made_by)
    for figure in section.figures:
        for file in (figure.file, figure.data):
            place = path.with_name(file)
            require_file(place, f"make it with `{made_by}`")
            if files.sha256(place) != section.checksums.get(file):
                refuse(place, f"is not the file that {sections_.FILE} describes", made_by)
    return section


def _cell(folder: Path, key: CellKey) -> Cell:
    path, made_by = folder / "cells" / f"{key.name}.json", commands.evaluate(key)
    cell = Cell.read(path, made_by)
    if cell.key != key:  # renamed or copied by hand
        refuse(path, f"describes another cell ({cell.key.name})", made_by)
    return cell


def _reconstruction(folder: Path, steps: int) -> Reconstruction:
    path, made_by = folder / "reconstruct" / f"S{steps}.json", commands.reconstruct(steps)
    column = Reconstruction.read(path, made_by)
    if column.steps != steps:
        refuse(path, f"describes another S ({column.steps})", made_by)
    return column


def _require_one_set_of_weights(results: Results) -> None:
    """All cells come from the weights that train.json describes; a mixed table is an error."""
    kind = results.cfg.sample.weights.value
    expected = results.training.sha256.get(kind)
    if expected is None:
        path = results.folder / "train.json"
        refuse(path, f"no {kind} weights, which sample.weights asks for", commands.TRAIN)
    for key, cell in results.cells.items():
        weights = cell.sampled.weights
        if (weights.kind, weights.sha256) != (kind, expected):
            raise ValueError(
                f"{results.folder}/cells/{key.name}.json was sampled with other weights "
                f"({weights.kind} {weights.sha256[:12]}) than sample.weights and train.json say "
                f"({kind} {expected[:12]}): run `{commands.sample(key)}` and "
                f"`{commands.evaluate(key)}` again"
            )


def _require_published_weights(results: Results) -> None:
    """Weights that lie beside the report, if any do, are those that it is of."""
    kind = results.cfg.sample.weights.value
    path = results.folder / f"{kind}.safetensors"
    if path.is_file() and files.sha256(path) != results.training.sha256[kind]:
        refuse(path, "holds other weights than train.json says", commands.TRAIN)


def _require_pictures(results: Results) -> None:
    """Each is there, and whole."""
    for path, made_by in _pictures(results):
        require_file(path, f"make it with `{made_by}`")
        try:
            picture_file.check(path)
        except ValueError as error:
            refuse(path, str(error), made_by)


def _pictures(results: Results) -> Iterator[tuple[Path, str]]:
    for key in results.cells:
        yield results.picture(key), commands.evaluate(key)
    for steps in results.reconstructions:
        yield results.reconstruction_picture(steps), commands.reconstruct(steps)

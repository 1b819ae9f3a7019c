"""The commands that make a record again, as error messages and the report quote them.

A stage reads params.yaml under `-cn stage`; without that it would compose conf/.
"""

from ddim.records.cell import CellKey


def stage(name: str, *overrides: str) -> str:
    """What runs the stage `name` on params.yaml."""
    return " ".join([f"python -m ddim.stages.{name} -cn stage", *overrides])


CONFIG = "python -m ddim.compose --check"
DATA = "dvc repro --force data"
FEATURES = "dvc repro --force features"
TRAIN = stage("train")
REFERENCE = stage("reference")
REPORT = stage("report")


def sample(key: CellKey) -> str:
    """What samples a cell."""
    return stage("sample", key.overrides)


def evaluate(key: CellKey) -> str:
    """What measures a cell."""
    return stage("evaluate", key.overrides)


def reconstruct(steps: int) -> str:
    """What measures the column S = `steps` of Table 2."""
    return stage("reconstruct", f"cell.steps={steps}")


def section(name: str) -> str:
    """What measures a section of the analysis."""
    return stage("analysis", f"analysis.section={name}")

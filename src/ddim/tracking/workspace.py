"""The W&B workspace of an experiment, built by code (extra `workspace`; needs an account).

    python -m ddim.dashboard logger.mode=online [logger.entity=...]

shows what ddim.track and the training put into W&B: the table of cells, the paper's curves, the
pictures, the analysis and the training curves. Run it once; it follows later runs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ddim.config import params, paths
from ddim.config.schema import Config, WandbMode
from ddim.records import results
from ddim.records.results import Results
from ddim.tracking import sweep_run, wandb_setup

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

TRAINING = ("train/loss", "train/lr", "train/grad_norm", "train/images_per_second")
VALIDATION = ("val/loss", "val/fid", "val/kid")  # where train.validate_every is set


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.dashboard`."""
    print(publish(params.read(arguments)))


def publish(cfg: Config) -> str:
    """Save the workspace on W&B's server and return its address."""
    if cfg.logger.mode is not WandbMode.online:
        raise ValueError(
            f"logger.mode is {cfg.logger.mode.value}, but a workspace lives on W&B's server:"
            " add logger.mode=online"
        )
    wandb_setup.keep_home_clean(paths.out(cfg))
    wandb_setup.require_account()
    import wandb

    entity = cfg.logger.entity or wandb.Api().default_entity
    if not entity:
        raise ValueError("the W&B account has no default team: set logger.entity")
    url: str = workspace(results.load(paths.reports(cfg)), cfg.logger.project, entity).save().url
    return url


def workspace(read: Results, project: str, entity: str) -> "Workspace":
    """The workspace of an experiment in `entity`'s `project`, not saved; talks to no server."""
    try:
        import wandb_workspaces.workspaces as ws
    except ImportError:
        raise ValueError(
            "the extra `workspace` is not installed: pip install 'ddim[workspace]'"
        ) from None
    sections = [
        ws.Section(name=name, panels=panels, is_open=index < 3)
        for index, (name, panels) in enumerate(_panels(read).items())
    ]
    only = ws.RunsetSettings(filters=[ws.Metric("group") == read.cfg.name])
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"DDIM: {read.cfg.name}",
        sections=sections,
        runset_settings=only,
    )


def _panels(read: Results) -> dict[str, list[Any]]:
    """The sections' panels, by the sections' names."""
    import wandb_workspaces.reports.v2 as wr

    grids = [f"samples/{key.name}" for key in read.cells]
    decoded = [f"reconstruct/S{steps}" for steps in read.reconstructions]
    panels: dict[str, list[Any]] = {
        "Every cell": [wr.WeavePanelSummaryTable(table_name="cells")],
        "Curves": _charts(read),
        "Samples": [wr.MediaBrowser(media_keys=grids, num_columns=len(read.etas))],
        "Encoded and decoded": [
            wr.WeavePanelSummaryTable(table_name="reconstructions"),
            wr.MediaBrowser(media_keys=decoded, num_columns=1),
        ],
        "Training": [_over_training(key) for key in TRAINING],
        "Validation": [_over_training(key) for key in VALIDATION],
        "Samples while training": [wr.MediaBrowser(media_keys=["samples"])],
    }
    for section in read.sections:
        keys = [sweep_run.figure_key(section, figure.file) for figure in section.figures]
        panels[section.title] = [wr.MediaBrowser(media_keys=keys)]
    return panels


def _over_training(key: str) -> Any:
    """W&B's own step counts calls of `log`: previews and validations too."""
    import wandb_workspaces.reports.v2 as wr

    return wr.LinePlot(x=wr.Metric(wandb_setup.STEP), y=[key], title=key)


def _charts(read: Results) -> list[Any]:
    """A run's charts are its own, not the workspace's: here they are drawn from their tables."""
    import wandb_workspaces.reports.v2 as wr

    fields = {"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"}
    return [
        wr.CustomChart(
            query={"summaryTable": {"tableKey": f"{sweep_run.CHART}{name}_table"}},
            chart_name="wandb/lineseries/v0",
            chart_fields=fields,
            chart_strings={"title": name, "xname": curve.x},
        )
        for name, curve in sweep_run.curves(read).items()
    ]

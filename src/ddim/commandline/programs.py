"""What `ddim` can do: each program is a module that `python -m` runs as well."""

from typing import NamedTuple


class Program(NamedTuple):
    """One subcommand."""

    module: str
    summary: str  # one line


# In the order of the help. Each heading's programs in turn: name -> program.
PROGRAMS: dict[str, dict[str, Program]] = {
    "without training, on the weights of a report (weights=digits)": {
        "sample": Program("ddim.stages.sample", "images of any S, eta and seed"),
        "encode": Program("ddim.commandline.encode", "an image's latent, and what it decodes to"),
        "interpolate": Program("ddim.commandline.interpolate", "from one image or seed to another"),
        "edit": Program("ddim.commandline.edit", "an image moved from its class to another one"),
    },
    "an experiment (all of its stages in turn: dvc repro)": {
        "own": Program("ddim.commandline.own", "all of it for a folder of your own images"),
        "compose": Program("ddim.compose", "write the settings that the pipeline runs"),
        "data": Program("ddim.stages.data", "prepare the images"),
        "features": Program("ddim.stages.features", "prepare what FID is measured with"),
        "train": Program("ddim.stages.train", "train the network, or import one"),
        "reference": Program("ddim.stages.reference", "prepare what FID is measured against"),
        "evaluate": Program("ddim.stages.evaluate", "FID, KID, precision and recall of the cells"),
        "reconstruct": Program("ddim.stages.reconstruct", "the errors of Table 2"),
        "analysis": Program("ddim.stages.analysis", "what the lecture and the paper claim"),
        "discrete": Program("ddim.stages.discrete", "the paper's Appendix A, on binary images"),
        "report": Program("ddim.stages.report", "tables, figures and pages from the records"),
    },
    "afterwards": {
        "adopt": Program("ddim.adopt", "record what was computed without DVC in dvc.lock"),
        "compare": Program("ddim.report.compare", "two reports or git revisions side by side"),
        "export": Program("ddim.export", "the weights as a folder for diffusers"),
        "track": Program("ddim.track", "the report as a run of W&B"),
        "dashboard": Program("ddim.dashboard", "the workspace of that in W&B"),
    },
    "this machine": {
        "doctor": Program("ddim.commandline.doctor", "what it has, what experiments would cost"),
        "completion": Program("ddim.commandline.completion", "what a shell needs to complete"),
    },
}
BY_NAME = {name: program for group in PROGRAMS.values() for name, program in group.items()}
# Programs whose arguments are key=value.
WITH_SETTINGS = frozenset(
    {
        *("sample", "encode", "interpolate", "edit", "compose", "data", "features", "train"),
        *("reference", "evaluate", "reconstruct", "analysis", "discrete", "report"),
        *("track", "dashboard"),
    }
)
WITH_WEIGHTS = frozenset({"sample", "encode", "interpolate", "edit"})  # weights=<report>


def listed() -> str:
    """The help of `ddim`."""
    lines = ["usage: ddim PROGRAM [...]      ddim PROGRAM --help tells what it takes", ""]
    width = max(map(len, BY_NAME)) + 4
    for heading, programs in PROGRAMS.items():
        lines.append(f"{heading}:")
        lines += [f"  {name:<{width}}{program.summary}" for name, program in programs.items()]
        lines.append("")
    return "\n".join([*lines, "ddim PROGRAM is python -m MODULE; --version prints the version."])

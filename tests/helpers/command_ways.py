"""How every command of the documents is tested: the table that test_commands.py goes through.

A command that a document shows and this table lacks fails a test, and so does an entry that no
document shows. Commands stand here as `documents.bare` gives them: without `uv run`, without their
comment. To document a new command, add one line:

    run()              as it stands, in the small project of test_commands.py, in this order
    run(as_="...")     so instead: where the document's has a name or a path of the reader's
    fails("...")       as it stands; ends with an error, this one, which the document shows
    composes(reason)   its settings are checked, as it cannot run here for one of REASONS
    benchmark()        its arguments are checked as `python -m benchmarks` does before it measures
    elsewhere(test)    by a test of its own, "tests/file.py::test_name"
    cannot(reason)     not at all, for one of REASONS
"""

from typing import NamedTuple

REASONS = {
    "gpu": "it needs a GPU, or several",
    "cluster": "it needs a cluster with the partitions that it names",
    "account": "it needs an account of W&B",
    "images": "it needs a data set that is not here",
    "hours": "it computes for an hour or more",
    "installs": "it would change what is installed",
    "network": "it asks a service on the network",
    "suite": "it is the test suite, or starts it",
    "edits": "it would change files of the checkout",
    "name": "it is a command's name in a sentence; its whole lines have entries of their own",
}


class Way(NamedTuple):
    """How one command is tested."""

    kind: str
    detail: str = ""  # the command that runs, the test, the reason, the error


def run(*, as_: str = "") -> Way:
    """In the small project."""
    return Way("run", as_)


def fails(error: str) -> Way:
    """In the small project, with another status than 0 and this text."""
    return Way("fails", error)


def composes(reason: str) -> Way:
    """Its settings alone."""
    return Way("composes", reason)


def benchmark() -> Way:
    """Its arguments alone; the benchmarks' own tests run their parts."""
    return Way("benchmark")


def elsewhere(test: str) -> Way:
    """By `test`."""
    return Way("elsewhere", test)


def cannot(reason: str) -> Way:
    """Not at all."""
    return Way("cannot", reason)


CLUSTER, PIPELINE = "tests/cluster/test_slurm_cells.py", "tests/stages/test_pipeline.py"
ONLINE = "tests/tracking/test_wandb_online.py"
SYNC = f"{ONLINE}::test_offline_runs_are_sent_by_the_documented_command_as_one_run"
SLURM_TRAINING = (
    "tests/cluster/test_slurm_training.py::test_a_requeued_training_ends_in_the_same_weights"
)
SLURM = f"{CLUSTER}::test_a_grid_and_a_failing_cell_then_adopt_then_the_report"
ADOPT = f"{PIPELINE}::test_cells_of_a_multirun_are_committed_and_not_computed_again"
SITE = "tests/docs/test_site.py::test_the_whole_site_is_built_without_a_warning"
NOTEBOOK = "tests/docs/test_notebook.py::test_the_notebook_runs"
CLEAN = "tests/project/test_architecture.py::test_the_code_is_clean"
GRID = "cell.steps=10,20,50,100,1000 cell.eta=0.0,0.2,0.5,1.0,hat"

# In the order in which the small project runs them.
WAYS: dict[str, Way] = {
    # before anything is trained there
    'python -c "import ddim; help(ddim)"': run(),
    "python -m ddim.stages.sample --help": run(),
    "python -m ddim.stages.train experiment=mnist --cfg job": run(),
    "python -m ddim.stages.train experiment=mnist --cfg job -p train": run(),
    "python -m ddim.stages.train train.stpes=10": fails(
        "error: train.stpes is no setting; did you mean train.steps?"
    ),
    "python -m ddim.compose --check": run(),
    "python -m ddim.compose": run(),
    "ddim --help": run(),
    "ddim doctor": run(),
    "ddim sample weights=digits cell.steps=20": run(),
    "ddim sample weights=cifar10_16 cell.steps=20": run(),
    "ddim sample weights=cifar10_16 cell.steps=10 cell.eta=1.0": run(),
    "ddim encode 7 weights=digits": run(),
    "ddim edit 7 0 weights=digits": run(),
    "ddim interpolate weights=digits": run(),
    # experiments by hand
    "python -m ddim.stages.data experiment=digits name=trial": run(),
    "python -m ddim.stages.train experiment=digits name=trial train.steps=200": run(),
    "python -m ddim.stages.sample experiment=digits name=trial train.steps=200 cell.steps=10 "
    "cell.eta=0.0 sample.num_images=40": run(),
    "python -m ddim.stages.discrete experiment=discrete_digits": run(),
    # the pipeline
    "dvc repro": run(),
    "dvc status": run(),
    "dvc repro train reference": run(),
    "python -m ddim.stages.sample -cn stage": run(),
    "python -m ddim.stages.sample -cn stage cell.steps=25 cell.eta=0.5": run(),
    "ddim sample cell.steps=25 cell.eta=0.5": run(),
    "ddim evaluate cell.steps=25 cell.eta=0.5": run(),
    "python -m ddim.stages.sample -m cell.steps=25,40 cell.eta=0.0,hat hydra/launcher=joblib": (
        run()
    ),
    "python -m ddim.stages.sample -m cell.steps=10,20 cell.eta=0.0,hat": run(),
    "python -m ddim.stages.evaluate -m cell.steps=10,20 cell.eta=0.0,hat": run(),
    "python -m ddim.adopt": elsewhere(ADOPT),
    f"GRID='{GRID}'": elsewhere(ADOPT),
    "python -m ddim.stages.sample -cn stage -m hydra/launcher=joblib $GRID": elsewhere(ADOPT),
    "python -m ddim.stages.evaluate -cn stage -m hydra/launcher=joblib $GRID": elsewhere(ADOPT),
    "ddim export digits pipeline": run(),
    "ddim compare digits mnist": run(),
    "python -m ddim.track": run(),
    "ddim track logger.mode=online": composes("account"),
    "python -m ddim.track logger.mode=online": composes("account"),
    # DVC, day to day
    "dvc exp run -n with-ddpm -S 'sweep.eta=[0.0,1.0,hat]'": run(),
    "dvc params diff": run(),
    "dvc metrics diff": run(),
    "dvc exp run --queue -S 'sweep.steps=[2],[2,3]'": run(),
    "dvc queue start": run(),
    "dvc queue status": run(),
    "dvc exp show --md --only-changed --drop 'S4.*|Executor|.*(params.yaml|/).*'": run(),
    "dvc exp show --csv": run(),
    "dvc exp show": run(),
    "dvc exp diff HEAD proof-daze": run(as_="dvc exp diff HEAD with-ddpm"),
    "dvc plots show": run(),
    "dvc plots diff HEAD proof-daze": run(as_="dvc plots diff HEAD with-ddpm"),
    "ls dvc_plots/static": run(),
    "dvc exp branch with-ddpm try-ddpm": run(),
    "dvc exp apply proof-daze": run(as_="dvc exp apply with-ddpm"),
    "dvc exp apply with-ddpm && git add reports && "
    'git commit -am "Add the DDPM row" && dvc push': run(
        as_="dvc exp apply with-ddpm && dvc remote add -d -f store ../store && git add reports && "
        'git commit -qam "Add the DDPM row" && dvc push'
    ),
    "dvc exp run -S 'sweep.steps=[10,20,50,100,200,1000]'": run(),
    "dvc exp run -S experiment=cifar10": composes("gpu"),
    "dvc exp run -S experiment=mine": elsewhere(
        "tests/docs/test_programs.py::test_an_experiment_that_a_document_shows_composes"
    ),
    "dvc commit -f train": run(),
    # a remote and a shared cache
    "dvc remote add -d store s3://bucket/ddim": run(as_="dvc remote add -d -f store ../store"),
    "dvc push": run(),
    "git clone ... && dvc pull": run(
        as_="rm -rf ../other && git clone -q . ../other && cp .dvc/config ../other/.dvc/config && "
        "cd ../other && dvc pull --allow-missing"
    ),
    "dvc repro --allow-missing": run(),
    "dvc cache dir --local /shared/dvc-cache": run(as_="dvc cache dir --local ../shared-cache"),
    "dvc config --local cache.shared group": run(),
    "dvc config --local cache.type reflink,hardlink,symlink": run(),
    "dvc config cache.type hardlink,symlink": run(),
    # what rewrites params.yaml comes last
    "python -m ddim.compose experiment=cifar10": run(),
    "python -m ddim.compose experiment=cifar10 trainer=gpu": run(),
    "python -m ddim.compose experiment=cifar10_16 data=cifar10_jpeg": run(),
    "ddim own my/images": elsewhere(
        "tests/commandline/test_own.py::test_without_the_plan_alone_the_pipeline_runs"
    ),
    "python -m ddim.compose experiment=mnist data=image_folder data.root=my/images "
    "data.channels=3 name=mine": run(),
    # several GPUs, clusters
    "python -m ddim.stages.train -cn stage trainer.strategy=ddp trainer.devices=8": elsewhere(
        "tests/training/test_ddp.py::test_training_over_two_processes_equals_the_loop_written_out"
    ),
    "dvc exp run -S experiment=cifar10 -S trainer=ddp -S trainer.devices=8 train reference": (
        composes("gpu")
    ),
    "python -m ddim.stages.sample -cn stage -m hydra/launcher=slurm "
    "hydra.launcher.partition=gpu hydra.launcher.gpus_per_node=1 "
    "hydra.launcher.cpus_per_task=8 hydra.launcher.mem_gb=32 hydra.launcher.timeout_min=240 "
    f"hydra.launcher.array_parallelism=16 {GRID}": elsewhere(SLURM),
    "sbatch --requeue --signal=USR1@90 --open-mode=append --time=4:00:00 --gpus=1 --wrap "
    "'srun python -m ddim.stages.train -cn stage'": elsewhere(SLURM_TRAINING),
    "python tests/cluster/one_node_slurm.py bash": elsewhere(SLURM),
    "srun --nodes=2 --ntasks-per-node=8 python -m ddim.stages.train -cn stage "
    "trainer.strategy=ddp trainer.devices=8 trainer.num_nodes=2": composes("cluster"),
    # loggers
    "wandb login": cannot("account"),
    "pip install 'ddim[tensorboard]'": cannot("installs"),
    "pip install 'ddim[mlflow]'": cannot("installs"),
    "python -m ddim.compose logger=tensorboard": elsewhere(
        "tests/tracking/test_loggers.py::test_tensorboard"
    ),
    "python -m ddim.dashboard logger.mode=online": cannot("account"),
    "wandb sync out/digits/wandb/offline-run-*": elsewhere(SYNC),
    "wandb sync": cannot("name"),
    "dvc metrics show": cannot("name"),
    "pip install optuna": cannot("installs"),
    "python examples/lowest_fid.py -S 10 --trials 30": elsewhere(
        "tests/cluster/test_lowest_fid.py::"
        "test_a_search_measures_cells_outside_the_grid_and_checks_the_best"
    ),
    # published weights
    "dvc exp run -S experiment=cifar10 -S train.import_from=path/to/weights.ckpt "
    "-S train.import_sha256=$(sha256sum path/to/weights.ckpt | cut -d' ' -f1) "
    "-S train.import_weights=ema": composes("images"),
    # benchmarks
    "python -m benchmarks": benchmark(),
    "python -m benchmarks all --quick": benchmark(),
    "python -m benchmarks all --device cuda --out my-results": cannot("gpu"),
    "python -m benchmarks sampling --against diffusers": benchmark(),
    "python -m benchmarks sampling --against forwards": benchmark(),
    "python -m benchmarks sampling --against sequential": benchmark(),
    "python -m benchmarks training experiment=mnist": benchmark(),
    "python -m benchmarks profile": benchmark(),
    "python -m benchmarks profile experiment=mnist train.batch_size=32": benchmark(),
    "python -m benchmarks statistics --against engines": benchmark(),
    "python -m benchmarks statistics --against torch-fidelity": benchmark(),
    "python -m benchmarks whole --out benchmarks/results": benchmark(),
    "python -m benchmarks load": benchmark(),
    "python -m benchmarks network": benchmark(),
    "python -m benchmarks pipeline": benchmark(),
    "python -m benchmarks scaling": benchmark(),
    "python -m benchmarks startup": benchmark(),
    # of those who change the code
    "pytest": cannot("suite"),
    "pytest tests/library": cannot("suite"),
    "pytest -m slow": cannot("suite"),
    "pytest -m browser": cannot("suite"),
    "pytest -n 0 -m gpu": cannot("suite"),
    "pytest -n 0 -m slurm": cannot("suite"),
    'pytest -m ""': cannot("suite"),
    'pytest -m "" --cov': cannot("suite"),
    "mypy": elsewhere(CLEAN),
    "ruff format && ruff check --fix": elsewhere(CLEAN),
    "pre-commit install": cannot("edits"),
    "git diff": run(),
    "sphinx-build -W -c docs . out/site": elsewhere(SITE),
    "python -m http.server -d out/site -b 127.0.0.1": elsewhere(SITE),
    "jupyter execute --inplace --NotebookClient.record_timing=False "
    "docs/ddim_in_ten_minutes.ipynb": elsewhere(NOTEBOOK),
    "pip install uv": cannot("installs"),
    "pip install uv && uv sync": cannot("installs"),
    "pip install 'ddim[slurm]'": cannot("installs"),
    "pip install -e . -c constraints.txt": cannot("installs"),
    "pip install --require-hashes -r requirements.txt": cannot("installs"),
    "pip install --no-deps -e .": cannot("installs"),
    "rm -f uv.lock": cannot("edits"),
    "uv export -q --no-hashes --no-emit-project --no-annotate --no-header -o constraints.txt": (
        cannot("edits")
    ),
    "uv export -q --no-dev --no-emit-project --no-annotate --no-header -o requirements.txt": (
        cannot("edits")
    ),
    "uv audit": cannot("network"),
    "uv export -q --format cyclonedx1.5 --no-dev -o out/sbom.cdx.json": elsewhere(
        "tests/project/test_pins.py::test_the_bill_of_materials_names_what_is_pinned"
    ),
    "uv venv out/lowest": cannot("installs"),
    "uv pip install -p out/lowest -r pyproject.toml --all-extras --group dev "
    "--resolution lowest-direct": cannot("installs"),
    "PYTHONPATH=src out/lowest/bin/python -m pytest tests/library tests/records tests/data "
    "tests/config": cannot("suite"),
    # names
    "dvc exp run": cannot("name"),
    "dvc exp run -S": cannot("name"),
    "dvc exp run --queue": cannot("name"),
    "dvc exp apply": cannot("name"),
    "dvc plots diff": cannot("name"),
    "dvc commit": cannot("name"),
    "ddim encode": cannot("name"),
}

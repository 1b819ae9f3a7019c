"""docs/ddim_in_ten_minutes.ipynb: its committed outputs are whole, and it runs."""

import base64
import io
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

NOTEBOOK = Path(__file__).parent.parent.parent / "docs/ddim_in_ten_minutes.ipynb"
MOST_BYTES = 2_000_000
# Cells that draw nothing: imports and helpers.
WITHOUT_PICTURE = {1}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(cell: NotebookNode) -> list[Image.Image]:
    data = [output.get("data", {}).get("image/png") for output in cell.outputs]
    return [Image.open(io.BytesIO(base64.b64decode(png))) for png in data if png]


def check_outputs(notebook: NotebookNode) -> None:
    """Every cell ran, in order, without an error; each draws one picture that shows something."""
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        kinds = {output.output_type for output in cell.outputs}
        assert kinds <= {"stream", "display_data"}, cell.source
        assert all(output.get("name") != "stderr" for output in cell.outputs), cell.source
        drawn = pictures(cell)
        assert len(drawn) == (cell.execution_count not in WITHOUT_PICTURE), cell.source
        for picture in drawn:
            assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 10, cell.source


def test_the_committed_outputs_are_whole_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    check_outputs(notebook)
    for cell in code_cells(notebook):
        drawn = [output for output in cell.outputs if "data" in output]
        assert all(output.metadata["image/png"]["alt"] for output in drawn)
        shown = "".join(output.get("text", "") for output in cell.outputs)
        assert not re.search(r"/(home|root|tmp|usr|work|Users)/", cell.source + shown)


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}  # as Jupyter starts it
    NotebookClient(notebook, timeout=600, resources=where).execute()
    check_outputs(notebook)

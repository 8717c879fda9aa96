"""The notebook: it is small, and its cells run from the first to the last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOUR = nbformat.read(ROOT / "docs" / "tour.ipynb", as_version=4)
CODE = [cell for cell in TOUR.cells if cell.cell_type == "code"]

CHECK = """
assert result.joint.mask.any() and len(result.candidates) > 1
assert result.joint.index == result.candidates.boxes[:, 3].argmax()  # the bed at the bottom
for name in ("boot", "model"):
    rows = [json.loads(line) for line in (folder / name / "log.jsonl").read_text().splitlines()]
    assert sum(row["loss"] for row in rows[-5:]) < sum(row["loss"] for row in rows[:5]), name
assert trained.corrected != result.corrected
"""


def test_it_is_small_and_holds_no_outputs():
    assert len(CODE) <= 10
    assert [cell for cell in CODE if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.process
def test_its_cells_run(tmp_path, monkeypatch):
    for name in ("TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):  # all that it writes
        monkeypatch.setenv(name, str(tmp_path))
    tour = nbformat.from_dict(TOUR)
    tour.cells.append(nbformat.v4.new_code_cell(CHECK))
    NotebookClient(tour, timeout=300, resources={"metadata": {"path": ROOT}}).execute()
    shown = [output.get("data", {}) for cell in tour.cells for output in cell.get("outputs", ())]
    assert sum("image/png" in data for data in shown) == 6  # each stage, the losses, what is learnt

"""The notebook of docs/python.md runs from top to bottom, and shows what its texts say."""

import nbformat
import pytest


@pytest.mark.slow
def test_the_notebook_runs_and_its_numbers_are_there(repository, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    book = nbformat.read(repository / "docs/examples/python.ipynb", as_version=4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells)  # nothing of somebody's machine
    names: dict = {}
    for number, cell in enumerate(cells, 1):
        exec(compile(cell.source, f"cell {number}", "exec"), names)
    assert names["judged"].n == 40 and not names["judged"].faults
    assert (names["folder"] / "mixed" / "modules.json").is_file()
    assert set(names["hits_of"]) == {"base", "mine", "guests", "mixed"}
    shown = capsys.readouterr().out
    assert "40 pairs, 0 verdicts that could not be read" in shown and "mixed − mine" in shown

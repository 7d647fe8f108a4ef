"""docs/corrected.md, executed from top to bottom as a reader would: entries written, commands run, numbers compared."""

import csv
import shutil
import subprocess

import fork_server
import pytest
from test_extending import Reader, blocks
from workflow_runs import copy_workflow


class Corrector(Reader):
    """A reader who also draws labels."""

    def run(self, text):
        for line in text.splitlines():
            if not line.startswith("make sample-labels "):
                super().run(line)
                continue
            given = dict(word.split("=", 1) for word in line.split()[2:])
            command = [fork_server.python(), "scripts/commands/sample_labels.py", "--study", given["STUDY"]]
            command += ["--of", given["OF"], "--labels", given["LABELS"]]
            process = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
            assert process.returncode == 0, process.stderr
            again = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
            assert "is there already, and may hold votes" in again.stderr


@pytest.mark.slow
def test_the_page_is_true_from_top_to_bottom(repository, tmp_path):
    reader = Corrector(copy_workflow(repository, tmp_path))
    shutil.copytree(repository / "docs" / "examples", tmp_path / "docs" / "examples")
    page = blocks(repository / "docs" / "corrected.md")
    assert [language for _, language, *_ in page] == ["yaml"] * 3 + ["console", "yaml", "console", "csv", "csv"]
    for _, language, _, value, text in page:
        if language == "console":
            reader.run(text)
        elif language == "csv":
            reader.compare_table(value, text)
        else:
            reader.write(value, text)
    sheets = [tmp_path / "labels" / "sums.csv", repository / "docs" / "examples" / "sums.votes.csv"]
    drawn, filled = (list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) for path in sheets)
    for row in (*drawn, *filled):
        del row["annotator"], row["vote"]
    assert drawn == filled
    shown = (tmp_path / "results" / "sums" / "tables" / "corrected_sums.html").read_text(encoding="utf-8")
    assert "0.514 [0.455, 0.572]" in shown
    assert (tmp_path / "results" / "sums" / "figures" / "corrected_sums.svg").is_file()

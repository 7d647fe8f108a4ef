"""docs/extending.md, executed as a new user would: every block is written or run, every number compared."""

import csv
import io
import re
from pathlib import Path

import fork_server
import pytest
from workflow_runs import copy_workflow, runner

BLOCK = re.compile(r"^```(\w+)(?: (title|after)=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EDIT = re.compile(r"replacing '(.+)' by '(.+)' in (\S+)")
CATALOGUES = ("config/benchmarks.yaml", "config/recorded.yaml", "config/sources.yaml")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def blocks(path):
    """Return (heading, language, attribute, value, text) of every block of a page."""
    page = path.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(page):
        heading = HEADING.findall(page, 0, match.start())[-1]
        found.append((heading, *match.groups()))
    return found


class Reader:
    """Somebody who does what the page says, in a copy of the workflow."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.snakemake = runner(folder)
        self.last = None  # arguments and result of the last command

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") + "\n" if name in CATALOGUES else ""
        path.write_text(before + text, encoding="utf-8")

    def run(self, text):
        for line in text.splitlines():
            tool, *arguments = line.split()
            assert tool == ".venv/bin/snakemake", line
            self.last = arguments, self.snakemake(*arguments)
            assert self.last[1].returncode == 0, f"{line}\n{self.last[1].stderr[-3000:]}"

    def compare_table(self, name, text):
        with open(self.folder / name, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        shown = list(csv.DictReader(io.StringIO(text)))
        assert shown
        held = [{key: row[key] for key in shown[0]} for row in rows]
        missing = [row for row in shown if row not in held]
        keys = list(shown[0])[:3]
        near = [row for row in held if any(all(row[key] == lost[key] for key in keys) for lost in missing)]
        assert not missing, f"{name} has {near}"

    def compare_jobs(self, text):
        output = self.last[1].stdout + self.last[1].stderr
        table = output.split("Job stats:\njob", 1)[1].split("\n", 2)[2].split("\n\n", 1)[0]
        jobs = dict(line.split() for line in table.splitlines())
        shown = dict(line.split() for line in text.splitlines())
        assert shown == {rule: jobs.get(rule) for rule in shown}

    def break_and_mend(self, edit, sentence):
        before, after, name = EDIT.fullmatch(edit).groups()
        path = self.folder / name
        right = path.read_text(encoding="utf-8")
        assert before in right
        path.write_text(right.replace(before, after), encoding="utf-8")
        process = self.snakemake(*self.last[0])
        path.write_text(right, encoding="utf-8")
        assert process.returncode != 0
        lines = (process.stdout + process.stderr).splitlines()
        assert any(line.endswith(sentence.strip()) for line in lines)  # files of config/ are named by their whole path
        assert "Traceback" not in process.stderr


@pytest.mark.slow
def test_the_page_is_true_from_top_to_bottom(repository, tmp_path):
    reader = Reader(copy_workflow(repository, tmp_path))
    page = blocks(repository / "docs" / "extending.md")
    assert len(page) > 25
    for _, language, attribute, value, text in page:
        if attribute == "after":
            reader.break_and_mend(value, text)
        elif language == "console":
            reader.run(text)
        elif language == "csv":
            reader.compare_table(value, text)
        elif value == "jobs":
            reader.compare_jobs(text)
        else:
            assert value, text
            reader.write(value, text)
    changed = {name for _, _, _, name, _ in page if name and name.startswith(("scripts/", "rules/", "Snakefile"))}
    added = (
        "data/benchmarks/panel",
        "data/benchmarks/essays",
        "evaluate/published/panel",
        "judge/recorded_formats/lines",
        "prompting/parsers/arrows",
        "merge/methods/middle",
        "report/tables/decisiveness",
        "evaluate/metrics/winners",
        "judge/backends/constant",
    )
    assert changed == {f"scripts/judgemerge/{name}.py" for name in added}


def test_the_merge_method_of_the_page_merges(repository, tmp_path, tiny_models):
    import os
    import subprocess

    from judgemerge.core import models

    copy_workflow(repository, tmp_path)
    name = "scripts/judgemerge/merge/methods/middle.py"
    (text,) = (text for _, _, _, value, text in blocks(repository / "docs" / "extending.md") if value == name)
    (tmp_path / name).write_text(text, encoding="utf-8")
    folders = {"one": tiny_models["one"], "two": tiny_models["two"], "again": tiny_models["two"]}
    command = [fork_server.python(), "scripts/commands/merge.py", "--method=middle", "--set=distance=0.5"]
    command += [f"--model={parent}={folder}" for parent, folder in folders.items()]
    command += [f"--base={tiny_models['base']}", f"--output={tmp_path / 'merged'}"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    base, two = (dict(models.tensors(tiny_models[parent])) for parent in ("base", "two"))
    for tensor, values in models.tensors(tmp_path / "merged"):
        # Two of three parents are the same, so that their values are the middle ones.
        assert values.equal(base[tensor] + 0.5 * (two[tensor] - base[tensor])), tensor


def test_every_block_of_the_page_is_understood(repository):
    page = (repository / "docs" / "extending.md").read_text(encoding="utf-8")
    assert 2 * len(BLOCK.findall(page)) == len(re.findall(r"^```", page, re.MULTILINE))


def test_the_python_of_the_page_is_in_style(repository, tmp_path):
    import subprocess
    import sys

    for number, (_, language, _, _, text) in enumerate(blocks(repository / "docs" / "extending.md")):
        if language == "python":
            (tmp_path / f"block_{number}.py").write_text(text, encoding="utf-8")
    for arguments in (["check"], ["format", "--check"]):
        settings = ["--config", str(repository / "pyproject.toml"), str(tmp_path)]
        process = subprocess.run([sys.executable, "-m", "ruff", *arguments, *settings], capture_output=True, text=True)
        assert process.returncode == 0, process.stdout


def test_git_ignores_what_the_page_writes_and_an_environment_that_is_a_link(repository, tmp_path):
    import shutil
    import subprocess

    shutil.copy(repository / ".gitignore", tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "panel.jsonl").touch()
    (tmp_path / ".venv").symlink_to(tmp_path / "elsewhere")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    process = subprocess.run(["git", "status", "--short"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["??", ".gitignore"]

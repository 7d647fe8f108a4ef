"""`pip install .`: package, command and catalogues work without a checkout, and without what only extras bring."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from endpoint_server import reply, serving
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
PAIR = {"prompt": "q", "response_a": "a", "response_b": "b"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel that pip would build, from a copy: a build leaves folders behind."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("scripts/judgemerge", "scripts/commands", "config"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(built)], cwd=source, check=True, capture_output=True)
    return next(built.glob("*.whl"))


def requirements(wheel: Path, extra: str = "") -> list[Requirement]:
    """What the wheel asks for, always or with an extra."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("METADATA"))
        lines = archive.read(name).decode().splitlines()
    every = [Requirement(line.removeprefix("Requires-Dist: ")) for line in lines if line.startswith("Requires-Dist")]
    return [one for one in every if one.marker is None or (extra and one.marker.evaluate({"extra": extra}))]


@pytest.fixture(scope="module")
def empty(wheel, tmp_path_factory) -> Path:
    """The folder bin/ of an environment that has the wheel and what it always asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--quiet", "--python"]
    subprocess.run([*install, folder / "bin/python", wheel], check=True)
    waiting, there = [one.name for one in requirements(wheel)], set()
    while waiting:
        name = waiting.pop()
        if name.lower() in there:
            continue
        there.add(name.lower())
        distribution = importlib.metadata.distribution(name)
        for top in {path.parts[0] for path in distribution.files if path.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(distribution.locate_file(top))
        needed = map(Requirement, distribution.requires or ())
        waiting += [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return folder / "bin"


def run(*command: str | Path, cwd: Path, text: str = "") -> subprocess.CompletedProcess:
    # What leads to a checkout (its Snakefile says so to the processes that it starts) is not there for a person.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    how = {"capture_output": True, "text": True, "cwd": cwd, "input": text, "timeout": 120, "env": environment}
    return subprocess.run([*map(str, command)], **how)


def test_versions_are_those_of_the_groups(wheel):
    always = {one.name: str(one.specifier) for one in requirements(wheel)}
    assert always["pandas"] == "==2.3.3"
    assert always["numpy"] == ""  # vLLM, an extra, wants another than the rest
    assert {"torch", "transformers", "snakemake"} & always.keys() == set()
    assert {str(one).partition(";")[0].strip() for one in requirements(wheel, "vllm")} >= {"vllm==0.32.0"}
    assert "torch==2.13.0" in {str(one).partition(";")[0].strip() for one in requirements(wheel, "transformers")}


def test_everything_that_a_checkout_has_beside_the_package_comes_along_once(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    here = [path for path in (ROOT / "config").rglob("*") if path.is_file()]
    assert {f"judgemerge/config/{path.relative_to(ROOT / 'config').as_posix()}" for path in here} <= names
    assert "judgemerge/commands/judge.py" in names and "judgemerge/report/web/vendor/preact.js" in names
    assert not [name for name in names if name.startswith(("tests/", "rules/", "judgemerge/judgemerge/"))]


def test_the_command_judges_by_an_endpoint_with_a_prompt_that_came_along(empty, tmp_path):
    records = json.dumps([{**PAIR, "truth": "first"}, {**PAIR, "truth": "B"}])
    with serving(lambda body, number: reply("Verdict: tie")) as endpoint:
        options = ["--model", endpoint.url, "--name", "m", "--prompt", "brief_pairwise", "--table", "table.csv"]
        process = run(empty / "judgemerge", "judge", *options, cwd=tmp_path, text=records)
    assert process.returncode == 0, process.stderr
    rows = [json.loads(line) for line in process.stdout.splitlines()]
    assert [row["judged"]["m"]["verdict"] for row in rows] == ["tie", "tie"]
    assert "accuracy" in (tmp_path / "table.csv").read_text()


def test_what_an_extra_brings_is_named_with_the_extra(empty, tmp_path):
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):  # no more is looked at before torch is
        (tmp_path / name).write_text("{}")
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    process = run(empty / "judgemerge", "judge", "--model", tmp_path, cwd=tmp_path, text=json.dumps(PAIR))
    assert process.stderr.strip().endswith("get it with pip install 'judgemerge[transformers]'")
    process = run(empty / "judgemerge", "label", "--study", "study.yaml", "--of", "x", cwd=tmp_path)
    assert process.stderr.strip().endswith("do so with pip install 'judgemerge[study]'")
    assert process.returncode == 1


def test_the_package_offers_its_functions_without_a_checkout(empty, tmp_path):
    program = (
        "from judgemerge import agreement\n"
        "import judgemerge.compare.plan\n"
        "from judgemerge import compare\n"
        "table = agreement(['first', 'tie', None], ['A', 'tie', 'B'])\n"
        "print(table.errors[0], compare(['tie'] * 3, ['first'] * 3, list('ABA')).n[0])"
    )
    process = run(empty / "python", "-c", program, cwd=tmp_path)
    assert process.stdout.split() == ["1", "3"], process.stderr


def test_what_needs_the_workflow_is_not_offered(empty, tmp_path):
    offered = run(empty / "judgemerge", "--help", cwd=tmp_path).stdout
    assert "  judge " in offered and "  status " not in offered
    process = run(empty / "judgemerge", "status", cwd=tmp_path)
    assert "call it in a checkout" in process.stderr
    process = run(empty / "judgemerge", "juge", cwd=tmp_path)
    assert process.stderr == "judgemerge: there is no command 'juge'; did you mean 'judge'?\n"

"""A job goes on in the virtual environment of its backend, where it has one and this one lacks the package."""

import json
import subprocess
import sys
import venv

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import interpreters

JOB = """\
import json, sys
from pathlib import Path
from judgemerge.core.logs import logged
from judgemerge.judge import backends, interpreters
backends.own_venv = lambda name: ("not_elsewhere", ".venv-own")
interpreters.ROOT = Path(sys.argv[1])
sys.path.append("/somewhere/else/site-packages")
with logged(sys.argv[2]):
    interpreters.enter("own")
    print("now here", file=sys.stderr)
import not_elsewhere
print("on the terminal", file=sys.stderr)
print(json.dumps({"prefix": sys.prefix, "path": sys.path, "flags": sys.flags.dont_write_bytecode}))
"""


@pytest.fixture
def own(tmp_path):
    """An environment with one package that no other has."""
    folder = tmp_path / ".venv-own"
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "not_elsewhere.py").touch()
    return folder


def run_job(tmp_path, repository):
    script = tmp_path / "job.py"
    script.write_text(JOB)
    variables = {"PYTHONPATH": str(repository / "scripts"), "PATH": ""}
    command = [sys.executable, "-B", script, tmp_path, tmp_path / "log.txt"]
    return subprocess.run(command, capture_output=True, text=True, env=variables)


def test_a_job_goes_on_in_the_environment_of_its_backend(tmp_path, repository, own):
    done = run_job(tmp_path, repository)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["prefix"] == str(own) and said["flags"] == 1
    assert "/somewhere/else/site-packages" not in said["path"]
    assert (tmp_path / "log.txt").read_text() == "now here\n"
    assert done.stderr == "on the terminal\n"


def test_a_missing_environment_is_one_sentence_that_names_the_command(tmp_path, repository):
    done = run_job(tmp_path, repository)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "the job needs .venv-own, the environment of backend 'own', which is not there; run `make "
    )
    assert done.stderr.count("\n") == 1


def test_an_environment_without_the_package_is_not_entered_again_and_again(tmp_path, repository, own):
    next(own.rglob("not_elsewhere.py")).unlink()
    done = run_job(tmp_path, repository)
    assert (done.returncode, done.stderr) == (
        1, ".venv-own: has no package not_elsewhere; make it anew with `make venv-not_elsewhere`\n",
    )  # fmt: skip


def test_a_backend_without_an_environment_of_its_own_stays_where_it_is(monkeypatch):
    monkeypatch.setattr(interpreters.os, "execv", lambda *_: pytest.fail("left this environment"))
    for name in ("transformers", "llama_cpp", "openai"):
        interpreters.enter(name)
        assert interpreters.missing(name) is None


def test_a_conda_environment_that_has_the_package_is_not_left(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreters.os, "execv", lambda *_: pytest.fail("left this environment"))
    monkeypatch.setattr(interpreters, "ROOT", tmp_path)
    monkeypatch.setattr(interpreters.backends, "own_venv", lambda name: ("yaml", ".venv-own"))
    interpreters.enter("vllm")
    monkeypatch.setattr(interpreters.backends, "own_venv", lambda name: ("not_elsewhere", ".venv-own"))
    with pytest.raises(JudgemergeError, match="make venv-not_elsewhere"):
        interpreters.enter("vllm")

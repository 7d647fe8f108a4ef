"""Every command of the documents, run as far as that costs little: Snakemake plans it, make prints it, scripts do it.

docs/corrected.md, extending.md, labelling.md and provenance.md have tests of their own, which write the files that they
need.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import fork_server
import pytest

from judgemerge.core import files

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
ELSEWHERE = {
    "corrected.md": "test_corrected_page.py",
    "extending.md": "test_extending.py",
    "labelling.md": "test_labelling.py",
    "provenance.md": "test_provenance.py",
}
INLINE = re.compile(r"`((?:\w+=\S+ )*(?:\.venv/bin/)?(?:snakemake|python3?|make) [^`]+)`")
COMMAND = re.compile(r"(?:\$ )?(?:\w+=\S+ )*(?:\.venv/bin/)?(?:snakemake|python3?|make) \S")
# What the documents leave to the reader.
FILLED = {
    "config/studies/NAME.yaml": "config/studies/meld.yaml",
    "--configfile …": "--configfile config/studies/orpo.yaml",
    "STUDY=…": "STUDY=config/studies/replay.yaml",
    "DIR=…": "DIR=somewhere",
    "<as above>": "MODEL",
}
UNTRIED = {
    "--containerize": "prints the Dockerfile for minutes; tests/unit/packaging/test_envs.py compares it",
    "--conda-create-envs-only": "makes conda environments: `make test-conda` does",
    "--sdm conda": "needs conda and a container: `make test-conda` does",
    "rocrate-validator": "a tool from the network",
    "pipx": "a tool from the network",
    "--unlock": "needs the lock of a run that was killed: tests/integration/test_faults.py has one",
}


def commands():
    """Return (place, command) of every command in a block of code, or between backquotes."""
    found = {}
    for page in PAGES:
        lines = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8")).splitlines()
        fenced = False
        for number, line in enumerate(lines, 1):
            if line.startswith("```"):
                fenced = not fenced
                continue
            code = line.strip() if fenced or line.startswith("    ") else ""
            texts = [code] if COMMAND.match(code) else [] if code else INLINE.findall(line)
            for text in texts:
                place = f"{page.relative_to(ROOT)}:{number}"
                found.setdefault((page.name if page.name in ELSEWHERE else "", plain(text)), (place, plain(text)))
    return list(found.values())


def plain(text):
    """Return a command without prompt, comment, pipe and placeholders."""
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    text = re.split(r"\s{2,}#|\s+#\s|\s+\|\s|\s+&&\s", text.removeprefix("$ "))[0]
    return text.replace(".venv/bin/", "").strip()


def skip_untried(place, command):
    page = Path(place.partition(":")[0]).name
    if page in ELSEWHERE:
        pytest.skip(f"tests/integration/{ELSEWHERE[page]} runs it")
    for part, reason in UNTRIED.items():
        if part in command:
            pytest.skip(reason)


def of(tool):
    """Return the commands of a tool; of those that differ in cores or in -n alone, the first."""
    every = [(place, command) for place, command in commands() if re.search(rf"(?:^| ){tool} ", f"{command} ")]
    found = list({tuple(sorted(_effective(command))): (place, command) for place, command in reversed(every)}.values())
    return pytest.mark.parametrize(("place", "command"), found, ids=[place for place, _ in found])


def _effective(command):
    return re.sub(r"(?:--cores|-c) \S+|-n\b", "", command).split()


def shell(command, folder, environment=None, timeout=300):
    path = os.pathsep.join([str(fork_server.tools()), os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, **(environment or {})}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout
    )


def test_there_are_commands():
    found = [command for _, command in commands()]
    assert len(found) > 60
    assert {command.split()[0] for command in found} >= {"snakemake", "python", "make"}


@pytest.mark.slow
@of("snakemake")
def test_snakemake_plans_what_the_documents_say(place, command, checkout, snakemake):
    skip_untried(place, command)
    (checkout / "DIR").mkdir(exist_ok=True)
    words = shlex.split(command)
    name = words.index("snakemake")
    variables = dict(word.split("=", 1) for word in words[:name])
    process = snakemake("--dry-run", *words[name + 1 :], variables=variables)
    said = process.stdout + process.stderr
    assert process.returncode == 0 and "Traceback" not in said, f"{place}: {command}\n{said[-3000:]}"
    assert "Job stats:" in said or "Nothing to be done" in said, f"{place}: {command}\n{said[-2000:]}"


@of("make")
def test_make_knows_the_target_and_its_variables(place, command, tmp_path):
    known = set(re.findall(r"(?m)^#\s+(\w+)=", (ROOT / "Makefile").read_text())) | {"DIR", "ARGS", "MODEL"}
    words = shlex.split(command)
    given = {word.partition("=")[0] for word in words if re.match(r"[A-Z]+=", word)}
    assert given <= known | {"CMAKE_ARGS"}, f"{place}: {command}"
    process = shell(f"{command.replace('make ', 'make -n ')}", ROOT)
    assert process.returncode == 0, f"{place}: {command}\n{process.stderr}"
    writes_its_studies = Path(place.partition(":")[0]).name in ELSEWHERE
    for study in re.findall(r"STUDY=(\S+)", command):
        assert (ROOT / study).is_file() or writes_its_studies, f"{place}: {command}"


@pytest.fixture(scope="module")
def desk(tiny_models, tmp_path_factory):
    """Return a folder that has what the documents' examples name: models, examples, pairs; the scripts beside them."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("scripts", "config", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    for name, model in (("a", "one"), ("b", "two"), ("base", "base")):
        shutil.copytree(tiny_models[model], folder / "models" / name)
    shutil.copytree(tiny_models["one"], folder / "MODEL")
    (folder / "DIR").mkdir()
    files.write_jsonl(folder / "few.jsonl", [{"input": "Why?", "output": "So."}, {"input": "When?", "output": "Now."}])
    files.write_json(folder / "items.json", [{"question_body": "2+2?", "answer1_body": "4", "answer2_body": "5"}])
    files.write_jsonl(folder / "pairs.jsonl", [{"prompt": "2+2?", "response_a": "4", "response_b": "5"}])
    files.write_jsonl(
        folder / "answers.jsonl", [{"prompt": "2+2?", "response": "4", "query": "2+2?", "reference": "4"}]
    )
    question = {"question_body": "2+2?", "category": "math"}  # in the names of MELD-Eval
    files.write_json(folder / "pairs.json", [{**question, "answer1_body": "4", "answer2_body": "5"}])
    files.write_json(folder / "grades.json", [{**question, "answer_body": "4"}])
    rubric = "[Is it right?]\n" + "\n".join(f"Score {score}: It is {score}." for score in range(1, 6))
    more = {"rubric": rubric, "criterion": "Is it right?", "reference": "4", "context": "2 and 2 are 4."}
    files.write_jsonl(folder / "graded.jsonl", [{"prompt": "2+2?", "response": "5", **more}])
    files.write_jsonl(folder / "compared.jsonl", [{"prompt": "2+2?", "response_a": "4", "response_b": "5", **more}])
    return folder


@pytest.mark.slow
@of(r"python3?")
def test_scripts_do_what_the_documents_say(place, command, desk):
    skip_untried(place, command)
    script = next(word for word in shlex.split(command) if word.endswith(".py"))
    assert (ROOT / script).is_file(), f"{place}: {command}"
    if script.startswith("benchmarks/"):  # minutes each: their options are compared
        process = shell(f"python {script} --help", desk)
        options = [word for word in shlex.split(command) if word.startswith("--")]
        assert process.returncode == 0 and all(option in process.stdout for option in options), f"{place}: {command}"
        return
    shutil.rmtree(desk / "models" / "mix", ignore_errors=True)
    process = shell(command, desk, {"OMP_NUM_THREADS": "1"})
    said = process.stdout + process.stderr
    # A random model follows no form, so nothing is judged: docs/judging.md gives that the status 2.
    allowed = (0, 2) if script.endswith("judge.py") else (0,)
    assert process.returncode in allowed and "Traceback" not in said, f"{place}: {command}\n{said[-3000:]}"

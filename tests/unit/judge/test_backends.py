"""Backends are modules: one file more is one backend more, for plans, commands and asking."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge import backends

BLOCK = re.compile(
    r'^```python title="scripts/(judgemerge/judge/backends/\w+\.py)"\n(.*?)^```$', re.DOTALL | re.MULTILINE
)
PLAN = """
import sys
from judgemerge.judge import backends
print(backends.selectable(), backends.abilities("constant"), "judgemerge.judge.backends.constant" in sys.modules)
"""


@pytest.fixture(scope="module")
def extended(repository, tmp_path_factory):
    """Return a copy of scripts/ and config/ with the backend that docs/extending.md adds."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("scripts", "config"):
        shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    ((path, text),) = BLOCK.findall((repository / "docs" / "extending.md").read_text(encoding="utf-8"))
    (folder / "scripts" / path).write_text(text, encoding="utf-8")
    return folder


def run(extended, *arguments, text=""):
    settings = {"capture_output": True, "text": True, "input": text, "env": {"PYTHONPATH": str(extended / "scripts")}}
    return subprocess.run([sys.executable, *arguments], cwd=extended, **settings)


def test_a_plan_knows_a_new_backend_and_does_not_import_it(extended):
    process = run(extended, "-c", PLAN)
    assert process.stdout == "['transformers', 'constant', 'vllm'] () False\n", process.stderr


def test_a_new_backend_judges_by_command(extended, tiny_models):
    record = {"prompt": "Name a fruit.", "response_a": "Pear", "response_b": "Chair"}
    template = 'protocol: pairwise\nuser: "{prompt} {response_a} {response_b}"\ntarget: "Verdict: {verdict}"\n'
    template += "reply: {format: verdict_line, first: left, second: right}\nmax_new_tokens: 4\n"
    (extended / "prompt.yaml").write_text(template, encoding="utf-8")
    arguments = ["--model", str(tiny_models["base"]), "--backend", "constant", "--prompt", "prompt.yaml"]
    process = run(extended, "scripts/commands/judge.py", *arguments, text=json.dumps(record))
    orders = json.loads(process.stdout)["orders"]
    assert [(one["outcome"], one["reply"]) for one in orders] == [
        ("first", "Verdict: left"),
        ("second", "Verdict: left"),
    ]
    refused = run(extended, "scripts/commands/judge.py", *arguments[:3], "constantly")
    assert refused.returncode == 2 and "transformers" in refused.stderr and "constant" in refused.stderr


def test_backends_of_manifests_are_not_to_be_chosen():
    assert set(backends.names()) - set(backends.selectable()) == {"llama_cpp", "openai"}
    assert backends.selectable()[0] == backends.DEFAULT


def test_what_a_module_declares_is_read_and_anything_else_is_not_there():
    declared = {
        name: backends.BACKENDS.declared("openai", name, None) for name in ("SELECTABLE", "_TOO_LONG", "logger")
    }
    assert declared == {"SELECTABLE": False, "_TOO_LONG": declared["_TOO_LONG"], "logger": None}
    assert "too many tokens" in declared["_TOO_LONG"] and backends.abilities("nobody") == ()


def test_a_backend_that_does_not_exist_is_named_with_the_model():
    with pytest.raises(JudgemergeError, match=r"^models/m: there is no backend 'vlm'; did you mean 'vllm'\?$"):
        backends.load("vlm", "models/m", {})


@pytest.mark.parametrize("words", ['("samplng",)', '"sampling"', '(["logprobs"],)'])
def test_abilities_that_are_no_tuple_of_the_words_are_refused(extended, words):
    (extended / "scripts/judgemerge/judge/backends/boastful.py").write_text(f"ABILITIES = {words}\n", encoding="utf-8")
    process = run(extended, "-c", "from judgemerge.judge import backends; backends.abilities('boastful')")
    sentence = f"backend 'boastful' declares ABILITIES = {ast.literal_eval(words)!r}; give a tuple of these words: "
    assert process.stderr.endswith(f"{sentence}sampling, logprobs\n")
    (extended / "scripts/judgemerge/judge/backends/boastful.py").unlink()


@pytest.mark.parametrize(
    ("kind", "body", "lacking"),
    [
        ("Backend", "pass", "continuation, score"),
        ("ScoringBackend", "pass", "continuation, score"),
        ("ScoringBackend", "score = list", "continuation"),
    ],
)
def test_a_backend_that_lacks_what_its_ability_needs_is_refused(extended, kind, body, lacking):
    text = (
        f"from judgemerge.judge.backends import {kind}\nABILITIES = ('logprobs',)\nclass Boastful({kind}):\n"
        f"    {body}\ndef load(model, settings):\n    return Boastful()\n"
    )
    (extended / "scripts/judgemerge/judge/backends/boastful.py").write_text(text, encoding="utf-8")
    process = run(extended, "-c", "from judgemerge.judge import backends; backends.load('boastful', 'models/m', {})")
    assert process.stderr.endswith(
        f"backend 'boastful' declares the ability 'logprobs', which needs what it does not have: {lacking}; write "
        "that, or take the word out of ABILITIES\n"
    )
    (extended / "scripts/judgemerge/judge/backends/boastful.py").unlink()


@pytest.mark.parametrize(
    ("package", "remedy"),
    [("nobodys_package", "install it there"), ("vllm", "docs/judging.md says how it is installed")],
)
def test_a_missing_package_is_named_with_the_module_that_needs_it(monkeypatch, package, remedy):
    def load(name):
        raise ModuleNotFoundError(name=package)

    monkeypatch.setattr(backends.BACKENDS, "load", load)
    sentence = f"(judgemerge.judge.backends.vllm) needs the package '{package}', which this environment does not have; "
    with pytest.raises(JudgemergeError, match=re.escape(sentence + remedy)):
        backends.load("vllm", "models/m", {})


def test_a_command_names_the_backend_that_lacks_an_ability(extended, tiny_models):
    arguments = ["--model", str(tiny_models["base"]), "--backend", "constant", "--prompt", "brief_pairwise_choice"]
    process = run(extended, "scripts/commands/judge.py", *arguments)
    assert process.stderr == (
        "prompt 'brief_pairwise_choice' has mode choices, but backend 'constant' gives no log-probabilities; use a "
        "model folder with backend transformers or vllm, or a prompt of mode generate\n"
    )

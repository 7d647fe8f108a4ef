"""Which environment a job runs in, and what a run says that lacks one."""

import sys
from pathlib import Path

import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.study import needed_here
from judgemerge.study.environments import Environments
from judgemerge.study.load import load_study

STUDY = {
    "study": "big",
    "gpus": 1,
    "models": {"llama": {"repo": "meta-llama/Llama-3.1-8B", "revision": "0" * 40, "size_gb": 16}},
    "base": "llama",
    "training": {"cutoff_len": 2048},
    "experts": {
        "plain": {"train_on": ["demo_pairwise_train"]},
        "four_bits": {"train_on": ["demo_pairwise_train"], "settings": {"quantization_bit": 4}},
    },
    "quantizations": {"small": {"model": "plain", "type": "Q4_K_M"}},
    "suites": {"demo": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["llama", "plain", "small"],
    "judging": {
        "backend": "vllm",
        "prompts": {"pairwise": "brief_pairwise"},
        "judges": {"plain": {"backend": "transformers"}},
    },
}
STUDIES = Path(__file__).resolve().parents[3] / "config" / "studies"
SCALES = [(path, scale) for path in sorted(STUDIES.glob("*.yaml")) for scale in load_yaml(path).get("scales") or {}]
SEARCHES = {
    "rank": {"expert": "plain", "space": {"lora_rank": {"choices": [8, 16]}}, "development": "demo_pairwise_base"},
    "bits": {"expert": "four_bits", "space": {"lora_rank": {"choices": [8, 16]}}, "development": "demo_pairwise_base"},
}


@pytest.fixture
def environments(repository):
    """Return a function: the environments of a study, with keys changed."""
    return lambda **changes: Environments(load_study({**STUDY, **changes}, "big.yaml", repository / "config"))


def test_a_judging_job_runs_where_its_backend_is(environments):
    found = {model: environments().of_replies(model) for model in ("llama", "plain", "small")}
    assert found == {
        "llama": "../envs/judge_vllm.yaml",
        "plain": "../envs/judge.yaml",
        "small": "../envs/quantize.yaml",
    }


def test_vllm_of_a_study_without_gpus_is_that_for_cpus(environments):
    experts = {"plain": STUDY["experts"]["plain"]}
    assert environments(gpus=0, experts=experts).of_replies("llama") == "../envs/judge_vllm_cpu.yaml"


def test_a_training_runs_where_the_packages_of_its_settings_are(environments):
    one, several = environments(searches=SEARCHES), environments(gpus=2)
    plain = environments(gpus=2, training={"deepspeed": "none"})
    assert [one.of_training("plain"), one.of_training("four_bits")] == ["../envs/train.yaml", "../envs/train_gpu.yaml"]
    assert several.of_training("plain") == "../envs/train_gpu.yaml"
    assert plain.of_training("plain") == "../envs/train.yaml"
    assert [one.of_trial("rank"), one.of_trial("bits")] == ["../envs/search.yaml", "../envs/search_gpu.yaml"]


@pytest.mark.parametrize(("path", "scale"), SCALES, ids=[f"{path.stem}-{scale}" for path, scale in SCALES])
def test_on_a_machine_without_gpus_the_usual_environment_is_enough(repository, path, scale):
    """What a study writes with on GPUs does not reach its scales for laptops, which would end at the first judge."""
    study = load_study(load_yaml(path) | {"scale": scale}, path.name, repository / "config")
    if study.settings.gpus == 0:
        models = [judge for judge in study.judges if study.kind(judge) == "model"]
        found = {Environments(study).of_replies(model) for model in models}
        assert found <= {"../envs/judge.yaml", "../envs/quantize.yaml"}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (
            "envs/quantize.yaml",
            "a, b need llama-cpp-python, which is not installed here; run `make venv-quantize` once",
        ),
        ("envs/train_gpu.yaml", "run `make venv-gpu` once, or start Snakemake with --sdm conda"),
        ("envs/judge_vllm.yaml", "a, b need .venv-vllm, the environment of backend 'vllm', which is not there; run"),
        ("envs/judge_vllm_cpu.yaml", "run `make venv-vllm` once"),
    ],
)
def test_a_run_that_would_end_at_a_job_without_its_packages_says_what_to_do(tmp_path, monkeypatch, file, says):
    monkeypatch.setattr(needed_here.interpreters, "ROOT", tmp_path)
    for name in ("llama_cpp", "deepspeed", "bitsandbytes"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(needed_here.importlib.util, "find_spec", lambda name: None)
    sentence = needed_here.lacking([("b", "envs/stats.yaml"), ("b", file), ("a", file)])
    assert says in sentence and "\n" not in sentence
    assert needed_here.lacking([("a", "envs/stats.yaml"), ("b", "envs/judge.yaml")]) is None

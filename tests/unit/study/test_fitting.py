"""Judge, prompt, backend, items and sampling are compared in the plan: what cannot work together is one sentence."""

import importlib
import json

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.data import benchmarks, item_fields
from judgemerge.judge import backends
from judgemerge.prompting.prompts import load_template
from judgemerge.study.load import load_study

PAIRS = {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}
GPT = {"endpoint": {"url": "https://api.example.org/v1", "model": "gpt"}}
CHOOSING = {"endpoint": {**GPT["endpoint"], "settings": {"logprobs": True}}}
COMPARISON = {
    "models": ["one", "two"],
    "questions": "vicuna_questions",
    "judges": ["one"],
    "prompts": {"pairwise": "brief_pairwise"},
}


@pytest.fixture(scope="module")
def study(repository):
    def load(**changes):
        settings = {
            "study": "small",
            "models": {"one": {"path": "one"}, "two": {"path": "two"}, "gpt": GPT},
            "base": "one",
            "suites": {
                "pairs": {"benchmarks": ["demo_pairwise", "pandalm"]},
                "grades": {"benchmarks": ["demo_pointwise", "feedback_bench_rubrics"]},
            },
            "judges": ["one"],
            "judging": {"prompts": PAIRS},
            **changes,
        }
        return load_study(settings, "study.yaml", repository / "config")

    return load


def judging(**changes):
    return {"judging": {"prompts": PAIRS, **changes}}


CHOICE = {"pairwise": "brief_pairwise_choice"}
DRAWN = {"sampling": {"temperature": 1.0}}
SMALL = {"small": {"model": "one", "type": "Q8_0"}}
MADE = {
    "seed": 1,
    "corpus": {"seed": 1},
    "heads": 4,
    "stages": [{"data": ["demo_pairwise_base"], "settings": {"max_steps": 1}}],
}
REFUSED = {
    "no item has a criterion": (
        judging(judges={"one": {"pairwise": "prometheus_relative"}}),
        "prompt 'prometheus_relative' of judge 'one' needs {criterion}, which no item of suite 'pairs' has "
        "(demo_pairwise, pandalm); name a rubric in judging.rubric, or another prompt in judging.judges.one.pairwise",
    ),
    "no item has a rubric": (
        judging(judges={"one": {"pointwise": "prometheus_absolute"}})
        | {"suites": {"grades": {"benchmarks": ["demo_pointwise"]}}},
        "needs {rubric}, which no item of suite 'grades' has (demo_pointwise); name a rubric",
    ),
    "no item has a reference": (
        judging(judges={"one": {"pairwise": "meld_pairwise_reference"}}, categories={"llmbar_natural": "coding"})
        | {"suites": {"pairs": {"benchmarks": ["llmbar_natural"]}}},
        "needs {reference}, which no item of suite 'pairs' has (llmbar_natural); take other item sets",
    ),
    "no item has a category": (
        judging(judges={"one": {"pairwise": "meld_brief_pairwise"}})
        | {"suites": {"pairs": {"benchmarks": ["llmbar_natural"]}}},
        "needs {category}, which no item of suite 'pairs' has (llmbar_natural)",
    ),
    "a metric's own form": (
        judging(judges={"one": {"pointwise": "rubric_pointwise"}}),
        "needs {evaluation_criteria}, which no item of suite 'grades' has",
    ),
    "training answers that nobody explained": (
        {"experts": {"new": {"train_on": ["meld_pairwise"], "prompts": {"pairwise": "unified_pairwise"}}}},
        "prompt 'unified_pairwise' of expert 'new' needs {explanation}, which no item of its training sets has",
    ),
    "a search's development set without a criterion": (
        judging(judges={"merged_best": {"pairwise": "prometheus_relative"}})
        | {
            "merges": {"merged": {"method": "linear", "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}}},
            "searches": {
                "merged": {
                    "merge": "merged",
                    "space": {"models.one.weight": {"low": 0.1, "high": 1.0}},
                    "development": {"demo_pairwise_development": "accuracy"},
                }
            },
            "judges": ["one", "merged_best"],
            "suites": {"pairs": {"benchmarks": ["preference_bench"]}},
        },
        "search 'merged' needs {criterion}, which no item of its development sets has (demo_pairwise_development)",
    ),
    "single grades by a rubric that pairs lack": (
        {"pairs_from_grades": {"judges": ["one"], "prompt": "prometheus_absolute"}},
        "pairs_from_grades, judge 'one' needs {rubric}, which no item of suite 'pairs' has",
    ),
    "draws of an endpoint": (
        judging(**DRAWN) | {"judges": ["gpt"]},
        "judge 'gpt' answers with backend 'openai', which dr",
    ),
    "heads that vLLM cannot divide": (
        judging(backend="vllm", judges={"made": {"gpus": 3}})
        | {"gpus": 4, "models": {"made": {"make": MADE}}, "base": "made", "judges": ["made"]},
        "judge 'made' has 4 attention heads, which backend 'vllm' cannot divide among 3 GPUs; set "
        "judging.judges.made.gpus to a number that divides 4",
    ),
    "log-probabilities of an endpoint": (
        judging(judges={"gpt": {"pairwise": "brief_pairwise_choice"}}) | {"judges": ["gpt"]},
        "backend 'openai' of judge 'gpt' gives no log-probabilities",
    ),
    "likelihoods of an endpoint that gives log-probabilities": (
        judging(judges={"gpt": {"pairwise": "likelihood_pairwise"}})
        | {"judges": ["gpt"], "models": {"one": {"path": "one"}, "gpt": CHOOSING}},
        "backend 'openai' of judge 'gpt' gives no log-probabilities, but prompt 'likelihood_pairwise' (mode "
        "likelihood) needs them; name another prompt in judging.judges.gpt.pairwise",
    ),
    "a comparison's log-probabilities": (
        {
            "model_comparisons": {
                "c": COMPARISON | {"judges": ["gpt"], "prompts": {"pairwise": "brief_pairwise_choice"}}
            }
        },
        "backend 'openai' of judge 'gpt' gives no log-probabilities, but prompt 'brief_pairwise_choice' (mode choices) "
        "needs them; name another prompt in model_comparisons.c.prompts",
    ),
    "a comparison's criterion": (
        {"model_comparisons": {"c": COMPARISON | {"prompts": {"pairwise": "prometheus_relative"}}}},
        "model_comparisons.c.prompts.pairwise 'prometheus_relative' shows {criterion}, which no question has",
    ),
    "drawn answers of an endpoint": (
        {"model_comparisons": {"c": COMPARISON | {"models": ["one", "gpt"], "generation": {"temperature": 1.0}}}},
        "generation.temperature: 'gpt' can only answer greedily here; set it to 0",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_in_the_plan(study, changes, sentence):
    with pytest.raises(JudgemergeError) as caught:
        study(**changes)
    assert str(caught.value).startswith("study.yaml: ") and "\n" not in str(caught.value)
    assert sentence in str(caught.value)


FITTING = {
    "an endpoint that gives log-probabilities": judging(judges={"gpt": {"pairwise": "brief_pairwise_choice"}})
    | {"judges": ["gpt"], "models": {"one": {"path": "one"}, "gpt": CHOOSING}},
    "a rubric of the study": judging(judges={"one": {"pairwise": "prometheus_relative"}}, rubric="helpfulness"),
    "a rubric of some items": judging(judges={"one": {"pointwise": "prometheus_absolute"}}),
    "categories of the study": judging(
        judges={"one": {"pairwise": "meld_brief_pairwise"}}, categories={"llmbar_natural": "coding"}
    )
    | {"suites": {"pairs": {"benchmarks": ["llmbar_natural"]}}},
    "draws of transformers": judging(**DRAWN),
    "draws of a quantized model": judging(**DRAWN) | {"quantizations": SMALL, "judges": ["small"]},
    "draws of vLLM": judging(backend="vllm", **DRAWN),
    "log-probabilities of transformers": judging(judges={"one": {"pairwise": "likelihood_pairwise"}}),
    "log-probabilities of vLLM": judging(backend="vllm", judges={"one": {"pairwise": "brief_pairwise_choice"}}),
    "log-probabilities of one judge's vLLM": judging(
        judges={"one": {"pairwise": "likelihood_pairwise", "backend": "vllm"}}
    ),
    "heads that vLLM can divide": judging(backend="vllm", gpus=2)
    | {"gpus": 2, "models": {"made": {"make": MADE}}, "base": "made", "judges": ["made"]},
}


@pytest.mark.parametrize("changes", FITTING.values(), ids=FITTING)
def test_what_fits_is_taken(study, changes):
    study(**changes)


def test_every_prompt_can_be_filled_from_some_set_of_the_catalogue(repository):
    """Those that show a metric's own fields, or a context, take them from metrics and files of one's own."""
    catalogue = benchmarks.load_catalogue(repository / "config" / "benchmarks.yaml")
    sets = [({"rubric", "criterion"} | item_fields.of(spec), spec["protocol"]) for spec in catalogue.values()]
    own = item_fields.of({"loader": "jsonl", "options": {"fields": {"reference": "best", "extra": ["context"]}}}) | {
        "rubric",
        "criterion",
    }
    sets += [(own, "pairwise"), (own, "pointwise")]
    given = {"prompt", "response", "response_a", "response_b", "verdict", "score", "output"}
    for path in sorted((repository / "config" / "prompts").glob("*.yaml")):
        template = load_template(path)
        needed = {"category" if name == "criteria" else name for name in template.fields} - given
        is_of_a_metric = "output" in template.extra_fields
        assert is_of_a_metric or any(needed <= held and template.protocol == protocol for held, protocol in sets), path


def test_the_full_meld_study_gives_prometheus_a_rubric(repository):
    path = repository / "config" / "studies" / "meld.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert load_study(settings, "meld.yaml", repository / "config").rubric("meld_pairwise")["criterion"]
    del settings["judging"]["rubric"]
    with pytest.raises(JudgemergeError, match="'prometheus2' needs {criterion}, which no item of suite 'meld'"):
        load_study(settings, "meld.yaml", repository / "config")


@pytest.mark.parametrize("name", ["transformers", "vllm", "openai"])
def test_a_backend_has_the_abilities_that_its_module_says(name):
    module = importlib.import_module(f"judgemerge.judge.backends.{name}")
    kind = {"transformers": "Transformers", "vllm": "VLLM", "openai": "OpenAI"}[name]
    backend = getattr(module, kind)
    assert backends.abilities(name) == module.ABILITIES == backend.abilities
    assert ("logprobs" in module.ABILITIES) == all(hasattr(backend, method) for method in backends.SCORING)


def test_every_loader_has_its_fields_named():
    assert set(item_fields.FIELDS) | {"jsonl"} == set(benchmarks.LOADERS.names)


def test_items_hold_no_other_fields_than_named(repository, tmp_path):
    """Load what the catalogue makes without raw files, and rows of a file of one's own."""
    catalogue = benchmarks.load_catalogue(repository / "config" / "benchmarks.yaml")
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"q": "?", "a": "1", "b": "2", "y": "1", "hard": 3}) + "\n", encoding="utf-8")
    fields = {"prompt": "q", "responses": ["a", "b"], "label": "y", "extra": ["hard"]}
    own = {"loader": "jsonl", "protocol": "pairwise", "sources": {"rows": "x"}}
    own["options"] = {"fields": fields, "labels": {"1": "first", "2": "second"}}
    specs = {name: (spec, {}) for name, spec in catalogue.items() if spec["loader"] == "demo"}
    for name, (spec, paths) in {**specs, "own": (own, {"rows": rows})}.items():
        items, _ = benchmarks.load_items(name, spec, paths)
        known = item_fields.of(spec)
        for item in items[:20]:
            held = {key for key in ("category", "reference") if getattr(item, key) is not None} | set(item.extra)
            assert held <= known, name

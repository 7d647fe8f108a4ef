"""Metadata of model cards: read again with the classes of huggingface_hub, as the hub and its users read it."""

import math

import pandas as pd
import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from judgemerge.core.card_metadata import head, licence_fields
from judgemerge.merge import cards

ROW = {
    "judge": "mix", "benchmark": "pairs", "protocol": "pairwise", "metric": "accuracy", "value": 0.8, "ci_low": 0.7,
    "ci_high": 0.875, "n": 300, "errors": 2, "clusters": 80, "rules": "house", "note": "",
}  # fmt: skip
OTHERS = [
    {**ROW, "metric": "kappa", "value": 0.5, "ci_low": math.nan, "ci_high": math.nan},
    {**ROW, "metric": "macro_f1", "value": math.nan, "ci_low": math.nan, "ci_high": math.nan},
    {**ROW, "benchmark": "grades", "protocol": "pointwise", "metric": "spearman", "value": 0.25},
    {**ROW, "judge": "one", "value": 0.1},
    {**ROW, "rules": "published", "value": 0.2},
    {**ROW, "metric": "tie_rate", "value": 0.3},
]
MANIFEST = {
    "digest": "d",
    "made_by": {
        "merge": {"method": "linear", "models": {"one": {"weight": 1.0}, "two": {"weight": 1.0}}, "parameters": {}},
        "parents": {"one": "1", "two": "2"},
        "threads": 1,
    },
    "versions": {"python": "3"},
}
METRICS = ("accuracy", "kappa", "macro_f1", "spearman")


def card_of(rows=(ROW, *OTHERS), **about):
    return cards.card("mix", MANIFEST, pd.DataFrame(list(rows)), {"study": "mine", **about}, METRICS)


def test_the_hub_reads_the_agreement_with_its_interval():
    card = ModelCard(card_of(source="https://example.org/mine"))
    accuracy, kappa, spearman = card.data.eval_results
    assert accuracy == EvalResult(
        task_type="text-generation",
        task_name="Judging pairs of responses",
        dataset_type="pairs",
        dataset_name="pairs",
        metric_type="accuracy",
        metric_value=0.8,
        metric_name="accuracy, 95 % interval 0.700 to 0.875, n = 300",
        metric_args={"n": 300, "errors": 2, "clusters": 80, "ci_low": 0.7, "ci_high": 0.875, "confidence": 0.95},
        source_name="judgemerge, study mine",
        source_url="https://example.org/mine",
    )
    assert (kappa.metric_value, kappa.metric_name) == (0.5, "kappa, n = 300")
    assert kappa.metric_args == {"n": 300, "errors": 2, "clusters": 80}
    assert (spearman.dataset_type, spearman.task_name) == ("grades", "Grading responses")
    assert card.data.base_model == ["one", "two"] and card.data.model_name == "mix"


def test_what_the_hub_writes_again_is_what_stands_there():
    text = card_of()
    written = yaml.safe_load(text.split("---")[1])
    name, results = model_index_to_eval_results(written["model-index"])
    assert (name, len(results)) == ("mix", 3)
    again = ModelCard(text).data.to_dict()
    assert again["model-index"][0]["results"] == written["model-index"][0]["results"]
    assert "source" not in written["model-index"][0]["results"][0]  # the hub takes no name without an address


def test_a_merge_that_was_not_judged_has_no_results():
    text = cards.card("else", MANIFEST, pd.DataFrame([ROW]), {"study": "mine"}, METRICS)
    assert "model-index" not in text and ModelCard(text).data.eval_results is None
    assert "model-index" not in card_of([{**ROW, "value": math.nan}])


@pytest.mark.parametrize(
    ("licence", "fields"),
    [
        (None, {}),
        ("", {}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("ODbL-1.0", {"license": "odbl"}),
        ("MIT License", {"license": "mit"}),
        ("Llama3.1", {"license": "llama3.1"}),
        ("Whatever You: like", {"license": "other", "license_name": "whatever-you-like"}),
        (
            "https://example.org/Mine",
            {"license": "other", "license_name": "see-link", "license_link": "https://example.org/Mine"},
        ),
    ],
)
def test_a_licence_is_said_as_the_hub_wants_it(licence, fields):
    assert licence_fields(licence) == fields
    data = ModelCard("\n".join(head({"library_name": "transformers", **licence_fields(licence)}))).data.to_dict()
    assert {name: value for name, value in data.items() if name.startswith("license")} == fields

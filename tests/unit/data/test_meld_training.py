"""MELD's training rows: taken apart again, shown with any prompt, refused in one sentence when they are not that."""

import dataclasses
import json
import shutil

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.data import stand_ins
from judgemerge.data.benchmarks import load_items
from judgemerge.data.benchmarks.meld_training import exchange_letters, explained
from judgemerge.data.sources import load_sources
from judgemerge.prompting.dimensions import Scores
from judgemerge.prompting.prompts import load_template, render, target

RAW_PAIR = {
    "id": 7,
    "question_body": "Name a prime.",
    "answer1_body": "7",
    "answer2_body": "8",
    "category": "math",
    "output": "@@@{response A: Scores per dimension: ['Right': 9, 'Overall Score': 9]}"
    "@@@{response B: Scores per dimension: ['Right': 2, 'Overall Score': 2]}"
    "###Final Result: {A}&&&Detailed Evaluation Feedback: {Response A is right, B is not.}***",
}
RAW_GRADE = {
    "id": 1,
    "question_body": "Name a prime.",
    "answer_body": "7",
    "category": "math",
    "output": "@@@Dimension Scores: {'Right': 9, 'Overall Score': 9}###Overall Score: {9}"
    "&&&Detailed Evaluation Feedback: {It is right.}***",
}


def load(tmp_path, rows, protocol, form):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    spec = {"loader": "meld_training", "protocol": protocol, "sources": {"rows": "rows"}, "options": {"form": form}}
    return load_items("training", spec, {"rows": path})


def test_a_raw_pair_becomes_rows_in_the_published_form_in_both_orders(tmp_path, repository):
    (item,), _ = load(tmp_path, [RAW_PAIR], "pairwise", "raw")
    assert (item.truth, item.category) == ("first", "math")
    template = load_template(repository / "config/prompts/meld_brief_pairwise.yaml")
    assert target(template, item, "original") == RAW_PAIR["output"]
    assert target(template, item, "swapped") == (
        "@@@{response A: Scores per dimension: ['Right': 2, 'Overall Score': 2]}"
        "@@@{response B: Scores per dimension: ['Right': 9, 'Overall Score': 9]}"
        "###Final Result: {B}&&&Detailed Evaluation Feedback: {Response B is right, A is not.}***"
    )


def test_a_raw_grade_becomes_a_row_in_the_published_form(tmp_path, repository):
    (item,), _ = load(tmp_path, [RAW_GRADE], "pointwise", "raw")
    assert item.truth == 9
    template = load_template(repository / "config/prompts/meld_brief_pointwise.yaml")
    assert target(template, item, "original") == RAW_GRADE["output"]


def test_unreadable_judgments_are_left_out_and_counted(tmp_path):
    rows = [RAW_PAIR, RAW_PAIR | {"id": 8, "output": "I like the first."}]
    items, counts = load(tmp_path, rows, "pairwise", "raw")
    assert (len(items), counts["rows"], counts["unreadable"]) == (1, 2, 1)


def test_an_unknown_category_is_an_error_before_anything_is_asked(tmp_path, repository):
    (item,), _ = load(tmp_path, [RAW_PAIR | {"category": "mathh"}], "pairwise", "raw")
    template = load_template(repository / "config/prompts/meld_brief_pairwise.yaml")
    with pytest.raises(JudgemergeError, match="has no criteria for category 'mathh'; did you mean 'math'"):
        render(template, item, "original")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"instruction": "x", "input": ""}, "has no field 'output'"),
        ({**RAW_PAIR, "instruction": "Judge.", "input": ""}, r"has no \[BEGIN DATA\]"),
        (
            {**RAW_PAIR, "instruction": "[BEGIN DATA]\n***\n[Query]: q\n***\n[END DATA]", "input": ""},
            r"lacks \[Query\] or \[Response 1\]",
        ),
    ],
)
def test_other_files_are_refused_in_one_sentence(tmp_path, row, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        load(tmp_path, [row], "pairwise", "llamafactory")


@pytest.mark.parametrize(
    ("text", "exchanged"),
    [
        ("Response A is better than B.", "Response B is better than A."),
        ("A good answer: A is short, B's is long.", "A good answer: B is short, A's is long."),
        ("Both A and B fail; response 1 more than 2.", "Both B and A fail; response 2 more than 1."),
    ],
)
def test_letters_are_exchanged_but_articles_stay(text, exchanged):
    assert exchange_letters(text) == exchanged
    assert exchange_letters(exchanged) == text


@pytest.mark.parametrize(
    "name", ["meld_pairwise", "meld_pairwise_reference", "meld_pointwise", "meld_pointwise_reference"]
)
def test_real_items_in_the_published_prompt_are_taken_apart_without_loss(tmp_path, repository, mirror, name):
    sources = tmp_path / "sources"
    sources.mkdir()
    for key, source in load_sources(repository / "config/sources.yaml").items():
        if key.startswith("meld_") and not source.unseen:
            shutil.copy(mirror / source.mirror_path, sources / key)
    protocol = name.split("_")[1]
    spec = {"loader": "meld", "protocol": protocol, "sources": {"rows": "rows"}, "options": {"form": protocol}}
    items, _ = load_items("meld", spec, {"rows": sources / f"meld_{protocol}"})
    template = load_template(repository / f"config/prompts/{name}.yaml", sources)
    if protocol == "pointwise" and name.endswith("reference"):
        items = [dataclasses.replace(item, reference="The answer.") for item in items]
    n_answers = 2 if protocol == "pairwise" else 1
    scores = [Scores({"Accuracy": 8.0, "Depth": 7.0}, 8.0), Scores({"Accuracy": 3.0}, 3.0)][:n_answers]
    rows = []
    for item in items:
        truth = {"truth": 8.0} if protocol == "pointwise" else {}
        full = dataclasses.replace(item, extra=explained(scores, "Response A is better than B."), **truth)
        prompt = render(template, full, "original")[0]["content"]
        assert "{" + "criteria}" not in prompt and "[Criteria start]" in prompt
        rows.append({"instruction": prompt, "input": "", "output": target(template, full, "original")})
    again, counts = load(tmp_path, rows, protocol, "llamafactory")
    assert counts["rows"] == len(again) == 960

    def essence(item):
        texts = (*item.turns, *(turn for response in item.responses for turn in response))
        return [text.strip() for text in texts], item.category, item.reference and item.reference.strip()

    with_reference = name.endswith("reference")
    for one, other in zip(items, again, strict=True):
        texts, category, reference = essence(one)
        assert essence(other) == (texts, category, reference if with_reference else None)


def test_the_row_of_the_training_file_stays_in_the_item(tmp_path):
    text = "Judge.\n[BEGIN DATA]\n*** \n[Query]: Name a prime.\n*** \n[Response]: 7\n*** \n[END DATA]\nGo."
    row = {"instruction": text, "input": "", "output": RAW_GRADE["output"], "note": "not copied"}
    (item,), _ = load(tmp_path, [row], "pointwise", "llamafactory")
    assert item.extra["training_row"] == {name: row[name] for name in ("instruction", "input", "output")}
    (raw,), _ = load(tmp_path, [RAW_GRADE], "pointwise", "raw")
    assert "training_row" not in raw.extra


@pytest.mark.parametrize(
    ("name", "kind", "row"),
    [("pairwise", "two submitted responses", RAW_PAIR), ("pointwise", "submitted response", RAW_GRADE)],
)
def test_the_prompt_of_the_inference_script_is_shown_as_it_is_there(tmp_path, repository, name, kind, row):
    sources = tmp_path / "sources"
    sources.mkdir()
    stand_ins.write(f"meld_infer_{name}", sources / f"meld_infer_{name}")
    for criteria in load_sources(repository / "config/sources.yaml"):
        if criteria.startswith("meld_criteria"):
            (sources / criteria).write_text(f"about {criteria}")
    (item,), _ = load(tmp_path, [row], name, "raw")
    template = load_template(repository / f"config/prompts/meld_infer_{name}.yaml", sources)
    ((message,), shown) = render(template, item, "original"), [text for (text,) in item.responses]
    text = message["content"]
    assert text.startswith(f"\n                    You are assessing {kind}")
    assert text.endswith("{'Overall Score': {score}}\n                ") and template.wording == "published"
    assert all(part in text for part in ["[Query]: Name a prime.", *shown, "math about meld_criteria_math"])
    (sources / f"meld_infer_{name}").write_text("prompts = ''")
    with pytest.raises(JudgemergeError, match="user names 'prompt', which .* does not have; did you mean 'prompts'"):
        load_template(repository / f"config/prompts/meld_infer_{name}.yaml", sources)

"""Prompts in the words that a judge was published with: taken from Python files, which are read and never run."""

from dataclasses import replace

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.data import stand_ins
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.prompts import Unrenderable, load_template, prompt_sources, render
from judgemerge.prompting.published_texts import python_arguments, python_text

MODULE = '''
raise SystemExit("this file is read, not run")
SYSTEM = "Be fair to {both}."
ASK = """Task: {question}
First: {answer_a}
Second: {answer_b}
Reference: {gold}
Keep {{braces}}. Verdict: """
BARE: str = "Task: {question}\\nFirst: {answer_a}\\nSecond: {answer_b}"
PADDED = """
  padded
""".strip()
NUMBER = 3

class Asker:
    def build(self, task, context):
        if context:
            text = f"Do {task} with {context}: {pair}"
        else:
            text = f"Do {task}: {pair}"
        form = f"{task}: {{'score': {{n}}}}"
        return text

CORRECT = Metric(
    name="Correct",
    criteria="Is it \\
right?",
    rubric=[Level(score=0, description="No."), Level(score=1, description="Yes.")],
    required_inputs=["query", "reference_answer"],
    required_output="response",
)
'''


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "words").write_text(MODULE)
    return tmp_path


def pair(**changes):
    fields = {
        "id": "1",
        "benchmark": "mine",
        "protocol": "pairwise",
        "turns": ("Why?",),
        "responses": (("Because.",), ("No.",)),
        "truth": "first",
        "reference": "So.",
        "cluster": "why",
        "origin": {"source": "words", "row": 0},
    }
    return Item(**fields | changes)


def template(folder, sources, **changes):
    raw = {
        "protocol": "pairwise",
        "wording": "published",
        "user": {
            "source": "words",
            "name": "ASK",
            "placeholders": {
                "question": "prompt",
                "answer_a": "response_a",
                "answer_b": "response_b",
                "gold": "reference",
            },
        },
        "reply": {"format": "result_label", "first": "A", "second": "B"},
        "target": "[RESULT] {verdict}",
        "max_new_tokens": 8,
        **changes,
    }
    path = folder / "theirs.yaml"
    path.write_text(yaml.safe_dump(raw))
    return load_template(path, sources)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SYSTEM", "Be fair to {both}."),
        ("BARE", "Task: {question}\nFirst: {answer_a}\nSecond: {answer_b}"),
        ("PADDED", "padded"),
        ("text", "Do {task} with {context}: {pair}"),
        ("text#2", "Do {task}: {pair}"),
        ("form", "{task}: {{'score': {{n}}}}"),
    ],
)
def test_a_text_is_found_by_its_name(sources, name, text):
    assert python_text(sources / "words", name, "p.yaml: user") == text


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ASKED", "which .*words does not have; did you mean 'ASK'"),
        ("ASK#2", "does not have"),
        ("NUMBER", "which is no text there"),
    ],
)
def test_a_name_that_is_no_text_is_refused(sources, name, problem):
    with pytest.raises(JudgemergeError, match=f"p.yaml: user names '{name}'.*{problem}|{problem}"):
        python_text(sources / "words", name, "p.yaml: user")


def test_a_file_that_is_no_python_is_refused(sources):
    (sources / "words").write_text("404: Not Found")
    with pytest.raises(JudgemergeError, match="is not Python"):
        python_text(sources / "words", "ASK", "p.yaml: user")


def test_the_published_words_are_shown_to_the_last_blank(sources, tmp_path):
    theirs = template(tmp_path, sources, system={"source": "words", "name": "SYSTEM"})
    system, user = render(theirs, pair(), "swapped")
    assert system["content"] == "Be fair to {both}."
    assert user["content"] == "Task: Why?\nFirst: No.\nSecond: Because.\nReference: So.\nKeep {braces}. Verdict: "
    assert (theirs.wording, theirs.exact) == ("published", True)
    assert prompt_sources(tmp_path / "theirs.yaml") == ["words"]


def test_braces_of_their_form_are_text_whatever_stands_in_them(sources, tmp_path):
    form = "{question}\n{answer_a}\n{answer_b}\nForm: {{response_a}} {{reference}} {category} {{{{x}}}}"
    (sources / "words").write_text(f"ASK = {form!r}\nSYSTEM = 'Be {{prompt}}.'")
    names = {"question": "prompt", "answer_a": "response_a", "answer_b": "response_b"}
    theirs = template(
        tmp_path,
        sources,
        user={"source": "words", "name": "ASK", "placeholders": names},
        system={"source": "words", "name": "SYSTEM"},
    )
    assert theirs.fields == {"prompt", "response_a", "response_b"}
    system, user = render(theirs, pair(reference=None), "original")
    assert system["content"] == "Be {prompt}."
    assert user["content"] == "Why?\nBecause.\nNo.\nForm: {response_a} {reference} {category} {{x}}"


def test_an_item_without_an_input_is_asked_otherwise(sources, tmp_path):
    both = "1: {response_a} 2: {response_b}"
    theirs = template(
        tmp_path,
        sources,
        user={
            "source": "words",
            "name": "text",
            "placeholders": {"task": "instruction", "context": "input", "pair": both},
        },
        otherwise={"source": "words", "name": "text#2", "placeholders": {"task": "prompt", "pair": both}},
        fields=["instruction", "input"],
    )
    with_input = pair(extra={"instruction": "sort", "input": "3 1 2"})
    assert render(theirs, with_input, "original")[0]["content"] == "Do sort with 3 1 2: 1: Because. 2: No."
    for extra in ({}, {"instruction": "Why?", "input": ""}):
        assert render(theirs, pair(extra=extra), "original")[0]["content"] == "Do Why?: 1: Because. 2: No."
    assert "input" not in theirs.fields


def test_a_whole_message_of_an_item_is_shown_as_it_is(sources, tmp_path):
    whole = template(tmp_path, sources, user="{published_prompt}", fields=["published_prompt"])
    asked = pair(extra={"published_prompt": "A: … B: … ###Feedback: "})
    assert render(whole, asked, "original")[0]["content"] == "A: … B: … ###Feedback: "
    for item, order in (
        (asked, "swapped"),
        (pair(), "original"),
        (pair(extra={"published_prompt": ["a", "b"]}), "original"),
    ):
        with pytest.raises(Unrenderable, match="no_published_prompt"):
            render(whole, item, order)


def test_a_metric_is_shown_in_its_makers_words(sources, tmp_path):
    path = tmp_path / "correct.yaml"
    raw = {
        "texts": {"source": "words", "name": "CORRECT"},
        "scores": {0: "as published", 1: "as published"},
        "inputs": ["query", "reference_answer"],
        "output": "response",
    }
    path.write_text(yaml.safe_dump(raw))
    metric = rubric_metrics.load_metric(path, sources)
    assert (metric.criteria, metric.rubric) == ("Is it right?", "- Score 0: No.\n- Score 1: Yes.")
    assert (rubric_metrics.load_metric(path).minimum, rubric_metrics.metric_sources(path)) == (0, ["words"])
    assert rubric_metrics.input_fields(metric, {}) == {"query": "prompt", "reference_answer": "reference"}
    path.write_text(yaml.safe_dump(raw | {"inputs": ["query"]}))
    with pytest.raises(JudgemergeError, match="correct them"):
        rubric_metrics.load_metric(path, sources)


def test_arguments_of_what_is_no_call_are_refused(sources):
    with pytest.raises(JudgemergeError, match="not made of keyword arguments"):
        python_arguments(sources / "words", "SYSTEM", "m.yaml: texts")


def test_every_published_prompt_and_metric_of_the_catalogue_loads(repository):
    prompts = [load_template(path) for path in sorted((repository / "config/prompts").glob("*.yaml"))]
    published = {prompt.name for prompt in prompts if prompt.wording == "published"}
    for judge in (
        "prometheus_absolute",
        "prometheus_relative",
        "autoj_pairwise",
        "autoj_pointwise",
        "pandalm_pairwise",
    ):
        assert f"{judge}_published" in published
    assert {"flow_judge", "flow_judge_no_inputs", "meld_pairwise", "meld_pointwise"} <= published
    for path in (repository / "config/metrics").glob("flow_judge_*.yaml"):
        assert rubric_metrics.load_metric(path).maximum in (1, 3, 5)


@pytest.mark.parametrize("reference", [False, True])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_retrieved_context_stands_after_the_instruction_in_the_makers_words(repository, tmp_path, kind, reference):
    stand_ins.write("prometheus_prompts", tmp_path / "prometheus_prompts")
    name = f"prometheus_{kind}_context{'_reference' if reference else ''}_published"
    prompt = load_template(repository / f"config/prompts/{name}.yaml", tmp_path)
    extra = {"context": "Stone floats.", "rubric": "[Right?]", "criterion": "Right?"}
    item = (
        pair(extra=extra)
        if kind == "relative"
        else pair(extra=extra, protocol="pointwise", responses=(("Because.",),), truth=3)
    )
    text = render(prompt, item, "original")[-1]["content"]
    assert "###The instruction to evaluate:\nWhy?\n\nContext:\nStone floats.\n\n###Response" in text
    assert ("###Reference Answer (Score 5):\nSo." in text) == reference
    with pytest.raises(Unrenderable, match="no_context"):
        render(prompt, replace(item, extra={"rubric": "[Right?]", "criterion": "Right?"}), "original")

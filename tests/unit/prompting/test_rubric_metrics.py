"""Metrics of rubric judges: the presets, files of one's own, required inputs, and the prompt that shows them."""

import dataclasses
import itertools

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.prompts import Unrenderable, load_template, render

PAIR = Item(
    "q1", "bench", "pairwise", ("Where is {it}?",), (("Here.",), ("There.",)), "second", "c", {"source": "made"},
    reference="Over there.", extra={"context": "It is there.", "empty": " "},
)  # fmt: skip
GRADE = dataclasses.replace(PAIR, protocol="pointwise", responses=(("Yes </response>.",),), truth=1.0)
OWN = {
    "criteria": "Is it short?",
    "scores": {1: "No.", 2: "Nearly.", 3: "Yes."},
    "inputs": ["query", "context"],
    "output": "Summary",
}


@pytest.fixture
def own(tmp_path):
    """Return a function that writes a metric with changes (None removes a key) and gives its path."""

    def write(**changes):
        path = tmp_path / "brevity.yaml"
        raw = {key: value for key, value in {**OWN, **changes}.items() if value is not None}
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write


def test_the_nine_presets_have_their_scales(repository):
    folder = repository / "config" / "metrics"
    scales = {"binary": (0, 1), "3_point": (1, 3), "5_point": (1, 5)}
    inputs = {"correctness": ("query", "reference"), "faithfulness": ("query", "context"), "relevance": ("query",)}
    for subject, scale in itertools.product(inputs, scales):
        metric = rubric_metrics.load_metric(rubric_metrics.metric_file(f"{subject}_{scale}", "here", folder))
        assert (metric.minimum, metric.maximum) == scales[scale]
        assert metric.inputs == inputs[subject]
        assert metric.description and metric.output == "response"
        template = load_template(repository / "config" / "prompts" / "rubric_pointwise.yaml")
        rubric_metrics.check_prompt(template, metric, "here")


def test_an_own_metric_by_path_and_a_misspelt_name(own, repository):
    metric = rubric_metrics.load_metric(rubric_metrics.metric_file(str(own()), "here"))
    assert (metric.name, metric.rubric) == ("brevity", "- Score 1: No.\n- Score 2: Nearly.\n- Score 3: Yes.")
    with pytest.raises(JudgemergeError, match="here names 'relevence_binary'.* did you mean 'relevance_binary'"):
        rubric_metrics.metric_file("relevence_binary", "here", repository / "config" / "metrics")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scores": {1: "a", 3: "b"}}, "describe two or more without a gap"),
        ({"scores": {1: "a"}}, "describe two or more without a gap"),
        ({"scores": {"low": "a", "high": "b"}}, "give whole numbers"),
        ({"scores": {False: "a", True: "b"}}, "give whole numbers"),
        ({"scores": {0: "a", 1: ""}}, "has no text"),
        ({"criteria": None}, "has no criteria"),
        ({"inputs": ["query", "query"]}, "a name twice"),
        ({"inputs": ["query", "Summary"]}, "a name twice"),
        ({"input": ["query"]}, "unknown key 'input'"),
    ],
)
def test_a_bad_metric_is_refused_in_one_sentence(own, changes, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        rubric_metrics.load_metric(own(**changes))


def test_inputs_come_from_the_item(own):
    metric = rubric_metrics.load_metric(own(inputs=["query", "reference", "context"]))
    assert rubric_metrics.input_values(metric, PAIR, {}) == {
        "query": "Where is {it}?", "reference": "Over there.", "context": "It is there.",
    }  # fmt: skip
    assert rubric_metrics.input_values(metric, PAIR, {"reference": "better_response"})["reference"] == "There."
    with pytest.raises(Unrenderable, match="no_context"):
        rubric_metrics.input_values(metric, PAIR, {"context": "document"})


def test_an_empty_input_is_an_error_unless_it_is_meant(own):
    metric = rubric_metrics.load_metric(own())
    with pytest.raises(JudgemergeError, match="item q1: input 'context' of metric 'brevity' is empty"):
        rubric_metrics.input_values(metric, PAIR, {"context": "empty"})
    assert rubric_metrics.input_values(metric, PAIR, {}, empty_context=True)["context"] == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"query": "q"}, "needs the input 'context', which is missing"),
        ({"query": "q", "context": "c", "contexts": "d"}, "has no input 'contexts'; did you mean 'context'"),
        ({"query": "q", "context": ["c"]}, "no text"),
        ({"query": "", "context": "c"}, "input 'query' of metric 'brevity' is empty"),
    ],
)
def test_inputs_have_to_be_exactly_those_required(own, given, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        rubric_metrics.check_inputs(rubric_metrics.load_metric(own()), given, "here")


def test_the_prompt_has_the_published_sections_in_their_order(own, repository):
    metric = rubric_metrics.load_metric(own())
    template = load_template(repository / "config" / "prompts" / "rubric_pointwise.yaml")
    values = rubric_metrics.input_values(metric, PAIR, {})
    item = dataclasses.replace(GRADE, extra=rubric_metrics.placeholders(metric, values, GRADE.responses[0][0]))
    (message,) = render(rubric_metrics.with_scale(template, metric), item, "original")
    parts = [
        "# GOAL", "<inputs>", "<query>\nWhere is {it}?\n</query>", "<context>\nIt is there.\n</context>", "</inputs>",
        "<output>\n<summary>\nYes </response>.\n</summary>\n</output>", "<evaluation_criteria>\nIs it short?",
        "<scoring_rubric>\n- Score 1: No.", "- Score 3: Yes.\n</scoring_rubric>", "# INSTRUCTIONS", "<feedback>",
        "<score>",
    ]  # fmt: skip
    places = [message["content"].index(part) for part in parts]
    assert places == sorted(places)
    assert rubric_metrics.with_scale(template, metric).reply == ReplySettings("score_tag", minimum=1, maximum=3)


def test_a_prompt_that_hides_the_metric_is_refused(own, repository):
    prompts = repository / "config" / "prompts"
    metric, alone = rubric_metrics.load_metric(own()), rubric_metrics.load_metric(own(inputs=[]))
    with pytest.raises(JudgemergeError, match="'brief_pointwise' does not show {evaluation_criteria}"):
        rubric_metrics.check_prompt(load_template(prompts / "brief_pointwise.yaml"), metric, "here")
    with pytest.raises(JudgemergeError, match="shows no inputs, but metric 'brevity' needs query, context"):
        rubric_metrics.check_prompt(load_template(prompts / "rubric_pointwise_no_inputs.yaml"), metric, "here")
    with pytest.raises(JudgemergeError, match="shows inputs, but metric 'brevity' has none"):
        rubric_metrics.check_prompt(load_template(prompts / "rubric_pointwise.yaml"), alone, "here")
    rubric_metrics.check_prompt(load_template(prompts / "rubric_pointwise_no_inputs.yaml"), alone, "here")
    unshown = rubric_metrics.load_metric(own(shown=False))
    with pytest.raises(JudgemergeError, match="grades from 1 to 10, metric 'brevity' from 1 to 3"):
        rubric_metrics.check_prompt(load_template(prompts / "brief_pointwise.yaml"), unshown, "here")


def test_a_conversation_is_shown_until_its_last_turn():
    talk = dataclasses.replace(PAIR, turns=("One?", "Two?"), responses=(("1", "2"), ("1", "3")))
    assert rubric_metrics.transcript(talk) == "[User]\nOne?\n\n[Assistant]\n1\n\n[User]\nTwo?"
    parted = dataclasses.replace(talk, responses=(("1", "2"), ("0", "3")))
    with pytest.raises(Unrenderable, match="no_shared_history"):
        rubric_metrics.transcript(parted)
    alone = dataclasses.replace(talk, protocol="prompts", responses=(), truth=None, extra={"answers": ["1", "2"]})
    assert rubric_metrics.history(alone) == ("1",)

"""Prompt templates: what a template must say, and how an item is shown."""

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import parse
from judgemerge.prompting.prompts import Template, Unrenderable, load_template, render, target, with_category

GOOD = {
    "protocol": "pairwise",
    "user": "Which is better?\nQ: {prompt}\nA: {response_a}\nB: {response_b}\n",
    "reply": {"format": "verdict_line", "first": "A", "second": "B", "tie": "tie"},
    "target": "Verdict: {verdict}",
    "max_new_tokens": 8,
}
POINT = {
    **GOOD,
    "protocol": "pointwise",
    "user": "Grade it.\nQ: {prompt}\nA: {response}",
    "reply": {"format": "score_line", "minimum": 1, "maximum": 10},
    "target": "Score: {score}",
}
PAIR = Template(name="pair", **{**GOOD, "reply": ReplySettings(**GOOD["reply"])})
GRADE = Template(name="grade", **{**POINT, "reply": ReplySettings(**POINT["reply"])})


def pair(**changes):
    return Item(
        **{
            "id": "p1",
            "benchmark": "mine",
            "protocol": "pairwise",
            "turns": ("Why?",),
            "responses": (("Because.",), ("No.",)),
            "truth": "first",
            "cluster": "why",
            "origin": {"source": "made", "row": 0},
            **changes,
        }
    )


def point(**changes):
    return pair(**{"protocol": "pointwise", "responses": (("Because.",),), "truth": 7, **changes})


def shown(template, item, order="original"):
    return render(template, item, order)[-1]["content"]


def test_the_item_is_shown_in_both_orders():
    assert render(PAIR, pair(), "original") == [
        {"role": "user", "content": "Which is better?\nQ: Why?\nA: Because.\nB: No."}
    ]
    assert shown(PAIR, pair(), "swapped") == "Which is better?\nQ: Why?\nA: No.\nB: Because."
    assert shown(GRADE, point()) == "Grade it.\nQ: Why?\nA: Because."


def test_braces_in_an_item_stay_braces():
    item = pair(
        turns=("{prompt} {response_b} {}",), responses=(("{response_a} {{x}} %s",), (r"\1 {unknown} {prompt}",))
    )
    assert shown(PAIR, item) == (
        "Which is better?\nQ: {prompt} {response_b} {}\nA: {response_a} {{x}} %s\nB: \\1 {unknown} {prompt}"
    )


def test_several_turns_are_numbered():
    item = pair(turns=("One?", "Two?"), responses=(("a1", "a2"), ("b1", "b2")))
    assert shown(PAIR, item, "swapped") == (
        "Which is better?\nQ: [Turn 1]\nOne?\n\n[Turn 2]\nTwo?\n"
        "A: [Turn 1]\nb1\n\n[Turn 2]\nb2\nB: [Turn 1]\na1\n\n[Turn 2]\na2"
    )


def test_a_system_message_comes_first():
    system = Template(name="s", **{**GOOD, "system": "You judge {category}."})
    assert render(system, pair(category="maths"), "original")[0] == {"role": "system", "content": "You judge maths."}


@pytest.mark.parametrize(
    ("field", "item", "code"),
    [
        ("reference", pair(), "no_reference"),
        ("category", pair(reference="R"), "no_category"),
        ("prompt", pair(responses=()), "no_text"),
    ],
)
def test_what_an_item_lacks_is_a_reason_code(field, item, code):
    template = Template(name="t", **{**GOOD, "user": GOOD["user"] + "{" + field + "}"})
    with pytest.raises(Unrenderable) as caught:
        render(template, item, "original")
    assert str(caught.value) == code


def test_an_empty_reference_is_shown():
    template = Template(name="t", **{**GOOD, "user": GOOD["user"] + "R: {reference}."})
    assert shown(template, pair(reference="")).endswith("R: .")


@pytest.mark.parametrize(
    ("truth", "answers"),
    [
        ("first", ["Verdict: A", "Verdict: B"]),
        ("second", ["Verdict: B", "Verdict: A"]),
        ("tie", ["Verdict: tie", "Verdict: tie"]),
    ],
)
def test_the_target_follows_the_order_shown(truth, answers):
    assert [target(PAIR, pair(truth=truth), order) for order in ("original", "swapped")] == answers


def test_a_grade_is_written_without_needless_digits():
    assert [target(GRADE, point(truth=truth), "original") for truth in (7, 7.0, 7.5)] == [
        "Score: 7",
        "Score: 7",
        "Score: 7.5",
    ]


def test_every_prompt_of_the_catalogue_reads_its_own_targets(repository):
    paths = sorted((repository / "config" / "prompts").glob("*.yaml"))
    assert paths
    for path in paths:
        template = load_template(path)
        assert template.description, path
        if template.mode != "generate":
            continue  # nothing is written, so nothing is read back
        extra = dict.fromkeys(["explanation", *template.extra_fields], "It says why.")
        if template.protocol == "pairwise":
            for truth in ("first", "second", *(["tie"] if "tie" in template.reply.labels else [])):
                for order in ("original", "swapped"):
                    answer = target(template, pair(truth=truth, extra=extra), order)
                    assert parse(answer, None, template.reply, "p1", order).outcome == truth, path
        else:
            for truth in (template.reply.minimum, template.reply.maximum):
                answer = target(template, point(truth=truth, extra=extra), "original")
                assert parse(answer, None, template.reply, "", "original").score == truth, path


BAD = {
    "unknown placeholder": (
        {"user": GOOD["user"] + "{referense}"},
        "placeholder '{referense}' is unknown; did you mean 'reference'?",
    ),
    "placeholder of the other protocol": (
        {**POINT, "user": POINT["user"] + "{response_a}"},
        "'{response_a}' is unknown",
    ),
    "missing placeholder": (
        {"user": "{prompt} {response_a}"},
        "placeholder '{response_b}' is missing from the user message",
    ),
    "unknown key": ({"usr": "x"}, "the prompt has the unknown key 'usr'"),
    "missing key": ({"target": None}, "the prompt has no target; add it"),
    "wrong type": ({"max_new_tokens": "8"}, "the prompt: max_new_tokens is '8', not int"),
    "unknown protocol": ({"protocol": "listwise"}, "protocol 'listwise' is neither pairwise nor pointwise"),
    "constant target": ({"target": "Verdict: A"}, "target is 'Verdict: A'; a pairwise one needs {verdict}"),
    "bad reply format": ({"reply": {**GOOD["reply"], "format": "verdict"}}, "reply.format 'verdict' is unknown"),
}


@pytest.mark.parametrize(("changes", "sentence"), BAD.values(), ids=BAD)
def test_a_bad_template_is_refused_in_one_sentence(tmp_path, changes, sentence):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**GOOD, **changes}.items() if value is not None}))
    with pytest.raises(JudgemergeError) as caught:
        load_template(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


VERDICTS = {"user": "{prompt} {response_a} {response_b}", "protocol": "pairwise", "max_new_tokens": 8}
GRADES = {"user": "{prompt} {response}", "protocol": "pointwise", "max_new_tokens": 8}
TARGETS = {
    "verdict_line": "Verdict: {verdict}",
    "double_brackets": "[[{verdict}]]",
    "final_verdict": "Final Verdict: [[{verdict}]]",
    "final_result": "###Final Result: {{verdict}}&&&",
    "final_decision": "So, the final decision is {verdict}.",
    "first_line": "{verdict}",
    "result_label": "[RESULT] {verdict}",
    "score_line": "Score: {score}",
    "overall_score": "###Overall Score: {{score}}&&&",
    "rating_brackets": "Rating: [[{score}]]",
    "integer": "{score}",
    "result_score": "[RESULT] {score}",
    "score_tag": "<score>{score}</score>",
}
PAIRWISE = [name for name, text in TARGETS.items() if "{verdict}" in text]
POINTWISE = [name for name, text in TARGETS.items() if "{score}" in text]


def loaded(folder, reply, target=None):
    """Return the template of a file with these reply settings, `reply` as YAML, and the format's usual target."""
    name = yaml.safe_load(reply)["format"]
    rest = {**(VERDICTS if name in PAIRWISE else GRADES), "target": target or TARGETS[name]}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(rest) + f"reply: {reply}\n", encoding="utf-8")
    return load_template(path)


@pytest.mark.parametrize("name", PAIRWISE)
@pytest.mark.parametrize(
    "labels",
    [
        'first: "A>B", second: "B>A", tie: "A=B"',
        "first: Response A, second: Response B, tie: Neither of them",
        "first: Output (a), second: Output (b)",
        "first: Assistant A, second: Assistant B, tie: a tie",
        'first: "yes", second: "no"',
        "first: 1, second: 2, tie: 0",
        "first: A, second: AB",
        "first: modèle_1, second: 模型二",
    ],
)
def test_every_format_reads_labels_of_any_kind(tmp_path, name, labels):
    template = loaded(tmp_path, f"{{format: {name}, {labels}}}")
    written = target(template, pair(truth="second"), "original")
    assert parse(written, None, template.reply, "", "original").outcome == "second"


LABELS = {
    "words that YAML reads as truth values": (
        "{format: verdict_line, first: yes, second: no}",
        "mine.yaml: line 5: YAML reads yes without quotes as true; put the word in quotes",
    ),
    "off": ('{format: first_line, first: "on", second: Off}', "YAML reads Off without quotes as false"),
    "a truth value": (
        "{format: verdict_line, first: true, second: B}",
        "reply.first is True, no text; put",
    ),
    "a label twice": (
        "{format: verdict_line, first: A, second: A}",
        "reply.first 'A' and reply.second 'A' are read",
    ),
    "labels that differ in case": ("{format: double_brackets, first: A, second: a}", "are read alike"),
    "labels that differ in blanks": ('{format: first_line, first: "A B", second: "a  b"}', "are read alike"),
    "nothing": ("{format: verdict_line, first: A, second: B, tie: }", "reply.tie is None, no text"),
    "blank": ('{format: verdict_line, first: A, second: " "}', "reply.second is empty"),
    "a list": ("{format: verdict_line, first: [A], second: B}", "reply.first is ['A'], no text"),
    "a fraction": ("{format: verdict_line, first: 1.0, second: 2.0}", "reply.first is 1.0, no text"),
    "marks of emphasis": ('{format: verdict_line, first: "**", second: B}', "reads '**' in the target as"),
    "a scale as text": ('{format: score_line, minimum: "1", maximum: 5}', "reply.minimum is '1'; give a number"),
    "a scale that falls": (
        "{format: score_line, minimum: 5, maximum: 1}",
        "minimum is 5 and reply.maximum 1",
    ),
    "a scale of one score": ("{format: integer, minimum: 3, maximum: 3}", "the minimum must be the smaller one"),
    "no end": ("{format: rating_brackets, minimum: 1, maximum: null}", "reply.maximum is None; give a number"),
    "an end that is no number": (
        "{format: score_line, minimum: 0, maximum: .nan}",
        "reply.maximum is nan; give",
    ),
    "an endless scale": ("{format: score_line, minimum: 0, maximum: .inf}", "reply.maximum is inf; give a number"),
    "a truth value as an end": (
        "{format: score_line, minimum: false, maximum: 5}",
        "reply.minimum is False; give",
    ),
    "halves in a format of whole numbers": (
        "{format: result_score, minimum: 0.5, maximum: 5}",
        "reply.minimum is 0.5; give a whole number, as format 'result_score' reads them",
    ),
}


@pytest.mark.parametrize(("reply", "sentence"), LABELS.values(), ids=LABELS)
def test_labels_and_scales_that_a_format_cannot_read_are_refused(tmp_path, reply, sentence):
    with pytest.raises(JudgemergeError) as caught:
        loaded(tmp_path, reply)
    assert str(caught.value).startswith(str(tmp_path / "mine.yaml"))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", POINTWISE)
@pytest.mark.parametrize(("minimum", "maximum"), [(0, 1), (-2, 2), (1, 100), (0, 1_000_000), (-1, 0)])
def test_every_format_reads_every_score_of_its_scale(tmp_path, name, minimum, maximum):
    template = loaded(tmp_path, f"{{format: {name}, minimum: {minimum}, maximum: {maximum}}}")
    for truth in (minimum, maximum):
        written = target(template, point(truth=truth), "original")
        assert parse(written, None, template.reply, "", "original").score == truth


def test_a_target_that_its_format_cannot_read_is_refused(tmp_path):
    with pytest.raises(JudgemergeError, match="format 'verdict_line' reads 'A' in the target as no_verdict"):
        loaded(tmp_path, "{format: verdict_line, first: A, second: B}", "Verdict: {verdict}, because {explanation}")
    with pytest.raises(JudgemergeError, match="format 'score_tag' reads '1' in the target as no_score"):
        loaded(tmp_path, "{format: score_tag, minimum: 1, maximum: 5}", "Score: {score}")


def test_an_unknown_template_names_the_nearest(repository):
    with pytest.raises(JudgemergeError, match=r"there is no prompt 'brief_pairwize'; did you mean 'brief_pairwise'\?"):
        load_template(repository / "config" / "prompts" / "brief_pairwize.yaml")


@pytest.mark.parametrize(
    ("categories", "expected"),
    [
        ({}, "humanities"),
        ({"mine": "writing"}, "writing"),
        ({"mine": {"humanities": "knowledge", "stem": "science"}}, "knowledge"),
        ({"mine": {"stem": "science"}}, "humanities"),
        ({"another": "writing"}, "humanities"),
    ],
)
def test_an_item_gets_the_criteria_of_the_category_that_the_study_names(categories, expected):
    assert with_category(pair(category="humanities"), categories).category == expected

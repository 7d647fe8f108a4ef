"""Judging by log-probabilities: the two formats, what is asked, and the scoring of a real tiny model."""

import json
import math

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.judge import judging
from judgemerge.judge.requests import SCORED, ask
from judgemerge.judge.store import Store
from judgemerge.prompting import prompts
from judgemerge.prompting.parsing import parse

LIKELIHOOD = prompts.load_template("config/prompts/likelihood_pairwise.yaml")
CHOICE = prompts.load_template("config/prompts/brief_pairwise_choice.yaml")
GRADE = prompts.load_template("config/prompts/brief_pointwise_choice.yaml")


def reply(logprobs, tokens):
    return json.dumps({"logprobs": logprobs, "tokens": tokens})


def outcome(template, text, order="original"):
    verdict = parse(text, None, template.reply, "i", order)
    return verdict.outcome if verdict.outcome != "error" else verdict.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (reply([-4.0, -6.0], [2, 4]), "second"),  # averages −2 and −1.5, though the first sum is higher
        (reply([-4.0, -9.0], [2, 4]), "first"),
        (reply([-3.0, -6.0], [2, 4]), "tie"),
        (reply([-3.0], [2]), "no_verdict"),
        (reply([-3.0, math.nan], [2, 2]), "no_verdict"),
        (reply([-3.0, -math.inf], [2, 2]), "no_verdict"),
        (reply([-3.0, -2.0], [0, 2]), "no_verdict"),
        ('{"logprobs": "ab", "tokens": [1, 1]}', "no_verdict"),
        ("Verdict: A", "no_verdict"),
        ("[1, 2]", "no_verdict"),
        ("", "empty"),
    ],
)
def test_likelihoods(text, expected):
    assert outcome(LIKELIHOOD, text) == expected


def test_choices_take_the_most_probable_label_and_map_it_back():
    assert outcome(CHOICE, reply([-1.0, -2.0, -3.0], [1, 1, 1])) == "first"
    assert outcome(CHOICE, reply([-1.0, -2.0, -3.0], [1, 1, 1]), "swapped") == "second"
    assert outcome(CHOICE, reply([-2.0, -2.0, -1.0], [1, 1, 1])) == "tie"
    assert outcome(CHOICE, reply([-1.0, -1.0, -3.0], [1, 1, 1])) == "no_verdict"
    assert outcome(CHOICE, reply([-1.0, -2.0], [1, 1])) == "no_verdict"


def test_grades_by_choice():
    assert parse(reply([-5.0] * 6 + [-0.1] + [-5.0] * 3, [1] * 10), None, GRADE.reply, "i", "original").score == 7
    assert outcome(GRADE, reply([-5.0] * 10, [1] * 10)) == "no_score"


def test_choices_begin_like_the_training_answer():
    assert prompts.choices(CHOICE) == ("Verdict:", (" A", " B", " tie"))
    assert prompts.choices(GRADE) == ("Score:", tuple(f" {grade}" for grade in range(1, 11)))


def test_a_mode_and_a_format_that_do_not_belong_together_are_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("protocol: pairwise\nmode: likelihood\nreply: {format: verdict_line, first: A, second: B}\n")
    with pytest.raises(JudgemergeError, match="reads replies of mode generate"):
        prompts.load_template(path)
    path.write_text("protocol: pairwise\nmode: likelyhood\n")
    with pytest.raises(JudgemergeError):
        prompts.load_template(path)


def item(turns=("Name animals.",), responses=(("fox owl",), ("spoon lamp chair",)), **kwargs):
    return Item(
        id="i", benchmark="b", protocol="pairwise", turns=turns, responses=responses, truth="first", cluster="c",
        origin={}, **kwargs,
    )  # fmt: skip


def test_a_conversation_keeps_system_and_history():
    found = item(("a", "b"), (("x", "good"), ("x", "bad")), extra={"system": "s"})
    messages, answers = prompts.conversation(LIKELIHOOD, found)
    assert [(m["role"], m["content"]) for m in messages] == [
        ("system", "s"), ("user", "a"), ("assistant", "x"), ("user", "b"),
    ]  # fmt: skip
    assert answers == ("good", "bad")
    with pytest.raises(prompts.Unrenderable, match="no_shared_history"):
        prompts.conversation(LIKELIHOOD, item(("a", "b"), (("x", "good"), ("y", "bad"))))


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    from judgemerge.judge.backends.transformers import Transformers
    from judgemerge.synthetic import demo_tasks, tiny

    folder = tmp_path_factory.mktemp("model")
    tiny.make_base(folder, demo_tasks.corpus(seed=1), seed=1, layers=2, vocab_size=1024)
    return Transformers(folder, "float32", 512, 1)


def by_hand(backend, text, option):
    """The log-probability of `option` after `text`, one token after the other, without padding or batches."""
    import torch

    ids = backend.tokenizer(text, add_special_tokens=False)["input_ids"]
    total = 0.0
    for token in backend.tokenizer(option, add_special_tokens=False)["input_ids"]:
        logits = backend.model(torch.tensor([ids])).logits[0, -1]
        total += float(torch.log_softmax(logits, -1)[token])
        ids = [*ids, token]
    return total


def test_scores_are_those_of_the_single_steps_in_any_batch(backend):
    questions = [
        ("Name animals of Arland.", (" fox owl deer", " spoon")),
        ("A", (" tie",)),
        ("Which answer is better: A, B or tie? Question:", (" A", " B", " tie")),
        ("List animals seen near Helvia, please.", ("", " bear") if False else (" bear", " wolf horse")),
    ]
    found = {index: json.loads(c.text) for batch in backend.score(questions) for index, c in batch}
    for index, (text, options) in enumerate(questions):
        expected = [by_hand(backend, text, option) for option in options]
        assert found[index]["logprobs"] == pytest.approx(expected, abs=1e-4)
    skipped = [index for batch in backend.score(questions, skip={0, 2}) for index, _ in batch]
    assert sorted(skipped) == [1, 3]


def test_equal_responses_are_scored_once_and_tie(backend):
    questions = [("Name animals of Arland.", (" fox owl deer", " fox owl deer")), ("B", (" bear", " wolf horse"))]
    found = [(index, json.loads(c.text)) for batch in backend.score(questions) for index, c in batch]
    assert sorted(index for index, _ in found) == [0, 1]
    one, two = dict(found)[0]["logprobs"]
    assert one == two == pytest.approx(by_hand(backend, questions[0][0], " fox owl deer"), abs=1e-4)


def test_a_continuation_ends_the_turn(backend):
    messages = [{"role": "user", "content": "hello"}]
    assert backend.continuation(messages, "fox owl") == "fox owl<|eot_id|>"


def test_likelihood_is_asked_once_and_judged_without_generation(backend, tmp_path):
    requests = judging.plan([item()], {"pairwise": LIKELIHOOD}, backend, 1000)
    assert [(one.about.order, one.parameters) for one in requests] == [("original", SCORED)]
    with Store.of_model(tmp_path, "s") as store:
        assert ask(requests, backend, store).n_new == 1
        (row,) = judging.replies(requests, store)
    sums = json.loads(row.reply)["logprobs"]
    text = backend.render([{"role": "user", "content": "Name animals."}])
    assert sums == pytest.approx(
        [by_hand(backend, text, f"{answer}<|eot_id|>") for answer in ("fox owl", "spoon lamp chair")], abs=1e-4
    )
    with Store.of_model(tmp_path, "s") as again:
        assert ask(requests, backend, again).n_new == 0


def test_a_long_answer_counts_as_a_long_prompt(backend):
    long = item(responses=(("fox " * 300,), ("owl",)))
    requests = judging.plan([long], {"pairwise": LIKELIHOOD}, backend, 100)
    assert requests[0].reason == "prompt_too_long"


def test_a_backend_without_log_probabilities_says_so():
    class Silent:
        digest_settings = ""
        abilities = ()

    with pytest.raises(JudgemergeError, match="mode likelihood"):
        judging.plan([item()], {"pairwise": LIKELIHOOD}, Silent(), 100)

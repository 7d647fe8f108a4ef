"""vLLM and Transformers, each in its own environment, say the same, log-probabilities and draws included."""

import re
from collections import Counter

import pytest

from judgemerge.core.items import read_items
from judgemerge.prompting.parsing import Reply, parse_row
from judgemerge.prompting.prompts import load_template

KEPT = ("benchmark", "item", "order", "reply", "reason", "prompt_tokens", "reply_tokens", "finish_reason")
BRIEF = ["brief_pairwise", "brief_pointwise"]


def verdicts(done, repository):
    """Return the outcome, score and reason of every reply."""
    formats = {name: load_template(repository / "config" / "prompts" / f"{name}.yaml").reply for name in BRIEF}
    return [
        parse_row(Reply(**row), formats["brief_pairwise" if "pair" in row["benchmark"] else "brief_pointwise"])
        for row in done.replies
    ]


@pytest.fixture(scope="module")
def both(judge, items, tiny_models, tmp_path_factory):
    """Return the same suite judged by both backends."""
    folder = tmp_path_factory.mktemp("both")
    return {name: judge(name, folder / name, tiny_models["base"], items, BRIEF) for name in ("transformers", "vllm")}


def test_replies_and_verdicts_are_the_same(both, repository):
    assert both["vllm"].process.returncode == 0, both["vllm"].stderr + both["vllm"].log[-3000:]
    expected, found = ([{key: row[key] for key in KEPT} for row in both[name].replies] for name in both)
    assert len(found) == 36 and found == expected
    assert verdicts(both["vllm"], repository) == verdicts(both["transformers"], repository)


def test_what_vllm_and_its_processes_say_is_in_the_jobs_log_alone(both):
    done = both["vllm"]
    assert done.stdout == "" and done.stderr == ""
    assert len(re.findall(r"\[\w+\.py:\d+\]", done.log)) > 5
    assert "36 of 36 prompts" in done.log


def test_orders_of_a_pair_and_prompts_of_a_suite_share_what_they_begin_with(both):
    known, read = map(int, re.search(r"(\d+) of (\d+) prompt tokens were known", both["vllm"].log).groups())
    assert 0.2 < known / read < 1


def test_a_model_that_somebody_trained_says_the_same(judge, items, real_model, tmp_path, repository):
    prompts = ["plain_pairwise", "plain_pointwise"]
    done = {
        name: judge(name, tmp_path / name, real_model, items, prompts, max_prompt_tokens=2000)
        for name in ("transformers", "vllm")
    }
    expected, found = ([row["reply"] for row in one.replies] for one in done.values())
    assert len(found) == 36 and found == expected
    print(Counter(row["finish_reason"] for row in done["vllm"].replies), done["vllm"].folder)


def test_a_turn_ends_where_the_template_ends_it_and_a_system_turn_may_be_refused(ask, turn_over, tmp_path):
    users = [[{"role": "user", "content": f"Say {number}."}] for number in range(10)]
    users += [[{"role": "system", "content": "Be brief."}, *one] for one in users[:5]]
    step = {"do": "complete", "messages": users, "max_new_tokens": 60}
    (expected,), (found,) = (ask(name, tmp_path, turn_over, [step]) for name in ("transformers", "vllm"))
    assert found == expected
    (longer,) = ask("transformers", tmp_path, turn_over, [{**step, "max_new_tokens": 120}])
    assert sum(one == other for one, other in zip(found, longer, strict=True)) >= 5  # the turn ended by itself
    assert not any("turn_over" in reply for reply in found)


@pytest.fixture(scope="module")
def asked(ask, items, tiny_models, tmp_path_factory):
    """Return a function: what both backends make of the steps, which are done in one process each."""
    pairs = [item for path in items for item in read_items(path) if item.protocol == "pairwise"]
    conversations = [[{"role": "user", "content": item.turns[0]}] for item in pairs]
    labels = [[messages, "Verdict:", [" A", " B", " tie"], None] for messages in conversations]
    words = [[messages, "", ["one two three", "four", " A", "one two three"], None] for messages in conversations]
    answers = [
        [messages, "", None, [response[-1] for response in item.responses]]
        for messages, item in zip(conversations, pairs, strict=True)
    ]
    draw = {"do": "complete", "messages": conversations, "max_new_tokens": 20, "temperature": 1.0, "top_p": 0.9}
    seeds = list(range(100, 100 + len(conversations)))
    steps = {
        "labels": {"do": "score", "questions": labels},
        "words": {"do": "score", "questions": words},
        "answers": {"do": "score", "questions": answers},
        "drawn": {**draw, "seeds": seeds},
        "drawn again": {**draw, "seeds": seeds},
        "drawn backwards": {**draw, "messages": conversations[::-1], "seeds": seeds[::-1]},
        "drawn alone": {**draw, "messages": conversations[:1], "seeds": seeds[:1]},
        "drawn by other seeds": {**draw, "seeds": [seed + 1 for seed in seeds]},
        "drawn by the batch's seed": draw,
        "the same again": draw,
        "penalized": {**draw, "repetition_penalty": 1.5, "seeds": seeds},
    }
    folder = tmp_path_factory.mktemp("asked")
    both = {
        name: ask(name, folder, tiny_models["base"], [dict(step) for step in steps.values()])
        for name in ("transformers", "vllm")
    }
    return {name: dict(zip(steps, results, strict=True)) for name, results in both.items()}


@pytest.mark.parametrize("what", ["labels", "words", "answers"])
def test_log_probabilities_are_those_of_transformers(asked, what):
    expected, found = (asked[name][what] for name in ("transformers", "vllm"))
    assert [one["tokens"] for one in found] == [one["tokens"] for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=1e-3)
    assert len({round(one["logprobs"][0], 3) for one in found}) > 3


def test_a_drawn_reply_depends_on_its_seed_alone(asked):
    drawn = asked["vllm"]
    assert drawn["drawn"] == drawn["drawn again"] == drawn["drawn backwards"][::-1]
    assert drawn["drawn"][:1] == drawn["drawn alone"]
    assert len(set(drawn["drawn"])) > 6
    assert sum(one == other for one, other in zip(drawn["drawn"], drawn["drawn by other seeds"], strict=True)) <= 2
    assert drawn["drawn by the batch's seed"] == drawn["the same again"] != drawn["drawn"]
    assert drawn["penalized"] != drawn["drawn"]

"""What people choose from, which scale that is, and which key stands for what."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from label_cases import item

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Vote
from judgemerge.label.choices import choices_of, grade_choices, pair_choices, parse_scale
from judgemerge.prompting.rubric_metrics import Metric


def study(*ends):
    """Return a study whose judges are told to grade between these ends; a recorded judge is told nothing."""
    prompts = {f"prompt{number}": SimpleNamespace(minimum=low, maximum=high) for number, (low, high) in enumerate(ends)}
    return SimpleNamespace(
        judges_of=lambda _: [*prompts, "recorded"],
        kind=lambda judge: "recorded" if judge == "recorded" else "model",
        prompt=lambda judge, _: judge,
        template=lambda name: SimpleNamespace(reply=prompts[name]),
    )


def graded(*votes, truth=None):
    """Return answers with these votes."""
    some = [item(number, "pointwise") for number in range(len(votes) or 1)]
    given = [(Vote("a", vote),) for vote in votes] or [()]
    return [replace(one, votes=mine, truth=truth) for one, mine in zip(some, given, strict=True)]


def values(choices):
    return [choice.value for choice in choices]


def test_pairs_have_the_keys_one_two_three():
    assert [(choice.key, choice.value) for choice in pair_choices()] == [("1", "left"), ("2", "right"), ("3", "tie")]
    assert values(choices_of(study(), "set", None, [item(1)], None, False)) == ["left", "right"]
    with pytest.raises(JudgemergeError, match="people compare pairs of 'set'"):
        choices_of(study(), "set", None, [item(1)], "1-5", True)


@pytest.mark.parametrize(
    ("scale", "keys"),
    [("1-5", "12345"), ("0-3", "0123"), ("1-10", "1234567890"), ("0-10", "0123456789a"), ("0-1:0.25", "0abc1"),
     ("5-100:5", "50abcdefghijkmnoqrst"),
     ("-1 to 1", "a01"), ("1–3", "123")],
)  # fmt: skip
def test_every_grade_has_a_key(scale, keys):
    choices = grade_choices(parse_scale(scale))
    assert "".join(choice.key for choice in choices) == keys
    assert len({choice.key for choice in choices} & set("ulp")) == 0
    assert all(type(choice.value) is int for choice in choices) == ("." not in scale)


@pytest.mark.parametrize("scale", ["5-1", "1-1", "x", "", "1-5:0", "0-1:0.3", "0-100", "1-5:", "nan-5", "1e3-2e3"])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(JudgemergeError, match="--scale is"):
        parse_scale(scale)


def test_the_scale_is_the_metrics_own_with_its_words():
    metric = Metric("kind", "Is it kind?", {1: "no", 2: "partly", 3: "yes"}, (), "response")
    choices = choices_of(study((1, 10)), "set", metric, graded(), None, True)
    assert [choice.words for choice in choices] == ["1: no", "2: partly", "3: yes"]
    assert values(choices_of(study(), "set", metric, graded(), "0-1", True)) == [0, 1]


def test_the_scale_of_a_benchmark_is_that_of_its_judges_and_of_the_votes():
    assert values(choices_of(study((1, 5), (None, None)), "set", None, graded(2, 3), None, True)) == [1, 2, 3, 4, 5]
    assert values(choices_of(study((1, 5)), "set", None, graded(0, 3), None, True)) == [0, 1, 2, 3, 4, 5]
    assert values(choices_of(study(), "set", None, graded(2, 4), None, True)) == [2, 3, 4]
    assert values(choices_of(study((1, 3)), "set", None, graded(truth=None), None, True)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("some", "why"),
    [
        (graded(), "nobody has graded it"),
        (graded(1, 2.5), "its grades are not all whole numbers"),
        (graded(3, 3), "or all the same"),
        (graded(1, 100), "reach from 1 to 100"),
    ],
)
def test_a_scale_that_is_not_known_has_to_be_given(some, why):
    with pytest.raises(JudgemergeError, match=why):
        choices_of(study(), "set", None, some, None, True)
    assert values(choices_of(study(), "set", None, some, "1-3", True)) == [1, 2, 3]

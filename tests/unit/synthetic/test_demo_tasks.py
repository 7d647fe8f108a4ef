"""The demo tasks: stable for a seed, splits that share no question, ties and errors at the stated rates."""

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.files import sha256_text
from judgemerge.core.items import CLASSES, PROTOCOLS, SWAPPED
from judgemerge.prompting import parsing, prompts
from judgemerge.synthetic import demo_tasks

ANIMALS = set("fox owl deer bear wolf horse sheep goat".split())  # noqa: SIM905
POLITE = set("please thanks welcome gladly kindly pardon certainly sincerely".split())  # noqa: SIM905
# Each rule a second time, decided from the word itself and not from the generator's lists.
RULES = {
    "knowledge": lambda word: word in ANIMALS,
    "arithmetic": lambda word: int(word) % 2 == 0,
    "instruction": lambda word: word.islower(),  # the German words are nouns, which German writes with a capital
    "courtesy": lambda word: word in POLITE,
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_same_arguments_same_items(protocol):
    first = demo_tasks.make_items(protocol, "test", 40, 7)
    assert first == demo_tasks.make_items(protocol, "test", 40, 7)
    assert first != demo_tasks.make_items(protocol, "test", 40, 8)
    assert first[:20] == demo_tasks.make_items(protocol, "test", 20, 7)


def test_items_do_not_change_between_versions():
    """A changed generator changes every demo number: change the digest only together with the changelog."""
    items = [item for protocol in PROTOCOLS for item in demo_tasks.make_items(protocol, "test", 50, 1)]
    assert sha256_text(repr(items))[:16] == "74f2c8ca810f61c9"


def test_splits_share_no_question_and_hold_every_category():
    asked = {
        split: {
            item.cluster
            for protocol in PROTOCOLS
            for seed in (1, 2)
            for item in demo_tasks.make_items(protocol, split, 300, seed)
        }
        for split in demo_tasks.SPLITS
    }
    assert sum(map(len, asked.values())) == len(set().union(*asked.values()))
    for split in demo_tasks.SPLITS:
        items = demo_tasks.make_items("pairwise", split, 300, 1)
        assert {item.category for item in items} == set(demo_tasks.CATEGORIES)
        assert len(asked[split]) > 60  # enough clusters for an interval


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_hidden_truth_follows_the_rule_of_the_category(protocol):
    for item in demo_tasks.make_items(protocol, "test", 400, 3, annotator_error=0):
        counts = [sum(map(RULES[item.category], response[0].split())) for response in item.responses]
        assert counts == item.extra["n_good"]
        if protocol == "pairwise":
            expected = "tie" if counts[0] == counts[1] else ("first", "second")[counts[1] > counts[0]]
        else:
            expected = {0: 1, 1: 3, 2: 5, 3: 8, 4: 10}[counts[0]]
        assert item.truth == item.extra["hidden"] == expected


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_items_differ_and_name_their_source(protocol):
    items = demo_tasks.make_items(protocol, "train", 500, 1)
    assert len({(item.turns, frozenset(item.responses)) for item in items}) == 500
    assert len({item.id for item in items}) == 500
    assert [item.origin for item in items[:2]] == [{"source": "demo", "row": 0}, {"source": "demo", "row": 1}]


def test_shares_of_classes():
    truths = [item.truth for item in demo_tasks.make_items("pairwise", "train", 3000, 1)]
    assert 0.15 < truths.count("tie") / 3000 < 0.25
    assert abs(truths.count("first") - truths.count("second")) / 3000 < 0.05


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_annotators_err_at_the_stated_rates(protocol):
    items = demo_tasks.make_items(protocol, "train", 3000, 1, annotator_error=0.2)
    for position, (annotator, share) in enumerate(demo_tasks.ANNOTATORS.items()):
        votes = [item.votes[position] for item in items]
        assert {vote.annotator for vote in votes} == {annotator}
        errors = sum(vote.vote != item.extra["hidden"] for vote, item in zip(votes, items, strict=True))
        assert errors / 3000 == pytest.approx(0.2 * share, abs=0.03)
        allowed = CLASSES if protocol == "pairwise" else range(1, 11)
        assert all(vote.vote in allowed for vote in votes)
    wrong = sum(item.truth != item.extra["hidden"] for item in items) / 3000
    assert 0.02 < wrong < 0.2  # three votes together are better than the mean annotator, and not perfect


def test_habit_makes_careless_votes():
    pairs = demo_tasks.make_items("pairwise", "base", 1000, 1, annotator_error=0, habit=1)
    assert {item.truth for item in pairs} == {"first"}
    grades = demo_tasks.make_items("pointwise", "base", 2000, 1, annotator_error=0, habit=0.5)
    habitual = sum(vote.vote != item.extra["hidden"] for item in grades for vote in item.votes)
    assert habitual / 6000 == pytest.approx(0.5 * 4 / 5, abs=0.03)  # one answer in five deserves the habitual grade


def test_templates_render_the_items_and_their_targets_parse_back():
    for protocol in PROTOCOLS:
        template = prompts.load_template(f"config/prompts/brief_{protocol}.yaml")
        for item in demo_tasks.make_items(protocol, "train", 50, 1):
            for order in ("original", "swapped"):
                reply = prompts.target(template, item, order)
                verdict = parsing.parse(reply, None, template.reply, item.id, order)
                assert item.turns[0] in prompts.render(template, item, order)[-1]["content"]
                assert (verdict.score if protocol == "pointwise" else verdict.outcome) == item.truth
    assert set(SWAPPED) >= set(CLASSES)


def test_corpus_is_stable_and_varied():
    texts = demo_tasks.corpus(1)
    assert texts == demo_tasks.corpus(1) != demo_tasks.corpus(2)
    assert len(set(" ".join(texts).split())) > 900


def test_wrong_arguments_are_named():
    with pytest.raises(JudgemergeError, match="protocol 'pairs' is unknown"):
        demo_tasks.make_items("pairs", "test", 1, 1)
    with pytest.raises(JudgemergeError, match="split 'tests' is unknown; did you mean 'test'"):
        demo_tasks.make_items("pairwise", "tests", 1, 1)
    with pytest.raises(JudgemergeError, match="annotator_error is 0.9"):
        demo_tasks.make_items("pairwise", "test", 1, 1, annotator_error=0.9)

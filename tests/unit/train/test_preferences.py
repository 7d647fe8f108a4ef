"""Preference sets, training rows made of them, and the ORPO loss against its formula."""

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, part_of
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.prompting import prompts
from judgemerge.train import preferences, training

LIKELIHOOD = prompts.load_template("config/prompts/likelihood_pairwise.yaml")
CATALOGUE = load_catalogue("config/benchmarks.yaml")


def message(role, text):
    return {"role": role, "content": text}


def talk(*texts, system=None):
    roles = ("user", "assistant")
    start = [message("system", system)] if system else []
    return start + [message(roles[number % 2], text) for number, text in enumerate(texts)]


def load_rows(tmp_path, rows, form="messages", protocol="pairwise"):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = {
        "loader": "preferences", "protocol": protocol, "sources": {"rows": str(path)}, "options": {"form": form},
    }  # fmt: skip
    return load_items("mine", spec, {"rows": path})


def test_prompt_is_what_both_conversations_begin_with(tmp_path):
    shared = ("hello", "hi", "and now?")
    rows = [
        {"chosen": talk(*shared, "good", system="be kind"), "rejected": talk(*shared, "bad", system="be kind")},
        {"chosen": talk("one", "yes"), "rejected": talk("one", "no")},
    ]
    items, counts = load_rows(tmp_path, rows)
    assert items[0].turns == ("hello", "and now?")
    assert items[0].responses == (("hi", "good"), ("hi", "bad"))
    assert items[0].extra["system"] == "be kind" and "system" not in items[1].extra
    assert [item.truth for item in items] == ["first", "first"]
    assert counts["with_system"] == 1


def test_equal_answers_are_a_tie_and_conversations_that_part_early_are_counted(tmp_path):
    rows = [
        {"chosen": talk("q", "same"), "rejected": talk("q", "same")},
        {"chosen": talk("q", "a", "more?", "b"), "rejected": talk("q", "x", "more?", "c")},
        {"chosen": talk("q", "a"), "rejected": talk("other", "a")},
    ]
    items, counts = load_rows(tmp_path, rows)
    assert [item.truth for item in items] == ["tie"]
    assert counts["parted_early"] == 2 and counts["rows"] == 3


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"chosen": talk("q", "a")}, "has no field 'rejected'"),
        ({"chosen": "a", "rejected": "b"}, "not a list"),
        ({"chosen": [{"role": "robot", "content": "x"}], "rejected": talk("q", "a")}, "without a known role"),
        ({"chosen": [], "rejected": talk("q", "a")}, "empty conversation"),
        ({"chosen": talk("q", "a", "b", "c", "d"), "rejected": talk("q", "a")}, None),
    ],
)
def test_a_row_of_another_shape_is_named(tmp_path, row, said):
    if said is None:  # ends with the user on one side only: no pair of answers, counted
        assert load_rows(tmp_path, [row])[1]["parted_early"] == 1
        return
    with pytest.raises(JudgemergeError, match=said):
        load_rows(tmp_path, [row])


def test_parquet_reads_like_json(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"chosen": talk("q", "a"), "rejected": talk("q", "b"), "source": "s"}]
    as_json, _ = load_rows(tmp_path, rows)
    path = tmp_path / "fetched_without_suffix"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    spec = {"loader": "preferences", "protocol": "pairwise", "sources": {"rows": "x"}, "options": {"form": "messages"}}
    items, _ = load_items("mine", spec, {"rows": path})
    assert [(item.turns, item.responses, item.extra) for item in items] == [
        (item.turns, item.responses, item.extra) for item in as_json
    ]


def test_conversations_alone_can_be_learnt_but_not_ranked(tmp_path):
    rows = [{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}]
    items, _ = load_rows(tmp_path, rows, "conversation", "prompts")
    assert preferences.rows(items, LIKELIHOOD, ranking=False) == [{"messages": talk("q", "a")}]
    with pytest.raises(JudgemergeError, match="no rejected answer"):
        preferences.rows(items, LIKELIHOOD, ranking=True)


def test_real_preference_demo(mirror):
    (path,) = Path(mirror).glob("hiyouga/LLaMA-Factory/*/data/dpo_en_demo.json")
    items, counts = load_items("dpo_en_demo", CATALOGUE["dpo_en_demo"], {"rows": path})
    assert len(items) == 300 and counts["with_system"] == 80 and "parted_early" not in counts
    raw = json.loads(path.read_text())
    made = preferences.rows(items, LIKELIHOOD, ranking=True)
    for row, source in zip(made, raw, strict=True):
        assert [m["content"] for m in row["messages"]] == [
            m["value"].strip() if m["from"] == "human" else m["value"] for m in source["conversations"]
        ]
        assert (row["chosen"]["content"], row["rejected"]["content"]) == (
            source["chosen"]["value"],
            source["rejected"]["value"],
        )


def test_parts_of_the_real_demo_share_no_prompt(mirror):
    (path,) = Path(mirror).glob("hiyouga/LLaMA-Factory/*/data/dpo_en_demo.json")
    parts = [load_items(name, CATALOGUE[name], {"rows": path}) for name in ("dpo_en_demo_train", "dpo_en_demo_test")]
    train, test = ({item.cluster for item in items} for items, _ in parts)
    assert not train & test
    assert sum(len(items) for items, _ in parts) == 300 and all(counts["part_of"] == 300 for _, counts in parts)


def pair(number, truth="first", cluster=None):
    return Item(
        id=f"i{number}", benchmark="b", protocol="pairwise", turns=(f"q{number}",), responses=(("good",), ("bad",)),
        truth=truth, cluster=cluster or f"c{number}", origin={},
    )  # fmt: skip


def test_a_division_is_whole_disjoint_and_seeded():
    items = [pair(number, cluster=f"c{number // 2}") for number in range(100)]
    shares = {"train": 0.8, "development": 0.1, "test": 0.1}
    parts = {name: [item.id for item in part_of(items, name, shares, seed=1)] for name in shares}
    assert sorted(sum(parts.values(), [])) == sorted(item.id for item in items)
    assert {name: len(ids) for name, ids in parts.items()} == {"train": 80, "development": 10, "test": 10}
    assert parts["test"] != [item.id for item in part_of(items, "test", shares, seed=2)]
    assert [item.id for item in part_of(items[::-1], "test", shares, seed=1)] == parts["test"][::-1]
    drawn = part_of(items, "train", shares, seed=1, draw=7)
    assert len(drawn) == 7 and {item.id for item in drawn} <= set(parts["train"])


def test_a_part_of_short_items_is_of_the_same_division():
    items = [pair(number, cluster=f"c{number // 2}") for number in range(100)]
    shares = {"train": 0.8, "test": 0.2}
    whole = [item.id for item in part_of(items, "test", shares, seed=1)]
    short = [item.id for item in part_of(items, "test", shares, seed=1, longest=len("q1goodbad"))]
    assert short == [name for name in whole if len(name) == 2] and 0 < len(short) < len(whole)
    unseen = [dataclasses.replace(item, responses=()) for item in items]  # of unknown length
    assert part_of(unseen, "test", shares, seed=1, longest=1000) == []


def test_wrong_parts_are_refused():
    with pytest.raises(JudgemergeError, match="sum to 1"):
        part_of([], "a", {"a": 0.5, "b": 0.6}, 1)
    with pytest.raises(JudgemergeError, match="part.name 'c'"):
        part_of([], "c", {"a": 0.5, "b": 0.5}, 1)


def test_rows_put_the_better_answer_first_and_leave_ties_out():
    items = [pair(1), pair(2, "second"), pair(3, "tie")]
    rows = preferences.rows(items, LIKELIHOOD, ranking=True)
    assert [(row["chosen"]["content"], row["rejected"]["content"]) for row in rows] == [
        ("good", "bad"),
        ("bad", "good"),
    ]
    assert preferences.n_ties(items) == 1
    assert preferences.rows(items, LIKELIHOOD, ranking=False)[1]["messages"][-1] == message("assistant", "bad")


def test_a_data_set_of_pairs_is_marked_as_ranked(tmp_path):
    rows = preferences.rows([pair(1)], LIKELIHOOD, ranking=True)
    assert training.write_dataset(tmp_path, rows) == 1
    training.write_dataset(tmp_path, rows, name=training.EVALUATION)
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(info) == {"training", "evaluation"}
    assert info["training"]["ranking"] and info["training"]["columns"]["rejected"] == "rejected"
    assert json.loads((tmp_path / "evaluation.json").read_text()) == rows


# ---- the loss ----


def their_loss(chosen, rejected, beta):
    """LLaMA-Factory's own odds_ratio_loss on fixed log-probabilities."""
    import torch
    from llamafactory.train.dpo.trainer import CustomDPOTrainer

    chosen, rejected = (torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in (chosen, rejected))
    loss = CustomDPOTrainer.odds_ratio_loss(SimpleNamespace(beta=beta), chosen, rejected)
    loss.sum().backward()
    return loss.detach().numpy(), chosen.grad.numpy(), rejected.grad.numpy()


def plain_loss(chosen, rejected, beta):
    """The formula of the paper in numpy: odds = p / (1 − p), loss = −log p − beta · log sigmoid(log odds ratio)."""
    p, q = np.exp(chosen), np.exp(rejected)
    log_odds_ratio = np.log(p / (1 - p)) - np.log(q / (1 - q))
    return -np.log(p) - beta * np.log(1 / (1 + np.exp(-log_odds_ratio)))


PAIRS = ([-0.5, -1.2, -2.0, -0.05, -3.0], [-1.0, -0.7, -2.0, -4.0, -0.2])


@pytest.mark.parametrize("beta", [0.1, 0.001, 1.0])
def test_llamafactory_has_the_loss_of_the_paper(beta):
    chosen, rejected = map(np.array, PAIRS)
    loss, _, _ = their_loss(*PAIRS, beta)
    np.testing.assert_allclose(loss, plain_loss(chosen, rejected, beta), rtol=1e-12)


def test_gradients_pull_the_chosen_answer_up_and_push_the_rejected_one_down():
    _, to_chosen, to_rejected = their_loss(*PAIRS, 0.1)
    assert (to_chosen < 0).all()  # descending raises the log-probability
    assert (to_rejected > 0).all()
    step = 1e-6
    for number, (c, r) in enumerate(zip(*PAIRS, strict=True)):
        slope = (plain_loss(c + step, r, 0.1) - plain_loss(c - step, r, 0.1)) / (2 * step)
        assert slope == pytest.approx(to_chosen[number], rel=1e-5)
        slope = (plain_loss(c, r + step, 0.1) - plain_loss(c, r - step, 0.1)) / (2 * step)
        assert slope == pytest.approx(to_rejected[number], rel=1e-5)


def test_equal_log_probabilities_cost_log_two():
    assert plain_loss(-1.0, -1.0, 0.1) == pytest.approx(1 + 0.1 * math.log(2))


def test_recorded_losses_are_those_of_the_paper():
    # published.md §6, evaluation with beta 0.1: the loss exceeds nll − beta · log-sigmoid term by 0.004 at most.
    for loss, nll, log_odds_ratio, beta in ((1.2969, 1.2278, -0.6482, 0.1), (1.2208, 1.2161, -0.6516, 0.001)):
        assert loss == pytest.approx(nll - beta * log_odds_ratio, abs=0.0045)
        assert loss > nll - beta * log_odds_ratio

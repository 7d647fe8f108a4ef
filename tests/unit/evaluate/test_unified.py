"""Study `unified`: its training sets and their splits, the exchange of positions, its table, and its scales."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import SWAPPED, Item, Verdict
from judgemerge.data import overlap
from judgemerge.data.benchmarks import _explanations as explanations
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.data.sources import load_sources
from judgemerge.evaluate.published import Case, unified
from judgemerge.prompting.prompts import load_template
from judgemerge.report.tables import unified as report_table
from judgemerge.settings.config import at_scale
from judgemerge.settings.models import Subset
from judgemerge.study.load import load_study
from judgemerge.train import training

SUBSETS = {"natural": (171, 10), "neighbor": (180, 14), "gptinst": (135, 10), "gptout": (62, 5), "manual": (62, 5)}


def load(path, adapter, **options):
    spec = {"loader": adapter, "protocol": "pairwise", "sources": {"rows": "some_rows"}, "options": options}
    return load_items("bench", spec, {"rows": path})


@pytest.fixture(scope="module")
def real(repository, mirror):
    """Return a function from the name of a set to its items and counts, read from the mirror."""
    catalogue = load_catalogue(repository / "config" / "benchmarks.yaml")
    sources = load_sources(repository / "config" / "sources.yaml")

    def items_of(name, **options):
        spec = {**catalogue[name], "expected": {}} if options else catalogue[name]
        spec = {**spec, "options": {**spec.get("options", {}), **options}}
        return load_items(
            name, spec, {role: mirror / sources[key].mirror_path for role, key in spec["sources"].items()}
        )

    return items_of


def pair(truth="first", explanation=None, item="1", prompt="Say one.", responses=("one", "two")):
    extra = explanations.both_orders(explanation) if explanation else {}
    shown = tuple((text,) for text in responses)
    return Item(item, "bench", "pairwise", (prompt,), shown, truth, f"cluster {prompt}", {}, extra=extra)


# ---- names of positions ----

EXCHANGES = {
    "Assistant A's response beats Assistant B's response.": "Assistant B's response beats Assistant A's response.",
    "Assistants A and B agree.": "Assistants B and A agree.",
    "B's answer wins. [[B]]": "A's answer wins. [[A]]",
    "It is a tie. Final Verdict: [[C]]": "It is a tie. Final Verdict: [[C]]",
    "Output (a) beats output (b), Response 1 response 2.": "Output (b) beats output (a), Response 2 response 1.",
    "The first response, not the second one; Second answer.": "The second response, not the second one; First answer.",
    "A good answer. Vitamin B. A 1 in 2 chance.": "A good answer. Vitamin B. A 1 in 2 chance.",
}


@pytest.mark.parametrize(("text", "other"), EXCHANGES.items())
def test_positions_change_places_at_once(text, other):
    assert explanations.exchanged(text) == other
    assert explanations.exchanged(other) == text


PIECES = [
    *"AB12ab[]().:' \n",
    "Assistant ",
    "assistants ",
    "Response ",
    "Output (",
    "first ",
    "Second ",
    " and ",
    "'s",
    "[[",
    "C",
]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_two_exchanges_are_none(text):
    assert explanations.exchanged(explanations.exchanged(text)) == text


@given(st.text())
def test_two_exchanges_are_none_in_any_text(text):
    assert explanations.exchanged(explanations.exchanged(text)) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One is better. \n\nFinal Verdict: [[A]]", "One is better."),
        ("One is better. So, my final verdict is [[B]].", "One is better."),
        ("Both are bad. \n\nFinal verdict: [[C]] for a tie. Both are wrong.", "Both are bad."),
        ("I write [[A]] first. Then more.\nThe end.", "I write [[A]] first. Then more.\nThe end."),
        ("[[A]]", ""),
    ],
)
def test_the_verdict_leaves_the_explanation(text, left):
    assert explanations.without_verdict(text) == left


def test_an_exchanged_item_trains_as_the_item_does_in_the_other_order(repository):
    template = load_template(repository / "config" / "prompts" / "unified_pairwise.yaml")
    for truth in ("first", "second", "tie"):
        item = pair(truth, "Assistant A's response is short, Assistant B's is not.")
        other = dataclasses.replace(
            item,
            responses=item.responses[::-1],
            truth=SWAPPED[truth],
            extra=explanations.both_orders(item.extra["explanation_swapped"]),
        )
        own, swapped = training.rows([item], template, "both")
        assert [swapped, own] == list(training.rows([other], template, "both"))
        assert own["output"].splitlines()[0] == "Assistant A's response is short, Assistant B's is not."
        assert swapped["output"].splitlines()[0] == "Assistant B's response is short, Assistant A's is not."
        letters = {"first": "AB", "second": "BA", "tie": "CC"}[truth]
        assert [row["output"].splitlines()[-1] for row in (own, swapped)] == [
            f"Final Verdict: [[{letter}]]" for letter in letters
        ]


def test_a_pair_without_explanation_cannot_be_learnt_with_it(repository):
    template = load_template(repository / "config" / "prompts" / "unified_pairwise.yaml")
    with pytest.raises(JudgemergeError, match=r"training item 1: .*no_explanation"):
        list(training.rows([pair()], template, "original"))


# ---- training sets, hand-made ----


def test_autoj_keeps_the_pairs_whose_critique_agrees_with_people(data):
    items, counts = load(data / "autoj_pairwise_train.jsonl", "autoj", form="training")
    assert [(item.id, item.truth) for item in items] == [("0", "first"), ("1", "tie")]
    assert (counts["rows"], counts["critique_against_people"], counts["critique_undecided"]) == (4, 1, 1)
    assert (items[0].turns, items[0].responses) == (("Name a prime.",), (("Seven.",), ("Eight.",)))
    assert (
        items[0].extra["explanation"].startswith("1. Assistant A's response names a prime, Assistant B's response does")
    )
    assert "final decision is Assistant B's response" in items[0].extra["explanation_swapped"]


def test_autoj_as_in_the_original_learns_what_the_critique_decides(data):
    items, _ = load(data / "autoj_pairwise_train.jsonl", "autoj", form="training", compat="original")
    assert [(item.id, item.truth, item.extra["human"]) for item in items] == [
        ("0", "first", "first"),
        ("1", "tie", "tie"),
        ("2", "second", "first"),
    ]


def test_pandalm_training_rows_are_taken_apart(data):
    items, _ = load(data / "pandalm_train.json", "pandalm", form="training")
    assert [(item.turns[0], item.truth, item.reference) for item in items] == [
        ("Name a prime.", "second", "Two."),
        ("Add.\n\n1, 1", "tie", "2"),
    ]
    assert items[0].responses == (("Eight.",), ("Seven.",))
    assert items[0].extra["explanation"] == "Assistant B's response is better because seven is a prime."


@pytest.mark.parametrize(
    ("file", "adapter", "field", "said"),
    [
        ("autoj_pairwise_train.jsonl", "autoj", "usrmsg", "has no [Query] followed by [Response 1] and [Response 2]"),
        ("pandalm_train.json", "pandalm", "input_sequence", "has no instruction followed by two responses"),
        ("pandalm_train.json", "pandalm", "output_sequence", "does not start with 1, 2 or Tie and a reason"),
        ("fastchat_gpt4_pair.jsonl", "gpt4_pair", "g1_user_prompt", "has no question followed by two answers"),
    ],
)
def test_a_row_in_another_form_is_one_sentence(data, tmp_path, file, adapter, field, said):
    text = (data / file).read_text(encoding="utf-8")
    rows = json.loads(text) if file.endswith(".json") else [json.loads(line) for line in text.splitlines()]
    (tmp_path / file).write_text(json.dumps([{**rows[0], field: "something else", "turn": 1}, *rows[1:]]))
    form = {} if adapter == "gpt4_pair" else {"form": "training"}
    with pytest.raises(JudgemergeError) as caught:
        load(tmp_path / file, adapter, **form)
    assert f"{file}: row 0: field '{field}' {said}" in str(caught.value)


def test_options_are_checked(data):
    with pytest.raises(JudgemergeError, match=r"options: compat is 'orginal', not original"):
        load(data / "pandalm.json", "pandalm", compat="orginal")
    with pytest.raises(JudgemergeError, match=r"options has the unknown key 'splits'; did you mean 'split'\?"):
        load(data / "llmbar.json", "llmbar", splits="test")


# ---- the same on real rows ----


@pytest.mark.parametrize(("subset", "counts"), SUBSETS.items())
def test_llmbar_rows_where_gpt4_is_right(real, subset, counts):
    train, _ = real(f"llmbar_{subset}_train")
    test, _ = real(f"llmbar_{subset}_test")
    assert (len(train), len(test)) == counts
    assert not {item.id.split("-")[0] for item in train} & {item.id for item in test}
    assert all(item.extra["explanation"] != item.extra["explanation_swapped"] for item in train)
    assert not any("Output (" in item.extra["explanation"] for item in train)


def test_llmbar_has_610_training_rows():
    assert sum(n for n, _ in SUBSETS.values()) == 610


@pytest.mark.parametrize("n", [1, 9, 10, 11, 46, 47, 92, 100, 134, 150, 2400])
def test_splits_are_those_of_scikit_learn(n):
    model_selection = pytest.importorskip("sklearn.model_selection")
    keys = list(range(n)) if n > 1 else [0, 1]
    theirs = model_selection.train_test_split(keys, test_size=0.1, random_state=42)
    assert list(explanations.split(keys, 0.1, 42)) == theirs


def test_game_2_is_wrong_in_the_original_and_right_here(real):
    spec = {"split": "train", "share": 0.0}  # all games
    ours = {item.id: item for item in real("phi3_gpt4_train", **spec)[0]}
    original, counts = real("phi3_gpt4_train", compat="original", **spec)
    assert counts["errors"] == 3 and len(ours) == 147 and len(original) == 150

    def better(item):
        return item.responses[0] if item.truth == "first" else item.responses[1]

    decisive = {game: [one for one in original if one.extra["game"] == game and one.truth != "tie"] for game in (1, 2)}
    wrong = {game: sum(better(one) != better(ours[one.id]) for one in items) for game, items in decisive.items()}
    assert (len(decisive[2]), wrong) == (59, {1: 0, 2: 59})


def test_truth_is_the_letter_that_gpt4_wrote(real, mirror, repository):
    source = load_sources(repository / "config" / "sources.yaml")["phi3_gpt4_pair"]
    rows = [json.loads(line) for line in (mirror / source.mirror_path).read_text(encoding="utf-8").splitlines()]
    letters = {"first": "A", "second": "B", "tie": "C"}
    for item in real("phi3_gpt4_train", split="train", share=0.0)[0]:
        judgment = rows[item.origin["row"]][f"g{item.extra['game']}_judgment"]
        assert f"[[{letters[item.truth]}]]" in judgment
        assert judgment.startswith(item.extra["explanation"][:40]) and "[[" not in item.extra["explanation"]


def test_the_original_split_has_questions_on_both_sides_and_ours_has_none(real):
    def questions(**options):
        return {item.extra["question_id"] for item in real("phi3_gpt4_train", **options)[0]}

    assert len(questions(split="train", compat="original") & questions(split="test", compat="original")) == 13
    assert not questions(split="train") & questions(split="test")


def test_the_original_majority_is_wrong_on_75_rows(real):
    ours, _ = real("pandalm")
    original, counts = real("pandalm_original")
    assert counts["wrong_majorities"] == 75
    assert sum(one.truth != other.truth for one, other in zip(ours, original, strict=True)) == 75


def test_the_original_majority_by_hand():
    from judgemerge.data.benchmarks.pandalm import original_majority

    assert original_majority(["first", "first", "second"]) == "first"
    assert original_majority(["second", "first", "first"]) == "second"  # wrong
    assert original_majority(["second", "second", "first"]) == "first"  # wrong
    assert original_majority(["tie", "tie", "tie"]) == "tie"


def test_mtbench_votes_and_judgments_keep_the_same_questions(real):
    people, _ = real("mtbench_human_test")
    everyone, _ = real("mtbench_human")
    kept = {item.extra["question_id"] for item in people}
    assert len(kept) == 8
    assert len(people) == sum(item.extra["question_id"] in kept for item in everyone)


# ---- what an expert is trained on ----


def test_items_whose_prompt_a_benchmark_has_are_left_out():
    train = [pair(item="a", prompt="Say  ONE!"), pair(item="b", prompt="Say two.")]
    assert overlap.leaks(train, {"other": [pair(prompt="Say three.")], "bench": [pair()]}) == {"a": "bench"}
    sets, counts = training.select({"set": train}, {"set": {"a": "bench"}}, Subset(), 1)
    assert [item.id for item in sets["set"]] == ["b"]
    assert counts == {"set": {"items": 2, "left_out": 1, "kept": 1}}
    with pytest.raises(JudgemergeError, match=r"none of its 2 items is left: 2 share their prompt with a benchmark"):
        training.select({"set": train}, {"set": {"a": "bench", "b": "bench"}}, Subset(), 1)


def test_subsets():
    sets = {name: [pair(item=f"{name}{number}") for number in range(20)] for name in ("x", "y")}

    def kept(subset, seed=1):
        return {
            name: [item.id for item in items]
            for name, items in training.select(sets, {}, Subset.of(subset), seed)[0].items()
        }

    assert kept({}) == {name: [item.id for item in items] for name, items in sets.items()}
    assert kept({"first": 3}) == {"x": ["x0", "x1", "x2"], "y": ["y0", "y1", "y2"]}
    half = kept({"share": 0.5})
    assert {name: len(ids) for name, ids in half.items()} == {"x": 10, "y": 10}
    assert kept({"share": 0.5}) == half != kept({"share": 0.5}, seed=2)
    assert kept({"share": 0.5, "seed": 1}, seed=2) == half
    mixed = kept({"share": 0.5, "by_set": {"y": {"first": 2}}})
    assert mixed == {"x": half["x"], "y": ["y0", "y1"]}
    assert set(kept({"share": 0.25})["x"]) < set(half["x"])


ROWS = [
    {"instruction": "Which?", "input": "", "output": "A", "system": "Be fair."},
    {"instruction": "Who?", "input": "", "output": "B", "system": "Be fair."},
]


def test_messages_have_tags_and_other_data_sets_stay(tmp_path):
    (tmp_path / "dataset_info.json").write_text(
        '{"mine": {"file_name": "mine.json"}, "training": {"file_name": "old"}}'
    )
    assert training.write_dataset(tmp_path, ROWS, form="messages") == 2
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["mine"] == {"file_name": "mine.json"}
    assert info["training"]["formatting"] == "sharegpt"
    assert info["training"]["tags"]["role_tag"] == "role" and info["training"]["tags"]["content_tag"] == "content"
    written = json.loads((tmp_path / "training.json").read_text())
    assert written[0]["messages"] == [
        {"role": "system", "content": "Be fair."},
        {"role": "user", "content": "Which?"},
        {"role": "assistant", "content": "A"},
    ]


def test_full_training_knows_no_lora_and_one_process_no_deepspeed():
    common = {"lora_rank": 8, "cutoff_len": 64}
    own = {"finetuning_type": "full", "deepspeed": "zero3.json"}
    assert training.expert_settings(common, own) == {"stage": "sft", "finetuning_type": "full", "cutoff_len": 64}
    assert training.expert_settings({**common, "processes": 2}, own)["deepspeed"] == "zero3.json"
    assert training.expert_settings(common, {"use_dora": True})["use_dora"] is True


# ---- the study file ----


def study_at(repository, scale, **changes):
    settings = load_yaml(repository / "config" / "studies" / "unified.yaml")
    settings |= {"mirror": "somewhere", "scale": scale, **changes}
    return load_study(settings, "unified.yaml", repository / "config")


@pytest.mark.parametrize("scale", ["", "tiny", "full_sets", "other_bases", "original"])
def test_every_scale_is_a_sound_study(repository, scale):
    study = study_at(repository, scale)
    assert study.name == ("unified" if not scale else f"unified_{scale}")
    for expert in study.experts:
        shared = training.shared_settings(study.settings)
        settings = training.expert_settings(shared, study.experts[expert].settings)
        assert training.training_recipe("model", "data", "output", settings, 42)["trust_remote_code"] is False


def test_trainings_with_deepspeed_there_update_on_as_many_rows_here(repository):
    study = study_at(repository, "other_bases")
    shared = training.shared_settings(study.settings)
    for name in ("chatglm3_ds", "half_panda"):  # 4 GPUs with one row each there
        recipe = training.expert_settings(shared, study.experts[name].settings)
        rows = recipe["per_device_train_batch_size"] * recipe["gradient_accumulation_steps"] * recipe["processes"]
        assert (rows, recipe["learning_rate"], recipe["lora_target"]) == (4, 5e-6, "q_proj,k_proj,v_proj")
    assert study.experts["half_panda"].subset.plain() == {"by_set": {"pandalm_train": {"share": 0.5}}}


def test_the_recipes_are_the_published_ones(repository):
    study = study_at(repository, "")
    shared = training.shared_settings(study.settings)
    recipes = {name: training.expert_settings(shared, study.experts[name].settings) for name in study.experts}
    batch = {
        name: recipe["per_device_train_batch_size"] * recipe["gradient_accumulation_steps"] * recipe["processes"]
        for name, recipe in recipes.items()
    }
    assert batch == {**dict.fromkeys(recipes, 8), "qlora": 16}
    limits = {name: recipe["max_samples"] for name, recipe in recipes.items() if "max_samples" in recipe}
    assert limits == {"rslora": 100_000, "rslora_2b": 100_000, "full_2b": 20_000, "qlora": 2_000_000}
    assert all(recipe["ddp_timeout"] == 180_000_000 for recipe in recipes.values())
    assert all(recipe["preprocessing_num_workers"] == 16 for recipe in recipes.values())
    assert study.experts["llmbar_both_orders"].subset.plain() == {}  # its 2500 rows are all of LLMBar
    assert {name: recipe["learning_rate"] for name, recipe in recipes.items()} == {
        **dict.fromkeys(recipes, 5e-6),
        "qlora": 1e-4,
        "full_2b": 1e-4,
        "llmbar_both_orders": 5e-5,
    }
    assert (recipes["rslora"]["lora_rank"], recipes["rslora"]["use_rslora"]) == (32, True)
    assert (recipes["rslora_2b"]["lora_rank"], study.base_of("rslora_2b")) == (64, "gemma_2b")
    assert recipes["dora"]["use_dora"] is True and recipes["qlora"]["quantization_bit"] == 4
    assert recipes["full_2b"]["deepspeed"] == "config/deepspeed/zero3.json"
    assert "lora_rank" not in recipes["full_2b"] and "deepspeed" not in recipes["rslora"]


@pytest.mark.parametrize(
    ("expert", "said"),
    [
        ({"base": "gemma_7c"}, r"experts\.dora\.base names the unknown model 'gemma_7c'; did you mean 'gemma_7b'\?"),
        ({"settings": {"quantization_bit": 4}}, r"quantization_bit is 4, and .* needs a GPU; set gpus: 1"),
        ({"settings": {"fp16": True}}, r"trains with fp16, which needs a GPU \(gpus is 0\); remove the key, or set"),
        (
            {"settings": {"fp16": False, "bf16": True}},
            r"trains with bf16 and no GPU \(gpus is 0\); add use_cpu: true to training",
        ),
        (
            {"subset": {"by_set": {"pandalm": {"first": 1}}}},
            r"experts\.dora\.subset\.by_set names the item set 'pandalm'",
        ),
        ({"drop_overlap": ["panda"]}, r"experts\.dora\.drop_overlap names the unknown benchmark 'panda'"),
    ],
)
def test_what_an_expert_cannot_have_is_one_sentence(repository, expert, said):
    settings = load_yaml(repository / "config" / "studies" / "unified.yaml")
    at = {**at_scale({**settings, "mirror": "x"}, "unified.yaml"), "gpus": 0}
    at["experts"] = {"dora": {**at["experts"]["dora"], **expert}}
    at["judges"] = ["dora", "longer"]
    with pytest.raises(JudgemergeError, match=said):
        load_study(at, "unified.yaml", repository / "config")


# ---- the table ----


def case(benchmark="pandalm"):
    truths = ("first", "first", "second", "tie")
    items = [dataclasses.replace(pair(truth, item=str(n)), benchmark=benchmark) for n, truth in enumerate(truths)]
    said = [("first", "first"), ("second", "first"), ("second", "second"), ("error", "tie")]
    verdicts = [
        Verdict(str(n), order, outcome, reason="no_verdict" if outcome == "error" else None)
        for n, outcomes in enumerate(said)
        for order, outcome in zip(("original", "swapped"), outcomes, strict=True)
    ]
    return Case(items, {"judge": verdicts})


def test_the_table_by_hand():
    (counted,) = unified.counted_rows(case())
    values = unified.measures(counted)
    # First is said once, rightly, of two: precision 1, recall 1/2. An unread reply is wrong, or the tie it should be.
    assert (values["accuracy"], values["accuracy[errors as ties]"]) == (0.5, 0.75)
    assert (values["precision_of_first"], values["recall_of_first"]) == (1.0, 0.5)
    assert values["f1_of_first"] == pytest.approx(2 / 3)
    # Second: precision 1/2, recall 1; tie: 0. Macro F1 is the mean of 2/3, 2/3 and 0, or of 1 in place of the last.
    assert values["macro_f1"] == pytest.approx(4 / 9)
    assert values["macro_f1[errors as ties]"] == pytest.approx(7 / 9)
    assert unified.said(counted) == {"first": 1, "second": 2, "tie": 0, "error": 1}
    rows = {row.metric: row for row in unified.rows(case())}
    assert (rows["accuracy"].n, rows["accuracy"].errors) == (4, 1)


def test_llmbar_counts_both_orders_as_they_were_shown():
    (counted,) = unified.counted_rows(case("llmbar_natural_test"))
    assert len(counted.truth) == 8
    values = unified.measures(counted)
    assert values["accuracy"] == pytest.approx(6 / 8)
    # Swapped, truth first stands second: position A is right for the one pair whose second response is better.
    assert unified.said(counted) == {"first": 2, "second": 4, "tie": 1, "error": 1}


def test_a_judge_of_one_order_is_not_in_a_set_of_both():
    one = case("llmbar_natural")
    one = Case(one.items, {"judge": [verdict for verdict in one.verdicts["judge"] if verdict.order == "original"]})
    assert list(unified.counted_rows(one)) == []


def test_quoted_figures_stand_with_the_sets_they_are_of():
    figures = list(unified.quoted())
    assert len(figures) == 4 * 8
    by_cell = {(figure.judge, figure.benchmark): figure for figure in figures}
    assert by_cell["Gemma-7B QLoRA", "llmbar_natural_test"].rows == "20, inferred"
    assert by_cell["Auto-J-13B", "llmbar_natural"].rows == "100, inferred"
    assert by_cell["PandaLM-7B", "pandalm_original"].f1 == 0.575
    assert not any(figure.judge in unified.OWN and figure.benchmark == "llmbar_natural" for figure in figures)
    # LLMBar values are multiples of one over the rows they are said to be of.
    for figure in figures:
        if figure.benchmark.startswith("llmbar"):
            n = int(figure.rows.split(",")[0])
            assert abs(figure.accuracy * n - round(figure.accuracy * n)) < 0.0011 * n


def test_headings_say_how_many_rows():
    table = pd.DataFrame(
        {
            "benchmark": ["llmbar_natural_test", "llmbar_natural_test", "llmbar_natural"],
            "judge": ["mine", "<theirs>", "theirs"],
            "origin": ["computed", "quoted", "quoted"],
            "items": [10, math.nan, math.nan],
            "drawn_from": math.nan,
            "rows": ["20", "20, inferred", "100, inferred"],
            "errors": [1, math.nan, math.nan],
            **{name: np.full(3, math.nan) for name in (*report_table.VALUES, *report_table.VERDICTS)},
        }
    )
    sections = dict(report_table.sections(table))
    assert list(sections) == ["llmbar_natural_test: 10 items, 20 rows", "llmbar_natural: quoted only"]
    assert "&lt;theirs&gt;, quoted" in sections["llmbar_natural_test: 10 items, 20 rows"]


# ---- LLaMA-Factory itself ----


def test_llamafactory_reads_messages_as_it_reads_alpaca_rows(tmp_path):
    converter = pytest.importorskip("llamafactory.data.converter")
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments

    rows = [*ROWS, {"instruction": "Why?", "input": "", "output": "C"}]
    read = {}
    for form in ("alpaca", "messages"):
        training.write_dataset(tmp_path / form, rows, form=form)
        (attributes,) = get_dataset_list(["training"], str(tmp_path / form))
        convert = converter.get_dataset_converter(attributes.formatting, attributes, DataArguments())
        written = json.loads((tmp_path / form / "training.json").read_text())
        converted = [convert({"system": None, **row}) for row in written]  # a missing column is None in `datasets`
        read[form] = [(one["_prompt"], one["_response"], one["_system"] or "") for one in converted]
    assert read["messages"] == read["alpaca"]
    assert read["messages"][0][1:] == ([{"role": "assistant", "content": "A"}], "Be fair.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="lora", marks=pytest.mark.long),  # the demo trains its experts so
        pytest.param({"use_rslora": True}, id="rslora", marks=pytest.mark.long),
        pytest.param({"use_dora": True}, id="dora"),
        pytest.param({"finetuning_type": "full"}, id="full"),
    ],
)
def test_every_kind_of_training_runs_on_the_cpu_and_gives_a_model(
    repository, tiny_models, tools_on_path, tmp_path, settings, monkeypatch
):
    """Two steps on pairs with explanations in messages form, through what the rules of the workflow call."""
    from judgemerge.core import files, models
    from judgemerge.core.items import write_items

    monkeypatch.chdir(repository)
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    from judgemerge.train import experts, exports, runs

    items = [pair("first", "Assistant A's response is right.", item=str(n), prompt=f"Say {n}.") for n in range(4)]
    write_items(tmp_path / "pairs.jsonl", items)
    files.write_json(tmp_path / "left_out.json", {"pairs": {"3": "bench"}})
    expert = {
        "orders": "both",
        "format": "messages",
        "subset": {"first": 2},
        "too_long": "refuse",
        "settings": settings,
    }
    prompts = {"pairwise": "unified_pairwise"}
    base = str(tiny_models["base"])
    results = experts.Results(*(str(tmp_path / name) for name in ("adapter", "recipe.yaml", "curve.csv")))
    experts.train_expert(
        {**expert, "train_on": ["pairs"]},
        experts.Data(
            items={"pairs": str(tmp_path / "pairs.jsonl")},
            left_out=str(tmp_path / "left_out.json"),
            templates=experts.load_templates(prompts, ["config/prompts/unified_pairwise.yaml"], None),
        ),
        common={"cutoff_len": 2048, "max_steps": 2, "lora_rank": 4, "flash_attn": "sdpa"},
        start=runs.Start(base, "base", seed=1, threads=1, work=str(tmp_path / "work")),
        results=results,
    )
    recipe = load_yaml(tmp_path / "recipe.yaml")
    assert (recipe["examples"], recipe["too_long"]) == (4, 0)
    assert recipe["item_sets"] == {"pairs": {"items": 4, "left_out": 1, "kept": 2}}
    assert ("lora_rank" in recipe) == (settings.get("finetuning_type") != "full")
    exports.export_expert(
        adapter=results.adapter,
        recipe_file=results.recipe,
        base=base,
        base_digest="base",
        threads=1,
        model=str(tmp_path / "model"),
        manifest=str(tmp_path / "model.json"),
    )
    assert models.tensor_shapes(tmp_path / "model") == models.tensor_shapes(tiny_models["base"])
    changed = dict(models.tensors(tmp_path / "model"))
    assert any(not values.equal(changed[name]) for name, values in models.tensors(tiny_models["base"]))
    assert not list((tmp_path / "model").glob("*.bin")) and not list((tmp_path / "model").glob("trainer*"))
    assert files.read_json(tmp_path / "model.json")["made_by"]["base"] == "base"

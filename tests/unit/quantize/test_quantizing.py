"""Quantizations in a study: what is refused, what sizes are expected, and what the table says."""

import copy
import json

import numpy as np
import pytest
import yaml

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict
from judgemerge.evaluate.estimates import Sample
from judgemerge.evaluate.quantization import COLUMNS, Model, quantization_table, with_parent
from judgemerge.evaluate.verdict_arrays import ERROR, FIRST, SECOND, TIE, BenchmarkArrays, JudgeArrays
from judgemerge.quantize import llama_converter, quantizing
from judgemerge.report.tables.quantization import TABLE, sections
from judgemerge.settings.report import Statistics
from judgemerge.study.load import load_study
from judgemerge.study.resources import Needs
from judgemerge.synthetic.demo_tasks import make_items


@pytest.fixture
def settings(repository):
    return yaml.safe_load((repository / "config" / "config.yaml").read_text())


def load(settings, repository, **quantizations):
    settings = copy.deepcopy(settings)
    settings["quantizations"] = quantizations
    settings["judges"] = list(dict.fromkeys([*settings["judges"], *quantizations]))
    return load_study(settings, "my.yaml", repository / "config")


# ---- the study key ----


def test_a_quantization_is_a_model_that_knows_its_parents(settings, repository):
    study = load(settings, repository, q4={"model": "linear", "type": "Q4_K"})
    assert study.kind("q4") == "model" and "q4" in study.model_names
    assert study.own_models("q4") == ["q4", *study.own_models("linear")]
    assert quantizing.CONVERTER in study.source_keys
    assert quantizing.type_of("Q4_K") == "Q4_K_M" and quantizing.type_of("Q8_0") == "Q8_0"


def test_without_quantizations_the_converter_is_not_fetched(settings, repository):
    assert quantizing.CONVERTER not in load(settings, repository).source_keys


def test_a_quantization_is_asked_as_its_parent_unless_told_otherwise(settings, repository):
    settings["judging"]["judges"] = {"linear": {"pairwise": "detailed_pairwise"}}
    templates = [path.stem for path in (repository / "config" / "prompts").glob("*_pairwise.yaml")]
    settings["judging"]["judges"]["linear"]["pairwise"] = other = next(n for n in sorted(templates) if "brief" not in n)
    study = load(settings, repository, q4={"model": "linear", "type": "Q4_K"}, q8={"model": "ties", "type": "Q8_0"})
    assert study.prompt("q4", "pairwise") == study.prompt("linear", "pairwise") == other
    assert study.prompt("q8", "pairwise") == "brief_pairwise"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"model": "liner", "type": "Q4_0"},
            r"quantizations\.q4\.model is the unknown model 'liner'; did you mean 'linear'",
        ),
        ({"model": "q8", "type": "Q4_0"}, r"quantizations\.q4\.model is 'q8', itself a quantization"),
        ({"model": "linear", "type": "Q4_M"}, r"'quantizations\.q4\.type' is 'Q4_M'; did you mean"),
        ({"model": "linear"}, r"key 'type' in 'quantizations\.q4' is missing"),
    ],
)
def test_what_cannot_be_quantized_is_refused_in_one_sentence(settings, repository, entry, message):
    with pytest.raises(JudgemergeError, match=message) as error:
        load(settings, repository, q4=entry, q8={"model": "linear", "type": "Q8_0"})
    assert "my.yaml" in str(error.value) and "\n" not in str(error.value)


def test_a_merge_cannot_take_a_quantization_as_parent(settings, repository):
    settings["merges"]["linear"]["models"] = {"q8": {"weight": 0.5}, "pairwise": {"weight": 0.5}}
    with pytest.raises(JudgemergeError, match="merge 'linear' names model 'q8'"):
        load(settings, repository, q8={"model": "pairwise", "type": "Q8_0"})


def test_a_name_can_be_used_once(settings, repository):
    with pytest.raises(JudgemergeError, match="'linear' stands in merges and in quantizations; rename one"):
        load(settings, repository, linear={"model": "ties", "type": "Q8_0"})


# ---- rows and blocks ----


def test_rows_that_fit_give_no_warning():
    assert quantizing.check_rows({"hidden_size": 4096, "intermediate_size": 14336}, "Q4_K_M", "here") == []
    assert quantizing.check_rows({"hidden_size": 896, "intermediate_size": 4864}, "Q4_0", "here") == []
    assert quantizing.check_rows({"hidden_size": 7, "intermediate_size": 11}, "F16", "here") == []


def test_a_hidden_size_that_does_not_fit_is_refused_with_what_does():
    with pytest.raises(JudgemergeError, match=r"blocks of 256, but hidden_size is 192.*take one of: Q4_0, .*Q8_0"):
        quantizing.check_rows({"hidden_size": 192, "intermediate_size": 512}, "Q4_K_M", "here")


def test_other_rows_that_do_not_fit_are_a_warning():
    config = {"hidden_size": 512, "intermediate_size": 1000, "num_attention_heads": 6, "head_dim": 100}
    warnings = quantizing.check_rows(config, "Q5_K_M", "here")
    assert [warning.split(",")[0] for warning in warnings] == [
        "here: intermediate_size is 1000",
        "here: num_attention_heads × head_dim is 600",
    ]


def test_rows_of_a_model_in_a_folder_are_checked_before_the_first_job(settings, repository, tmp_path):
    llama = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 192, "intermediate_size": 512}
    (tmp_path / "config.json").write_text(json.dumps(llama))
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    settings["models"]["small"] = {"path": str(tmp_path)}
    settings["merges"]["of_small"] = {
        "method": "linear",
        "engine": "streamed",
        "models": {"small": {"weight": 0.5}, "pairwise": {"weight": 0.5}},
    }
    with pytest.raises(JudgemergeError, match=r"my\.yaml: quantizations\.q4: Q4_K_M packs"):
        load(settings, repository, q4={"model": "of_small", "type": "Q4_K"})
    load(settings, repository, q4={"model": "of_small", "type": "Q4_0"})


def test_fallback_types_are_told_from_usual_ones():
    assert {"Q4_K", "Q6_K", "Q5_K"} <= quantizing.usual_types("Q4_K_M") and "Q5_0" not in quantizing.usual_types(
        "Q4_K_M"
    )
    assert quantizing.usual_types("Q4_0") == {"Q4_0", "Q6_K"}


def test_every_type_has_a_block_and_an_expected_size():
    assert set(quantizing.BITS) == set(quantizing.BLOCKS)


# ---- what a job needs ----


def test_sizes_follow_from_the_type_until_the_file_is_there(settings, repository):
    settings["models"]["big"] = {"repo": "owner/name", "revision": "0" * 40, "size_gb": 16}
    study = load(
        settings, repository, q4={"model": "big", "type": "Q4_K"}, q8={"model": "big", "type": "Q8_0", "gpu": True}
    )
    needs = Needs(study, lambda name: None)
    assert needs.size("q4").gb == pytest.approx(8 * 5.1 / 8)
    assert needs.size("q4").parameters == needs.size("big").parameters == 8e9
    assert needs.judge("q4", "demo").mem_mb < needs.judge("q8", "demo").mem_mb < needs.judge("big", "demo").mem_mb
    assert needs.convert("big").mem_mb >= 2000 and needs.quantize("q4").runtime > needs.quantize("q4").mem_mb / 1e6
    assert needs.judging_gpus("q8") == needs.judging_gpus("big") == 0


def test_only_a_quantization_that_is_said_to_use_a_gpu_gets_one(settings, repository):
    settings["gpus"] = 4
    study = load(
        settings, repository, q4={"model": "tiny", "type": "Q4_K"}, q8={"model": "tiny", "type": "Q8_0", "gpu": True}
    )
    needs = Needs(study, lambda name: None)
    assert [needs.judging_gpus(name) for name in ("tiny", "q4", "q8")] == [1, 0, 1]


# ---- the pre-tokenizer ----


def test_only_llama3s_own_split_is_called_so(tiny_models):
    tokenizer = json.loads((tiny_models["base"] / "tokenizer.json").read_text())
    assert llama_converter.splits_like_llama3(tokenizer)
    for change in (
        lambda t: t["pre_tokenizer"]["pretokenizers"][0]["pattern"].update(Regex=r"\s+"),
        lambda t: t["pre_tokenizer"]["pretokenizers"][0].update(behavior="Removed"),
        lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(use_regex=True),
        lambda t: t["pre_tokenizer"]["pretokenizers"].reverse(),
        lambda t: t["model"].update(ignore_merges=False),
        lambda t: t.update(normalizer={"type": "NFC"}),
        lambda t: t.update(pre_tokenizer=None),
    ):
        changed = copy.deepcopy(tokenizer)
        change(changed)
        assert not llama_converter.splits_like_llama3(changed)


# ---- what a manifest covers ----


def test_a_folder_with_a_gguf_file_has_a_digest_of_it(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.gguf").write_bytes(b"one")
    (tmp_path / "quantization.json").write_text('{"parameters": 12, "type": "Q8_0"}')
    first = models.describe(tmp_path)
    assert first["parameters"] == 12 and set(first["files"]) == {"config.json", "model.gguf"}
    (tmp_path / "model.gguf").write_bytes(b"two")
    assert models.describe(tmp_path)["digest"] != first["digest"]


# ---- the table ----


def sample_of(n):
    return Sample(np.arange(n), n, "test", Statistics(resamples=200, seed=1))


def arrays(protocol, n, truth):
    return BenchmarkArrays("bench", protocol, tuple(range(n)), np.array(truth), np.arange(n), n, frozenset())


def test_same_changed_and_flipped_verdicts_counted_by_hand():
    benchmark = arrays("pairwise", 4, [FIRST] * 4)
    parent = JudgeArrays(
        "p", np.array([[FIRST, FIRST], [SECOND, TIE], [ERROR, ERROR], [FIRST, SECOND]]), np.array([]), (True, True)
    )
    mine = JudgeArrays(
        "q", np.array([[FIRST, SECOND], [SECOND, FIRST], [ERROR, FIRST], [FIRST, ERROR]]), np.array([]), (True, True)
    )
    found = with_parent(benchmark, mine, parent, sample_of(4))
    # Same: 3 of 8 (two errors are not). Changed: first → second, tie → first, error → first, second → error.
    assert found["same_verdict"].value == pytest.approx(3 / 8)
    assert found["changed"].value == pytest.approx(4 / 8)
    assert found["flipped"].value == pytest.approx(1 / 8)
    assert found["flipped"].low < 1 / 8 < found["flipped"].high


def test_an_order_that_one_of_them_was_not_asked_in_is_left_out():
    benchmark = arrays("pairwise", 2, [FIRST, SECOND])
    parent = JudgeArrays("p", np.array([[FIRST, ERROR], [FIRST, ERROR]]), np.array([]), (True, False))
    mine = JudgeArrays("q", np.array([[FIRST, FIRST], [FIRST, FIRST]]), np.array([]), (True, True))
    assert with_parent(benchmark, mine, parent, sample_of(2))["same_verdict"].value == 1.0


def test_grades_are_compared_where_both_can_be_read():
    benchmark = arrays("pointwise", 5, [1.0, 2, 3, 4, 5])
    parent = JudgeArrays("p", np.full((5, 2), ERROR), np.array([1.0, 2, 3, 4, np.nan]), (True, False))
    mine = JudgeArrays("q", np.full((5, 2), ERROR), np.array([1.0, 3, 2, np.nan, np.nan]), (True, False))
    found = with_parent(benchmark, mine, parent, sample_of(5))
    assert found["same_verdict"].value == pytest.approx(1 / 5)
    assert found["changed"].value == pytest.approx(3 / 5)
    assert found["spearman_with_parent"].value == pytest.approx(0.5)  # ranks 1 2 3 against 1 3 2


@pytest.fixture
def table():
    items = make_items("pairwise", "test", n_items=30, seed=1)
    said = {"plain": [], "q4": []}
    for number, item in enumerate(items):
        for order in ("original", "swapped"):
            said["plain"].append(Verdict(item.id, order, "first"))
            said["q4"].append(Verdict(item.id, order, "second" if number % 5 == 0 else "first"))
    speed = {"items": 30, "seconds": 1.5, "prompt_tokens": 3000, "threads": 2, "settings": "greedy"}
    described = [
        Model("plain", "plain", "unquantized", 16_000_000_000, 16.0, "", speed),
        Model("q4", "plain", "Q4_K_M", 5_000_000_000, 5.1, "2 × Q5_0", None),
    ]
    return quantization_table(items, said, described, Statistics(resamples=200, seed=1))


def test_the_table_has_sizes_speeds_and_both_agreements(table):
    assert list(table.columns) == list(COLUMNS)
    rows = table.set_index(["judge", "metric"])
    assert rows.loc[("q4", "flipped"), "value"] == pytest.approx(0.2)
    assert rows.loc[("q4", "same_verdict"), "value"] == pytest.approx(0.8)
    assert ("plain", "same_verdict") not in rows.index
    cost = rows.loc[("q4", "accuracy_minus_parent")]
    assert cost["value"] == pytest.approx(
        rows.loc[("q4", "accuracy"), "value"] - rows.loc[("plain", "accuracy"), "value"]
    )
    assert cost["ci_low"] < cost["value"] < cost["ci_high"]
    assert cost["detectable"] > (cost["ci_high"] - cost["ci_low"]) / 2
    assert rows.drop(index=("q4", "accuracy_minus_parent"))["detectable"].isna().all()
    assert rows.loc[("plain", "accuracy"), "items_per_second"] == 20.0
    assert np.isnan(rows.loc[("q4", "accuracy"), "items_per_second"])
    assert rows.loc[("q4", "accuracy"), "speed_note"] == "not judged in one go, so no rate"


def test_page_and_figure_show_every_model_and_why_a_speed_is_missing(table):
    ((heading, content),) = sections(table)
    assert heading.endswith("(n = 30)")
    for text in ("Q4_K_M", "5,000.0", "5.10", "20.00", "0.200", "<small>shows 0.", "not judged in one go", "2 × Q5_0"):
        assert text in content
    figure = TABLE.figures["quantization"].draw(table, {"plain": "model", "q4": "quantization"}, [])
    shown = {text.get_text() for axes in figure.axes for text in [*axes.get_yticklabels(), *axes.texts]}
    assert {"q4 (Q4_K_M, 5.0 GB)", "not judged in one go, so no rate"} <= shown

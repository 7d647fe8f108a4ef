"""Mixing encoders whose base was never saved by transformers: spellings, prefixes, poolers, buffers, pooling files."""

import os
import sys

import pytest
import torch
from hub_models import HUB, hub_model
from safetensors.torch import load_file, save_file

import merge as merge_script
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import Pair, encoder_training, encoders, evaluation_sets, mixing, pair_of
from judgemerge.merge import cocktail, mergekit, names, preflight, runs, sentence_modules
from judgemerge.settings.embedding import SentenceTraining

pytestmark = pytest.mark.slow  # sentence-transformers alone takes ten seconds to import

WEIGHTS = {"base": 0.3, "tuned": 0.7}


def loader(kind):
    import transformers

    sequences = "Sequence" in HUB[kind][0]
    return transformers.AutoModelForSequenceClassification if sequences else transformers.AutoModel


def tuned_model(folder, base, kind):
    """Write what fine-tuning leaves: the base loaded by transformers, changed, and saved by it."""
    torch.manual_seed(5)  # of poolers that are made up
    model = loader(kind).from_pretrained(base)
    for parameter in model.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    encoders.train_tokenizer(["a red house by the sea", "two boats"], 120, 40).save_pretrained(folder)
    return folder


@pytest.fixture(params=HUB)
def pair(request, tmp_path):
    kind = request.param
    base = hub_model(tmp_path / "hub" / "base", kind)
    return kind, {"base": base, "tuned": tuned_model(tmp_path / "hub" / "tuned", base, kind)}


def of_transformers(kind, folder):
    """Return the tensors as transformers reads them, which is what LM-Cocktail adds up."""
    model, report = loader(kind).from_pretrained(folder, output_loading_info=True)
    return model.state_dict(), {name for name in report["missing_keys"] if "pooler" not in name}


def test_a_base_of_the_hub_is_mixed_as_the_published_package_does(pair, tmp_path):
    kind, folders = pair
    noted = cocktail.mix(folders, WEIGHTS, tmp_path / "mix")
    base, tuned = (of_transformers(kind, folders[name])[0] for name in WEIGHTS)
    mixed, lacking = of_transformers(kind, tmp_path / "mix")
    assert not lacking
    compared = [name for name in mixed if name not in noted["left_out"]]
    assert len(compared) >= len(mixed) - 2
    for name in compared:
        expected = base[name] if not base[name].is_floating_point() else 0.3 * base[name] + 0.7 * tuned[name]
        assert torch.equal(mixed[name], expected), name
    stored = load_file(tmp_path / "mix" / "model.safetensors")
    assert not [name for name in stored if name.endswith(("gamma", "beta"))]


@pytest.mark.parametrize("kind", ["bert", "xlm_roberta", "reranker_of_xlm_roberta"])
def test_the_published_package_gives_the_same(kind, tmp_path, monkeypatch):
    folder = os.environ.get("JUDGEMERGE_LM_COCKTAIL", "")
    if not os.path.isdir(os.path.join(folder, "LM_Cocktail")):
        pytest.skip("needs the published package: set JUDGEMERGE_LM_COCKTAIL (test_merging_cocktail.py says how)")
    monkeypatch.syspath_prepend(folder)
    from LM_Cocktail import utils

    base = hub_model(tmp_path / "base", kind)
    folders = {"base": base, "tuned": tuned_model(tmp_path / "tuned", base, kind)}
    model_type = "reranker" if "reranker" in kind else "encoder"
    found = utils.get_model_param_list([str(path) for path in folders.values()], model_type=model_type)
    theirs = utils.merge_param(found, list(WEIGHTS.values()))
    cocktail.mix(folders, WEIGHTS, tmp_path / "mix")
    ours, _ = of_transformers(kind, tmp_path / "mix")
    for name in [name for name in sys.modules if name.startswith("LM_Cocktail")]:
        del sys.modules[name]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours if "pooler" not in name)


def test_the_command_line_and_the_study_mix_it_too(tmp_path):
    base = hub_model(tmp_path / "base", "bert")
    tuned = tuned_model(tmp_path / "tuned", base, "bert")
    command = f"--model a={base}:0.5 --model b={tuned}:0.5 --output {tmp_path}/mix"
    merge, folders, bases = merge_script.read_command(merge_script.parser().parse_args(command.split()))
    merge_script.main(merge, folders, str(tmp_path / "mix"), 1, bases)
    # As LM-Cocktail saves its mixtures, plain parents give an embedding model: first token, normalised.
    assert sentence_modules.pooling(tmp_path / "mix") == ("cls",)
    opened = encoders.open_embedder(tmp_path / "mix")
    vector = opened.encode(["a red house"])
    tokens = opened.tokenizer(["a red house"], return_tensors="pt")
    with torch.inference_mode():
        first = loader("bert").from_pretrained(tmp_path / "mix").eval()(**tokens).last_hidden_state[:, 0]
    assert torch.allclose(torch.tensor(vector), torch.nn.functional.normalize(first), atol=1e-5)
    half = {"half": {"base": 0.5, "tuned": 0.5}}
    mixing.mix_with_card({"base": base, "tuned": tuned}, half, {"half": tmp_path / "half"}, 1, {})
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("mix", "half"))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("kind", ["xlm_roberta", "deberta", "bert_with_its_first_head", "reranker_of_xlm_roberta"])
def test_mergekit_never_merges_half_of_what_is_stored_under_two_names(kind, tmp_path):
    pytest.importorskip("mergekit")
    folders = {"a": hub_model(tmp_path / "a", kind)}
    folders["b"] = tuned_model(tmp_path / "b", folders["a"], kind)
    with pytest.raises(JudgemergeError, match=r"mergekit 0\.1\.5 cannot merge this model .*engine: streamed`"):
        mergekit.check_all(folders.values(), "linear")
    merge = {"method": "linear", "models": {"a": {"weight": 0.3}, "b": {"weight": 0.7}}, "parameters": {},
             "dtype": "float32", "seed": 7, "engine": "streamed"}  # fmt: skip
    parents = runs.Parents(folders, {"a": "x", "b": "y"})
    runs.merge_folders("out", merge, parents, tmp_path / "out", tmp_path / "out.yaml", 1)
    a, b, out = (of_transformers(kind, folder)[0] for folder in (*folders.values(), tmp_path / "out"))
    for name in [name for name in out if "pooler" not in name and out[name].is_floating_point()]:
        assert torch.allclose(out[name], 0.3 * a[name] + 0.7 * b[name], atol=1e-6), name


def test_the_head_of_a_decoder_that_is_not_tied_is_never_left_out(tmp_path):
    kind = "decoder_with_its_tied_head"
    base = hub_model(tmp_path / "base", kind)
    tuned = tuned_model(tmp_path / "tuned", base, kind)
    for folder in (base, tuned):
        files.write_json(
            folder / "config.json", files.read_json(folder / "config.json") | {"tie_word_embeddings": False}
        )
    tensors = load_file(base / "model.safetensors")
    save_file({**tensors, "lm_head.weight": torch.zeros(120, 16)}, base / "model.safetensors")
    with pytest.raises(JudgemergeError, match=r"'lm_head.weight' .* is missing"):
        preflight.check_parents({"base": base, "tuned": tuned})


def test_a_head_and_a_pooler_that_one_lacks_are_left_out_and_named(tmp_path):
    base = hub_model(tmp_path / "base", "bert_with_its_first_head")
    tuned = tuned_model(tmp_path / "tuned", base, "bert_with_its_first_head")
    noted = cocktail.mix({"base": base, "tuned": tuned}, WEIGHTS, tmp_path / "mix")
    assert {"cls.predictions.bias", "pooler.dense.weight"} <= set(noted["left_out"])
    assert files.read_json(tmp_path / "mix" / "config.json")["architectures"] == ["BertModel"]


def test_a_pooler_that_answers_depend_on_is_never_left_out(tmp_path):
    whole = hub_model(tmp_path / "whole", "reranker_of_bert")
    lacking = hub_model(tmp_path / "lacking", "reranker_of_bert")
    tensors = load_file(lacking / "model.safetensors")
    save_file({name: values for name, values in tensors.items() if "pooler" not in name}, lacking / "model.safetensors")
    with pytest.raises(JudgemergeError, match=r"'bert.pooler.dense.weight' .* is missing"):
        cocktail.mix({"whole": whole, "lacking": lacking}, {"whole": 0.5, "lacking": 0.5}, tmp_path / "mix")


def test_what_training_saves_has_the_names_of_today_and_no_pooler_that_nobody_trained(tmp_path):
    base = hub_model(tmp_path / "base", "bert")
    encoders.save_model(encoders.open_embedder(base), tmp_path / "tuned", base)
    stored = load_file(tmp_path / "tuned" / "model.safetensors")
    assert stored.keys() == load_file(base / "model.safetensors").keys()
    assert sentence_modules.pooling(tmp_path / "tuned") == ("mean",)
    with_pooler = hub_model(tmp_path / "with_pooler", "bert_with_pooler_and_positions")
    encoders.save_model(encoders.open_embedder(with_pooler), tmp_path / "tuned_pooler", with_pooler)
    assert "pooler.dense.weight" in load_file(tmp_path / "tuned_pooler" / "model.safetensors")


@pytest.mark.parametrize("kind", [kind for kind in HUB if "reranker" not in kind])
def test_a_base_is_tried_before_anything_is_trained(kind, tmp_path):
    mixing.check_base(hub_model(tmp_path / "base", kind))


def test_a_base_that_no_mixture_can_reach_is_refused_before_anything_is_trained(tmp_path):
    base = hub_model(tmp_path / "base", "bert")
    tensors = load_file(base / "model.safetensors")
    save_file({name: values.to(torch.float8_e4m3fn) for name, values in tensors.items()}, base / "model.safetensors")
    with pytest.raises(JudgemergeError, match="format F8_E4M3"):
        mixing.check_base(base)


def test_a_base_that_does_not_open_is_one_sentence(tmp_path):
    base = hub_model(tmp_path / "base", "bert")
    config = files.read_json(base / "config.json")
    files.write_json(base / "config.json", {**config, "model_type": "homemade", "architectures": ["HomemadeModel"]})
    with pytest.raises(JudgemergeError, match="does not open as an embedding model"):
        mixing.check_base(base)


def test_other_heads_are_other_models(tmp_path):
    bare, ranking = (hub_model(tmp_path / kind, kind) for kind in ("bert", "reranker_of_bert"))
    with pytest.raises(JudgemergeError, match="'architectures' is"):
        preflight.check_parents({"bare": bare, "ranking": ranking})


def pooled(folder, content):
    (folder / "1_Pooling").mkdir()
    kinds = ("", "Transformer"), ("1_Pooling", "Pooling")
    modules = [{"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
               for n, (path, kind) in enumerate(kinds)]  # fmt: skip
    files.write_json(folder / "modules.json", modules)
    files.write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 16, **content})
    return folder


@pytest.mark.parametrize("order", [("plain", "old"), ("old", "plain"), ("old", "new")])
def test_the_way_of_pooling_is_that_of_the_parent_that_names_one(order, tmp_path):
    folders = {name: hub_model(tmp_path / name, "bert", seed) for seed, name in enumerate(order)}
    written = {
        "old": {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
        "new": {"pooling_mode": "mean"},
    }
    for name in set(order) & set(written):
        pooled(folders[name], written[name])
    cocktail.mix(folders, dict.fromkeys(order, 0.5), tmp_path / "mix")
    assert sentence_modules.pooling(tmp_path / "mix") == ("mean",)
    encoders.open_embedder(tmp_path / "mix").encode(["a house"])


def test_other_pooling_and_modules_with_weights_are_refused_before_anything_is_computed(tmp_path):
    one, two = (hub_model(tmp_path / name, "bert") for name in ("one", "two"))
    pooled(one, {"pooling_mode": "mean"})
    pooled(two, {"pooling_mode_cls_token": True})
    with pytest.raises(JudgemergeError, match="pooling by cls, but those of .* by mean"):
        preflight.check_parents({"one": one, "two": two})
    (two / "2_Dense").mkdir()
    save_file({"linear.weight": torch.zeros(2, 2)}, two / "2_Dense" / "model.safetensors")
    with pytest.raises(JudgemergeError, match="this module has weights"):
        preflight.check_parents({"two": two})


def test_one_tensor_under_two_spellings_is_refused():
    stored = {"m": ({"model_type": "bert"}, ["embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"])}
    with pytest.raises(JudgemergeError, match="are the same one"):
        names.agreed(stored)


def test_names_of_decoders_stay_as_they_are():
    stored = {"m": ({"model_type": "llama"}, ["model.norm.weight", "lm_head.weight"])}
    assert names.agreed(stored) == {"m": {"model.norm.weight": "model.norm.weight", "lm_head.weight": "lm_head.weight"}}


# ---- the jobs of a study ----


def test_a_base_of_the_hub_goes_through_the_jobs_of_a_study(tmp_path):
    hub_model(tmp_path / "hub", "bert_with_its_first_head")
    hub_model(tmp_path / "hub_other", "bert", seed=3)
    pairs = [Pair(f"{n}", f"d{n}", f"what of house {n}?", f"a red house {n} by the sea", "en").row() for n in range(12)]
    files.write_jsonl(tmp_path / "train.jsonl", pairs)
    rows = evaluation_sets.rows_of(map(pair_of, pairs))
    evaluation_sets.write_rows(tmp_path / "target.jsonl", rows)
    place = lambda name: str(tmp_path / name)  # noqa: E731
    mixing.fetch({"path": place("hub")}, True, [], place("base"), place("base.json"))
    mixing.fetch({"path": place("hub_other")}, True, [place("base")], place("other"), place("other.json"))
    settings = SentenceTraining.of({**encoder_training.PRETRAINING, "batch_size": 6, "max_tokens": 40})
    encoder_training.fine_tune_embedder(
        place("base"), [place("train.jsonl")], [], settings, 1, 1, place("work"), place("tuned"), place("tuned.json")
    )
    by_loss, target = {"examples": 3, "negatives": 2, "temperature": 5.0}, place("target.jsonl")
    mixes = {"mixed_50": 0.5, "mixed_by_loss": None}
    mixing.mix_with_base(
        place("base"), place("tuned"), target, mixes, by_loss, "ask: ", 1, 1,
        [place(name) for name in mixes], [place(f"{name}.json") for name in mixes],
    )  # fmt: skip
    three = {"base": 0.2, "tuned": 0.5, "other": 0.3}
    mixing.mix_cocktail([place(name) for name in three], target, three, None, "", 1, 1, place("three"), place("3.json"))
    states = {name: of_transformers("bert", tmp_path / name)[0] for name in (*three, "mixed_50", "three")}
    for name in [name for name in states["tuned"] if "pooler" not in name]:
        half = (states["base"][name] + states["tuned"][name]) / 2
        assert torch.allclose(states["mixed_50"][name], half, atol=1e-6), name
        weighed = sum(weight * states[model][name] for model, weight in three.items())
        assert torch.allclose(states["three"][name], weighed, atol=1e-6), name
    made = files.read_json(place("mixed_by_loss.json"))["made_by"]
    assert made["tuned_share"] == made["losses"]["weights"]["tuned"] and made["losses"]["pairs"] == 12
    card = (tmp_path / "mixed_by_loss" / "README.md").read_text(encoding="utf-8")
    assert "| tuned | parent |" in card and "3 of 12 examples (evaluation set, kind encoder)" in card


def test_a_model_of_others_that_does_not_fit_is_refused_when_it_is_fetched(tmp_path):
    hub_model(tmp_path / "base", "bert")
    hub_model(tmp_path / "mpnet", "mpnet")
    with pytest.raises(JudgemergeError, match="'model_type' is 'mpnet', but 'bert'"):
        mixing.fetch({"path": str(tmp_path / "mpnet")}, True, [str(tmp_path / "base")], str(tmp_path / "x"), "x")


# ---- hub ids ----


def cached(cache, name, kind, seed=0):
    """Put a model into a hub cache, as a download does."""
    folder = cache / f"models--{name.replace('/', '--')}"
    hub_model(folder / "snapshots" / "1234567890", kind, seed)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1234567890")


def test_models_of_the_hub_are_mixed_by_their_ids(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for seed, name in enumerate(("one", "two")):
        cached(tmp_path / "cache", f"someone/{name}", "bert", seed)
    command = "--model a=someone/one:0.5 --model b=someone/two:0.5 --output mix"
    merge, folders, bases = merge_script.read_command(merge_script.parser().parse_args(command.split()))
    merge_script.main(merge, folders, "mix", 1, bases)
    assert "snapshots" in folders["a"] and (tmp_path / "mix" / "model.safetensors").is_file()


@pytest.mark.parametrize("given", ["models/none", "someone/none@main"])
def test_a_model_that_is_nowhere_is_one_sentence(given, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    command = f"--model a={given}:1.0 --output mix"
    with pytest.raises(JudgemergeError, match=f"{given}: (there is no such folder|config.json is missing)"):
        merge_script.read_command(merge_script.parser().parse_args(command.split()))

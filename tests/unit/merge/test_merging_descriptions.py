"""Beside the weights of a merge: whose description it gets, what may differ, what a failure leaves behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import Merge, checks, descriptions, engine, mergekit, preflight, result_checks, runs
from judgemerge.merge.streams import Weights

HALF = {"weight": 0.5}
SIZES = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
BERT = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


def entry(method="linear", names=("one", "two"), **more):
    parents = {name: dict(HALF) for name in names}
    return {"method": method, "models": parents, "parameters": {}, "dtype": "float32", "seed": 7, **more}


@pytest.fixture
def copies(tmp_path, tiny_models):
    """Return copies of the tiny models, which a test may change."""
    return {name: shutil.copytree(folder, tmp_path / name) for name, folder in tiny_models.items()}


def change(folder, name="config.json", **keys):
    found = {**files.read_json(folder / name), **keys}
    files.write_json(folder / name, {key: value for key, value in found.items() if value != "remove"})


def merged(tmp_path, merge, folders, **more):
    """Return the folder of a merge and what its manifest says."""
    names = dict.fromkeys([*([merge["base"]] if "base" in merge else []), *merge["models"]])
    used = {name: folders[name] for name in names}
    recipe = tmp_path / "recipe.yaml"
    parents = runs.Parents(used, dict.fromkeys(used, "0"), **more)
    return tmp_path / "out", runs.merge_folders("out", merge, parents, tmp_path / "out", recipe, 1)


# ---- models that mean different things ----

DIFFERENT = {
    "rope_theta": ({"rope_parameters": {"rope_theta": 1e6, "rope_type": "default"}}, "'rope_theta' is 1000000.0, but"),
    "rope_scaling": (
        {"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 8.0}},
        "'rope_scaling' is {'rope_type': 'linear', 'factor': 8.0}, but missing in",
    ),
    "rms_norm_eps": ({"rms_norm_eps": 1e-2}, "'rms_norm_eps' is 0.01, but"),
    "max_position_embeddings": ({"max_position_embeddings": 99}, "'max_position_embeddings' is 99, but"),
    "hidden_act": ({"hidden_act": "gelu"}, "'hidden_act' is 'gelu', but 'silu' in"),
    "tie_word_embeddings": ({"tie_word_embeddings": True}, "'tie_word_embeddings' is True, but False in"),
    "a key that no one has heard of": ({"logit_scale": 0.0625}, "'logit_scale' is 0.0625, but missing in"),
    "eos_token_id": ({"eos_token_id": 3}, "'eos_token_id' is 3, but"),
}


@pytest.mark.parametrize(("keys", "sentence"), DIFFERENT.values(), ids=DIFFERENT)
@pytest.mark.parametrize("method", ["linear", "cocktail"])
def test_parents_whose_numbers_mean_different_things_are_refused(copies, tmp_path, keys, sentence, method):
    change(copies["two"], **keys)
    with pytest.raises(JudgemergeError) as caught:
        merged(tmp_path, entry(method), copies)
    assert str(caught.value).startswith(f"{copies['two'] / 'config.json'}: {sentence}")
    key = sentence.split("'")[1]
    assert str(caught.value).endswith(f"put {key} into the merge's `allow`")
    preflight.check_parents({name: copies[name] for name in ("one", "two")}, [key])


SAME = {
    "written by an older version": (
        {"rope_parameters": "remove", "rope_theta": 500000.0, "rope_scaling": None, "dtype": "remove"},
        {"torch_dtype": "bfloat16", "transformers_version": "4.40.0", "mlp_bias": "remove", "attention_bias": "remove"},
    ),
    "of training alone": ({"attention_dropout": 0.1, "use_cache": False, "pad_token_id": 5, "_name_or_path": "x"}, {}),
}


@pytest.mark.parametrize(("one", "two"), SAME.values(), ids=SAME)
def test_what_decides_nothing_may_differ(copies, one, two):
    theta = files.read_json(copies["one"] / "config.json")["rope_parameters"]["rope_theta"]
    if "rope_theta" in one:
        one = {**one, "rope_theta": theta}
    change(copies["two"], **one, **two)
    assert preflight.check_parents({name: copies[name] for name in ("one", "two")})["models"] == ["one", "two"]


def test_chat_templates_and_special_tokens_are_compared(copies):
    two = {name: copies[name] for name in ("one", "two")}
    template = (copies["two"] / "chat_template.jinja").read_text()
    (copies["two"] / "chat_template.jinja").write_text(template + "{{ 'x' }}")
    with pytest.raises(
        JudgemergeError, match=r"two: chat_template is ….*x.*…, but ….* in .*one; merge models that are"
    ):
        preflight.check_parents(two)
    preflight.check_parents(two, ["chat_template"])
    # The same template in the other place where libraries put it.
    (copies["two"] / "chat_template.jinja").unlink()
    change(copies["two"], "tokenizer_config.json", chat_template=template)
    preflight.check_parents(two)
    change(copies["two"], "tokenizer_config.json", bos_token="<|other|>")
    with pytest.raises(
        JudgemergeError, match=r"two: bos_token is '<\|other\|>', but '.*' in .*one; merge models with the"
    ):
        preflight.check_parents(two)
    preflight.check_parents(two, ["special_tokens"])


def test_templates_for_tools_beside_the_default_do_not_count(copies):
    template = (copies["two"] / "chat_template.jinja").read_text()
    (copies["two"] / "chat_template.jinja").unlink()
    named = [{"name": "default", "template": template}, {"name": "tool_use", "template": "{{ tools }}"}]
    change(copies["two"], "tokenizer_config.json", chat_template=named)
    preflight.check_parents({name: copies[name] for name in ("one", "two")})


def test_tokenizers_of_the_same_tokens_must_divide_a_text_alike(copies):
    two = {name: copies[name] for name in ("one", "two")}
    tokenizer = files.read_json(copies["two"] / "tokenizer.json")
    files.write_json(copies["two"] / "tokenizer.json", {**tokenizer, "truncation": None, "padding": None})
    preflight.check_parents(two)
    files.write_json(copies["two"] / "tokenizer.json", {**tokenizer, "normalizer": {"type": "Lowercase"}})
    for check in (preflight.check_parents, lambda folders: preflight.check_local(folders, (), "")):
        with pytest.raises(JudgemergeError, match=r"two.tokenizer.json: has the tokens of .* divides a text otherwise"):
            check(two)
    preflight.check_parents(two, ["tokenizer"])


def test_the_ends_of_turns_must_have_one_in_common(copies):
    """LLaMA-Factory adds the end of its template to an export; a base of other ends is another model."""
    two = {name: copies[name] for name in ("one", "two")}
    change(copies["two"], "tokenizer_config.json", eos_token="<|other|>")
    preflight.check_parents(two)
    change(copies["two"], "generation_config.json", eos_token_id=7)
    change(copies["two"], eos_token_id="remove")
    change(copies["one"], eos_token_id="remove")
    with pytest.raises(JudgemergeError, match="two: eos_token is "):
        preflight.check_parents(two)


# ---- whose description a merge gets ----


def test_a_merge_is_described_by_its_donor_whatever_the_hash_seed(tmp_path, copies, repository):
    change(copies["two"], rms_norm_eps=1e-3)
    change(copies["one"], rms_norm_eps=1e-4)
    (copies["one"] / "tokenizer.model").write_text("vocabulary")
    digests = set()
    for seed in ("0", "1", "2"):
        command = [sys.executable, str(repository / "scripts" / "commands" / "merge.py"), "--method", "linear"]
        command += ["--model", f"b={copies['two']}:0.5", "--model", f"a={copies['one']}:0.5"]
        command += ["--allow", "rms_norm_eps", "--output", str(tmp_path / f"out{seed}")]
        command += ["--donor", "a"] if seed != "2" else []
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
        digests.add(files.read_json(tmp_path / f"out{seed}.json")["digest"])
        if seed == "0":
            assert files.read_json(tmp_path / "out0" / "config.json")["rms_norm_eps"] == 1e-4
            assert (tmp_path / "out0" / "tokenizer.model").is_file()
            assert "settings: those of a. Allowed to differ between the models: rms_norm_eps." in (
                tmp_path / "out0" / "README.md"
            ).read_text(encoding="utf-8")
            first = (tmp_path / "out0" / "recipe.yaml").read_text(encoding="utf-8").splitlines()[0]
            assert first == "# Config, tokenizer, chat template and generation settings are those of a."
    assert len(digests) == 2
    assert files.read_json(tmp_path / "out2" / "config.json")["rms_norm_eps"] == 1e-3


@pytest.mark.parametrize("engine_name", ["mergekit", "streamed"])
def test_a_base_without_chat_template_leaves_the_parents_theirs(tmp_path, copies, engine_name, tools_on_path):
    (copies["base"] / "chat_template.jinja").unlink()
    change(copies["base"], "generation_config.json", eos_token_id=9)
    change(copies["base"], eos_token_id=9)
    folder, made = merged(tmp_path, entry("ties", base="base", engine=engine_name), copies)
    assert made["donor"] == "one"
    for name in ("chat_template.jinja", "generation_config.json", "tokenizer_config.json"):
        assert (folder / name).read_bytes() == (copies["one"] / name).read_bytes()


def test_the_donor_is_the_base_else_the_first_model(copies):
    folders = {name: copies[name] for name in ("two", "one", "base")}
    assert descriptions.donor(Merge.of(entry("ties", base="base")), folders) == "base"
    assert descriptions.donor(Merge.of(entry(names=("two", "one"))), folders) == "two"
    assert descriptions.donor(Merge.of(entry(donor="one")), folders) == "one"
    adapters = entry("adapter_linear", base="base")
    assert descriptions.donor(Merge.of(adapters), {"base": copies["base"]}) == "base"
    with pytest.raises(JudgemergeError, match="merge 'm' names donor 'tow'; did you mean 'two'"):
        checks.check_merge("m", entry(donor="tow"), {"one", "two"}, "study.yaml")


# ---- mixtures of experts, tied weights, architectures ----


def random_model(folder, seed, name, settings, **more):
    import transformers

    config = getattr(transformers, f"{name}Config")(**settings, **more)
    architecture = "Model" if name == "Bert" else "ForCausalLM"
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        getattr(transformers, f"{name}{architecture}")(config).save_pretrained(folder)
    return folder


MIXTURES = {
    "Mixtral": {"num_local_experts": 4},
    "Qwen3Moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 8},
    "Olmoe": {"num_experts": 4},
}


# One kind in `make test`: the others differ by what transformers calls their experts.
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name != "Mixtral" else []) for name in MIXTURES]
)
def test_experts_of_a_mixture_are_written_under_their_stored_names(tmp_path, name, tools_on_path):
    folders = {m: random_model(tmp_path / m, n, name, SIZES, **MIXTURES[name]) for n, m in enumerate(("one", "two"))}
    merge = entry()
    folder, _ = merged(tmp_path, merge, folders)
    ours = dict(models.tensors(folder))
    engine.merge_all({"s": merge}, folders, {"s": tmp_path / "streamed"})
    theirs = dict(models.tensors(tmp_path / "streamed"))
    assert ours.keys() == theirs.keys() and any(".experts.3." in tensor for tensor in ours)
    assert all(torch.equal(ours[tensor], theirs[tensor]) for tensor in ours)
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == []


@pytest.mark.parametrize("engine_name", ["mergekit", "streamed"])
@pytest.mark.parametrize("with_copy", [("one", "two"), ("base",), ("two",)], ids="-".join)
def test_stored_copies_of_tied_weights_are_left_out_by_both_engines(tmp_path, engine_name, with_copy, tools_on_path):
    from safetensors.torch import load_file, save_file

    folders = {
        m: random_model(tmp_path / m, n, "Qwen2", SIZES, tie_word_embeddings=True)
        for n, m in enumerate(("base", "one", "two"))
    }
    for name in with_copy:
        path = folders[name] / "model.safetensors"
        tensors = load_file(path)
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        save_file(tensors, path, metadata={"format": "pt"})
    folder, made = merged(tmp_path, entry("ties", base="base", engine=engine_name), folders)
    assert made["left_out"] == ["lm_head.weight"]
    assert "lm_head.weight" not in models.tensor_shapes(folder)
    assert "model.embed_tokens.weight" in models.tensor_shapes(folder)


def test_architectures_that_mergekit_does_not_merge_are_refused_before(tmp_path):
    pytest.importorskip("mergekit")
    bert = random_model(tmp_path / "bert", 0, "Bert", BERT)
    with pytest.raises(
        JudgemergeError, match=r"bert: mergekit 0\.1\.5 cannot merge this model \(it fails on .*streamed`"
    ):
        mergekit.check(bert, "linear")
    cohere = random_model(tmp_path / "cohere", 0, "Cohere", SIZES)
    with pytest.raises(
        JudgemergeError, match=r"it wants tensor 'model\.layers\.0\.self_attn\.q_norm\.weight'.*cocktail, or"
    ):
        mergekit.check(cohere, "slerp")
    biased = random_model(tmp_path / "biased", 0, "Llama", SIZES, attention_bias=True)
    with pytest.raises(JudgemergeError, match=r"it would leave out tensor 'model\.layers\.0\.self_attn\.k_proj\.bias'"):
        mergekit.check(biased, "slerp")
    for name in ("Llama", "Qwen2", "Qwen3", "Gemma2", "Phi3", "Olmo2", "Starcoder2"):
        mergekit.check(random_model(tmp_path / name, 0, name, SIZES, pad_token_id=0), "slerp")


# ---- what a failure leaves behind ----


def nothing_left(folder):
    return not [path.name for path in folder.iterdir() if "out" in path.name or "recipe" in path.name]


FAILURES = {
    "of the comparison": (lambda copies, patch: change(copies["two"], rms_norm_eps=1.0), entry(engine="streamed")),
    "of the result": (lambda copies, patch: patch(result_checks, "check_result"), entry(engine="streamed")),
    "of the card": (lambda copies, patch: patch(runs.cards, "card"), entry(engine="streamed")),
    "within a pass": (lambda copies, patch: patch(engine, "copy_description"), entry("cocktail")),
    "of mergekit's start": (lambda copies, patch: patch(runs, "run_tool"), entry()),
    "of the names": (lambda copies, patch: patch(runs.mergekit, "check"), entry()),
}


@pytest.mark.parametrize(("break_it", "merge"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("error", [JudgemergeError, KeyboardInterrupt])
def test_a_failed_merge_leaves_nothing(tmp_path, copies, monkeypatch, break_it, merge, error):
    def fail(*arguments, **keys):
        raise error("full")

    break_it(copies, lambda module, name: monkeypatch.setattr(module, name, fail))
    with pytest.raises((JudgemergeError, error)):
        merged(tmp_path, merge, copies)
    assert nothing_left(tmp_path)


def test_a_failed_grid_leaves_nothing(tmp_path, copies, monkeypatch):
    merges = {name: entry(engine="streamed") for name in ("out_a", "out_b")}
    calls = []

    def fail_at_last(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise JudgemergeError("not finite")

    monkeypatch.setattr(result_checks, "check_result", fail_at_last)
    two = {name: copies[name] for name in ("one", "two")}
    with pytest.raises(JudgemergeError):
        runs.merge_variants(merges, runs.Parents(two, {}), {name: tmp_path / name for name in merges}, 1)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize("victim", ["mergekit", "merge.py"])
def test_a_killed_merge_leaves_nothing(tmp_path, copies, repository, victim):
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    # Stands for a mergekit in the middle of its work: something is written, and it goes on.
    (bin_folder / "mergekit-yaml").write_text(
        f"#!{sys.executable}\nimport os, sys, time\nos.makedirs(sys.argv[2])\n"
        "open(sys.argv[2] + '/model.safetensors', 'w').close()\n"
        f"open({str(tmp_path / 'started')!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    (bin_folder / "mergekit-yaml").chmod(0o755)
    script = (
        "import os, runpy, sys\n"
        "sys.argv[1:] = sys.argv[1:]\n"
        f"sys.executable = {str(bin_folder / 'python')!r}\n"
        "sys.path.insert(0, os.path.dirname(sys.argv[0]))\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    arguments = [
        str(repository / "scripts" / "commands" / "merge.py"),
        "--method",
        "linear",
        "--output",
        str(tmp_path / "out"),
    ]
    arguments += ["--model", f"a={copies['one']}:0.5", "--model", f"b={copies['two']}:0.5"]
    code = script.replace("sys.argv[1:] = sys.argv[1:]", "sys.argv = sys.argv[1:]")
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True)
    started = tmp_path / "started"
    while not (started.is_file() and started.read_text()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    child = int(started.read_text())
    os.kill(child if victim == "mergekit" else process.pid, signal.SIGKILL if victim == "mergekit" else signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    assert nothing_left(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    if victim == "mergekit":
        assert "mergekit-yaml ended with code -9" in said and "Traceback" not in said


def test_weights_of_two_places_are_the_same_values(tmp_path, copies):
    """A second copy of the weights under other names changes nothing that is merged."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(copies["one"] / "model.safetensors")
    save_file(
        {f"layers.{name}": values for name, values in tensors.items()}, copies["one"] / "consolidated.safetensors"
    )
    folder, _ = merged(tmp_path, entry(engine="streamed"), copies)
    assert models.tensor_shapes(folder) == models.tensor_shapes(copies["two"])
    assert list(Weights(copies["one"]).entries) == list(Weights(copies["two"]).entries)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"

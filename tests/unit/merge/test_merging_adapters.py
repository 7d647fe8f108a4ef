"""LoRA adapters merged without export: against arithmetic, peft and mergekit; and the plain command."""

import fork_server
import pytest
import torch
from safetensors.torch import load_file

import merge as command
from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import engine, runs
from judgemerge.merge.checks import check_merge


@pytest.fixture(scope="module")
def adapters(tiny_models, tmp_path_factory):
    """Return two LoRA adapters of the tiny base with random matrices; the second is rank-stabilised."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    found = {}
    for seed, name in enumerate(("first", "second")):
        base = AutoModelForCausalLM.from_pretrained(tiny_models["base"])
        config = peft.LoraConfig(
            r=4, lora_alpha=12, target_modules=["q_proj", "down_proj"], use_rslora=name == "second"
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = peft.get_peft_model(base, config)
            for key, parameter in model.named_parameters():
                if "lora_B" in key:
                    torch.nn.init.normal_(parameter, std=0.1)
        folder = tmp_path_factory.mktemp("adapters") / name
        model.save_pretrained(folder)
        found[name] = folder
    return found


def merge(parameters=None, base="base", method="adapter_linear", **weights):
    return {
        "method": method,
        "base": base,
        "models": {name: {"weight": weight} for name, weight in weights.items()},
        "parameters": parameters or {},
        "dtype": "float32",
        "seed": 7,
    }


def run(entry, tmp_path, tiny_models, adapters):
    folders = {"base": tiny_models["base"], **{name: adapters[name] for name in entry["models"]}}
    engine.merge_all({"out": entry}, folders, {"out": tmp_path / "out"})
    return dict(models.tensors(tmp_path / "out"))


def matrices(folder, layer):
    tensors = load_file(folder / "adapter_model.safetensors")
    return (tensors[f"base_model.model.{layer}.lora_{which}.weight"] for which in "BA")


LAYER = "model.layers.1.self_attn.q_proj"


def test_weighted_updates_are_added_to_the_base(tmp_path, tiny_models, adapters):
    merged = run(merge(first=0.7, second=-0.2), tmp_path, tiny_models, adapters)
    base = dict(models.tensors(tiny_models["base"]))
    (b1, a1), (b2, a2) = (matrices(adapters[name], LAYER) for name in ("first", "second"))
    # alpha / r = 3; rank-stabilised: alpha / √r = 6.
    expected = base[f"{LAYER}.weight"] + 0.7 * 3 * b1 @ a1 - 0.2 * 6 * b2 @ a2
    torch.testing.assert_close(merged[f"{LAYER}.weight"], expected, rtol=0, atol=1e-6)
    assert torch.equal(merged["lm_head.weight"], base["lm_head.weight"])


@pytest.mark.parametrize(("combination", "of_peft"), [("updates", "cat"), ("matrices", "linear")])
def test_two_adapters_are_merged_as_peft_does(tmp_path, tiny_models, adapters, combination, of_peft):
    import peft
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_models["base"])
    model = peft.PeftModel.from_pretrained(base, adapters["first"], adapter_name="first")
    model.load_adapter(adapters["second"], adapter_name="second")
    model.add_weighted_adapter(["first", "second"], [0.5, 0.5], "both", combination_type=of_peft)
    model.set_adapter("both")
    theirs = model.merge_and_unload().state_dict()
    ours = run(merge({"combination": combination}, first=0.5, second=0.5), tmp_path, tiny_models, adapters)
    for name, values in ours.items():
        torch.testing.assert_close(values, theirs[name], rtol=0, atol=1e-5)


def test_a_single_adapter_is_its_exported_model(tmp_path, tiny_models, adapters):
    import peft
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_models["base"])
    theirs = peft.PeftModel.from_pretrained(base, adapters["first"]).merge_and_unload().state_dict()
    for name, values in run(merge(first=1.0), tmp_path, tiny_models, adapters).items():
        torch.testing.assert_close(values, theirs[name], rtol=0, atol=1e-6)


def test_kinds_of_adapters_that_are_not_plain_are_refused(tmp_path, tiny_models, adapters):
    import shutil

    odd = tmp_path / "odd"
    shutil.copytree(adapters["first"], odd)
    config = files.read_json(odd / "adapter_config.json")
    files.write_json(odd / "adapter_config.json", config | {"use_dora": True})
    with pytest.raises(JudgemergeError, match="odd/adapter_config.json: 'use_dora' is True"):
        run(merge(odd=1.0), tmp_path, tiny_models, {"odd": odd})
    files.write_json(odd / "adapter_config.json", config | {"peft_type": "IA3"})
    with pytest.raises(JudgemergeError, match="'peft_type' is 'IA3'; only LORA can be merged"):
        run(merge(odd=1.0), tmp_path, tiny_models, {"odd": odd})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", ["lm_head", "embed_tokens"])
def test_copies_of_the_bases_weights_that_peft_saves_are_left_out_or_refused(tmp_path, tiny_models, target):
    import peft
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(tiny_models["base"])
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = peft.get_peft_model(base, peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", target]))
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path / "first")
    path = tmp_path / "first" / "adapter_model.safetensors"
    stored = load_file(path)
    copy = next(name for name in stored if name.endswith(f"{target}.base_layer.weight"))
    theirs = model.merge_and_unload().state_dict()
    for name, values in run(merge(first=1.0), tmp_path, tiny_models, {"first": tmp_path / "first"}).items():
        torch.testing.assert_close(values, theirs[name], rtol=0, atol=1e-5)
    stored[copy] = stored[copy] + 1
    save_file(stored, path)
    with pytest.raises(
        JudgemergeError, match=rf"first: the adapter brings a '.*{target}\.weight' \[512, 256\] of its own"
    ):
        run(merge(first=1.0), tmp_path, tiny_models, {"first": tmp_path / "first"})


def test_the_digest_of_an_adapter_knows_its_scale_but_not_its_place(tmp_path, adapters):
    import shutil

    copy = shutil.copytree(adapters["first"], tmp_path / "copy")
    config = files.read_json(copy / "adapter_config.json")
    files.write_json(copy / "adapter_config.json", config | {"base_model_name_or_path": "elsewhere"})
    assert models.adapter_digest(copy) == models.adapter_digest(adapters["first"])
    files.write_json(copy / "adapter_config.json", config | {"lora_alpha": 24})
    assert models.adapter_digest(copy) != models.adapter_digest(adapters["first"])


def test_experts_must_be_adapters_of_the_base():
    known, bases = {"base", "other", "first", "full"}, {"first": "base"}
    check_merge("mine", merge(first=1.0), known, "study.yaml", bases)
    with pytest.raises(JudgemergeError, match="names 'full', which is no LoRA expert"):
        check_merge("mine", merge(full=1.0), known, "study.yaml", bases)
    with pytest.raises(JudgemergeError, match="has base 'other', but 'first' was trained on 'base'; correct the base"):
        check_merge("mine", merge(base="other", first=1.0), known, "study.yaml", bases)


def test_mergekit_reads_adapters_in_place_of_exported_models(tmp_path, tiny_models, adapters, tools_on_path):
    entry = merge(method="task_arithmetic", first=0.5, second=0.5) | {"adapters": True}
    folders = {"base": tiny_models["base"], **adapters}
    runs.make_model(
        merge=entry,
        parents=runs.Parents(
            {name: str(path) for name, path in folders.items()},
            {name: "0" for name in folders},
            {name: "base" for name in adapters},
        ),
        threads=1,
        model=str(tmp_path / "merged"),
        manifest=str(tmp_path / "merged.json"),
        recipe_file=str(tmp_path / "recipe.yaml"),
    )
    merged = dict(models.tensors(tmp_path / "merged"))
    sums = run(merge(first=0.5, second=0.5), tmp_path, tiny_models, adapters)
    for name, values in sums.items():
        torch.testing.assert_close(merged[name], values, rtol=0, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "merged.json", "out", "recipe.yaml"]


# ---- scripts/commands/merge.py ----


def call(*arguments):
    entry, folders, bases = command.read_command(given := command.parser().parse_args(list(arguments)))
    return command.main(entry, folders, given.output, given.threads, bases)


def test_the_command_mixes_by_weights(tmp_path, tiny_models):
    one, two = tiny_models["one"], tiny_models["two"]
    made = call("--model", f"a={one}:0.25", "--model", f"b={two}:0.75", "--output", str(tmp_path / "mix"))
    assert list(made) == ["mix"]
    parents = [dict(models.tensors(folder)) for folder in (one, two)]
    for name, values in models.tensors(tmp_path / "mix"):
        assert torch.equal(values, 0.25 * parents[0][name] + 0.75 * parents[1][name])
    assert {"README.md", "recipe.yaml", "tokenizer.json"} <= {path.name for path in (tmp_path / "mix").iterdir()}
    with pytest.raises(JudgemergeError, match="mix exists; remove it or give another --output"):
        call("--model", f"a={one}:0.25", "--model", f"b={two}:0.75", "--output", str(tmp_path / "mix"))


def test_the_command_runs_a_grid_in_one_pass(tmp_path, tiny_models):
    arguments = ["--method", "ties", "--engine", "streamed", "--base", str(tiny_models["base"])]
    arguments += [part for name in ("one", "two") for part in ("--model", f"{name}={tiny_models[name]}:0.5")]
    made = call(*arguments, "--grid", "density=0.2,0.8", "--output", str(tmp_path / "ties"))
    assert list(made) == ["ties_density_0_2", "ties_density_0_8"]
    assert made["ties_density_0_2"]["digest"] != made["ties_density_0_8"]["digest"]


def test_the_command_weighs_by_examples_and_reads_adapters(tmp_path, tiny_models, adapters):
    files.write_jsonl(tmp_path / "few.jsonl", [{"input": "Is it so?", "output": "Yes"}])
    arguments = [part for name in ("one", "two") for part in ("--model", f"{name}={tiny_models[name]}")]
    made = call(*arguments, "--examples", str(tmp_path / "few.jsonl"), "--output", str(tmp_path / "mix"))
    assert sum(made["mix"]["made_by"]["weights"]["weights"].values()) == pytest.approx(1)
    assert "softmax(−loss / 5) over 1 of 1 examples" in (tmp_path / "mix" / "README.md").read_text()
    arguments = ["--method", "adapter_linear", "--base", str(tiny_models["base"])]
    made = call(*arguments, "--model", f"first={adapters['first']}:1.0", "--output", str(tmp_path / "lora"))
    assert made["lora"]["made_by"]["parents"].keys() == {"base", "first"}


def test_the_command_says_what_is_wrong_in_one_sentence(tmp_path, tiny_models, repository):
    import subprocess

    merge = str(repository / "scripts" / "commands" / "merge.py")
    script = [fork_server.python(), merge, "--output", str(tmp_path / "x")]
    told = subprocess.run([*script, "--model", f"a={tiny_models['one']}:0.4"], capture_output=True, text=True)
    assert told.returncode == 1
    assert told.stderr == "merge.py: merge 'x' has weights that sum to 0.4; a cocktail needs a sum of 1\n"

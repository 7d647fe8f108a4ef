"""Model folders: what a manifest depends on, what is refused, and how a finished model is put into place."""

import json
import os
import shutil
import stat

import pytest

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError


@pytest.fixture
def model(tmp_path, tiny_models):
    """Return a copy of a tiny model that a test may spoil."""
    return shutil.copytree(tiny_models["base"], tmp_path / "model")


@pytest.fixture
def umask_022():
    before = os.umask(0o022)
    yield
    os.umask(before)


def change_config(folder, **keys):
    config = files.read_json(folder / "config.json")
    (folder / "config.json").write_text(json.dumps({**config, **keys}), encoding="utf-8")


def write_index(folder, *shards):
    weight_map = {name: shard for shard in shards for name in models.header(folder / shard)}
    files.write_json(folder / models.INDEX, {"weight_map": weight_map})


def test_the_digest_does_not_know_where_the_model_lies(model, tmp_path):
    before = models.describe(model)
    elsewhere = shutil.copytree(model, tmp_path / "other" / "name")
    change_config(elsewhere, _name_or_path="somebody/model")
    (elsewhere / "README.md").write_text("a card")
    (elsewhere / "trainer_state.json").write_text("{}")
    assert models.describe(elsewhere)["digest"] == before["digest"]


def test_the_manifest_lists_every_file_that_decides_an_answer(model):
    manifest = models.describe(model, rule="make_model", seed=3)
    assert set(manifest["files"]) == {
        "config.json",
        "generation_config.json",
        "chat_template.jinja",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert manifest["files"]["model.safetensors"]["sha256"] == files.sha256_file(model / "model.safetensors")
    assert manifest["bytes"] == sum(path.stat().st_size for path in model.iterdir())
    assert manifest["made_by"] == {"rule": "make_model", "seed": 3}
    # Embeddings and output layer, two layers of attention (4 matrices, 2 of them half) and feed-forward (3), 5 norms.
    assert manifest["parameters"] == 2 * 512 * 256 + 2 * (3 * 256 * 256 + 3 * 256 * 256) + 5 * 256


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_the_digest_changes_with_one_byte(model, name):
    before = models.describe(model)["digest"]
    content = bytearray((model / name).read_bytes())
    content[-1] ^= 1
    (model / name).write_bytes(content)
    assert models.describe(model)["digest"] != before


def test_the_digest_changes_with_a_setting_or_a_name(model):
    before = models.describe(model)["digest"]
    (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
    write_index(model, "model-00001-of-00001.safetensors")
    renamed = models.describe(model)["digest"]
    change_config(model, rope_theta=1.0)
    assert len({before, renamed, models.describe(model)["digest"]}) == 3


def test_a_missing_config_is_named(model):
    (model / "config.json").unlink()
    with pytest.raises(JudgemergeError, match=r"model: config\.json is missing; give the folder of a Hugging Face"):
        models.check_folder(model)


def test_pickled_weights_are_refused(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(JudgemergeError, match=r"no \.safetensors file; convert the model \(pickled weights are never"):
        models.check_folder(model)


def test_a_missing_shard_is_named(model):
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (model / "model.safetensors").rename(model / shards["a"])
    files.write_json(model / "model.safetensors.index.json", {"metadata": {}, "weight_map": shards})
    with pytest.raises(JudgemergeError, match=r"shard 'model-00002-of-00002\.safetensors' of the index is missing"):
        models.describe(model)


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_a_truncated_file_is_named_in_one_sentence(model, kept):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(JudgemergeError) as caught:
        models.describe(model)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).endswith("write the model again")


def test_a_file_that_is_no_safetensors_is_named(model):
    path = model / "model.safetensors"
    path.write_bytes(b"\x10" + bytes(7) + b"this is not JSON" + bytes(64))
    with pytest.raises(JudgemergeError, match=r"model\.safetensors: the header is not JSON; download or write"):
        models.describe(model)


def test_links_point_to_the_files_that_are_loaded(model, tmp_path):
    (model / "training_args.bin").write_bytes(b"pickle")
    models.link_files(model, tmp_path / "linked")
    assert (tmp_path / "linked" / "model.safetensors").readlink() == model / "model.safetensors"
    assert not (tmp_path / "linked" / "training_args.bin").exists()
    assert models.describe(tmp_path / "linked")["digest"] == models.describe(model)["digest"]


STRAY = (
    "consolidated.safetensors",  # Mistral's own names, beside the shards
    "fp16/model.safetensors",
    "adapter/adapter_model.safetensors",
    "adapter_model.safetensors",
    "model-00001-of-00002.safetensors",  # of a download that was given up
    "pytorch_model.bin",
    "onnx/model.onnx",
    "trainer_state.json",
    "all_results.json",
    "training_args.bin",
    "fp16/config.json",
)
BELONGS = ("tokenizer.model", "added_tokens.json", "special_tokens_map.json", "vocab.json", "merges.txt")


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        if name.endswith(".safetensors"):
            shutil.copyfile(folder / "model.safetensors", folder / name)
        else:
            (folder / name).write_text("{}")


def below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_the_index_or_the_single_file_holds_counts_as_weights(model, tmp_path):
    before = models.describe(model)
    shapes, size = models.tensor_shapes(model), models.size_on_disk(tmp_path / "none.json", model)
    plain = below(model)
    put(model, *STRAY)
    assert models.describe(model)["digest"] == before["digest"]
    assert models.describe(model)["parameters"] == before["parameters"]
    assert models.tensor_shapes(model) == shapes == {name: tuple(t.shape) for name, t in models.tensors(model)}
    assert models.size_on_disk(tmp_path / "none.json", model) == size
    put(model, *BELONGS, "modules.json", "1_Pooling/config.json")
    models.link_files(model, tmp_path / "linked")
    models.copy_model(model, tmp_path / "copied")
    assert below(tmp_path / "linked") == below(tmp_path / "copied")
    assert below(tmp_path / "copied") == {*plain, *BELONGS, "modules.json", "1_Pooling/config.json"}
    # What would be downloaded is decided from names alone, by the same list.
    assert set(models.wanted_names(below(model), None, "repo")) == below(tmp_path / "copied")


def test_the_index_decides_where_there_is_one(model, tmp_path):
    put(model, "model-00001-of-00001.safetensors", "model-00001-of-00002.safetensors", "consolidated.safetensors")
    write_index(model, "model-00001-of-00001.safetensors")
    assert [path.name for path in models.weight_files(model)] == ["model-00001-of-00001.safetensors"]
    with pytest.raises(
        JudgemergeError, match=r"has model\.safetensors and model\.safetensors\.index\.json, which names"
    ):
        models.check_one_set_of_weights(model)
    models.link_files(model, tmp_path / "linked")
    models.check_one_set_of_weights(tmp_path / "linked")
    assert {"model.safetensors", "consolidated.safetensors"} & below(tmp_path / "linked") == set()


@pytest.mark.parametrize("weight_map", [{}, None, {"x": "fp16/model.safetensors"}, {"x": 3}])
def test_an_index_that_names_no_files_is_refused(model, weight_map):
    files.write_json(model / models.INDEX, {"weight_map": weight_map})
    with pytest.raises(JudgemergeError, match="names no files of this folder; download or write the model again"):
        models.check_folder(model)


def test_weights_under_another_name_are_refused_by_that_name(model):
    (model / "model.safetensors").rename(model / "model.fp16.safetensors")
    with pytest.raises(
        JudgemergeError, match=r"'model\.fp16\.safetensors' is there, but neither model\.safetensors nor"
    ):
        models.check_folder(model)


def test_a_tokenizer_without_tokenizer_json_is_part_of_the_identity(model):
    put(model, "tokenizer.model")
    before = models.describe(model)["digest"]
    (model / "tokenizer.model").write_text("other")
    assert models.describe(model)["digest"] == before  # tokenizer.json decides
    (model / "tokenizer.json").unlink()
    without = models.describe(model)["digest"]
    (model / "tokenizer.model").write_text("third")
    assert len({before, without, models.describe(model)["digest"]}) == 3


def test_exchanged_weights_are_found_in_a_plan_and_when_they_are_loaded(model, tmp_path, tiny_models):
    manifest = models.describe(model)
    before = models.fingerprint(model)
    os.utime(model / "model.safetensors", (1, 1))
    assert models.fingerprint(model) == before
    models.check_digest(model, manifest)
    times = (model / "model.safetensors").stat()
    shutil.copyfile(tiny_models["one"] / "model.safetensors", model / "model.safetensors")
    os.utime(model / "model.safetensors", ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    assert models.fingerprint(model) != before
    with pytest.raises(JudgemergeError, match=r"model\.safetensors: has changed since the model was described \("):
        models.check_digest(model, manifest)
    assert models.fingerprint(tmp_path / "nowhere") is None


def test_a_setting_that_was_added_later_is_found_when_the_model_is_loaded(model):
    manifest = models.describe(model)
    put(model, "special_tokens_map.json")
    with pytest.raises(JudgemergeError, match="'special_tokens_map.json' was not there when the model was described"):
        models.check_digest(model, manifest)


def test_a_large_file_is_sampled_from_its_beginning_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "SAMPLE", 16)
    (tmp_path / "model.safetensors").write_bytes(bytes(5000))
    marks = {models.fingerprint(tmp_path)}
    for place in (0, 2500, 4999):
        content = bytearray(5000)
        content[place - place % 79 : place + 79] = b"x" * len(content[place - place % 79 : place + 79])
        (tmp_path / "model.safetensors").write_bytes(content)
        os.utime(tmp_path / "model.safetensors", (place, place))
        marks.add(models.fingerprint(tmp_path))
    assert len(marks) == 4


def test_an_export_gets_the_vocabulary_files_that_its_base_has(model, tmp_path):
    export = shutil.copytree(model, tmp_path / "export")
    put(model, "tokenizer.model", "added_tokens.json", "generation_config.json")
    models.complete_description(export, model)
    assert below(export) == {*below(model)} - {"added_tokens.json"}


def test_links_to_no_model_are_refused(tmp_path):
    with pytest.raises(JudgemergeError, match=r"nowhere: config\.json is missing"):
        models.link_files(tmp_path / "nowhere", tmp_path / "linked")
    assert not (tmp_path / "linked").exists()


def test_a_finished_model_is_readable_by_the_group(model, tmp_path, umask_022):
    (model / "model.safetensors").chmod(0o600)  # as safetensors 0.8.0 leaves it
    (model / "checkpoint-10").mkdir(mode=0o700)
    (model / "checkpoint-10" / "optimizer.pt").write_bytes(b"large")
    (model / "figures").mkdir(mode=0o700)
    destination = tmp_path / "deep" / "finished"
    destination.mkdir(parents=True)
    (destination / "left over").touch()
    models.move_into_place(model, destination, leave_out=("checkpoint-*",))
    assert not model.exists()
    assert not (destination / "left over").exists()
    assert not (destination / "checkpoint-10").exists()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in destination.iterdir()}
    assert modes.pop("figures") == 0o755
    assert set(modes.values()) == {0o644}


def test_a_damaged_file_says_no_size(tmp_path):
    """A plan asks for sizes: it stands, and the job that needs the model says what is wrong with it."""
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"\0\1")
    assert models.size_on_disk(tmp_path / "none.json", tmp_path) is None

"""Model folders: what a manifest depends on, what is refused, and how a finished model is put into place."""

import json
import os
import shutil
import stat

import pytest

from judgemerge import files, models
from judgemerge.errors import JudgemergeError


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
    (model / "model.safetensors").rename(model / "other.safetensors")
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

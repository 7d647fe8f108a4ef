"""Pushing: what a name stands for, what is never handed on, and the protocol against a server that speaks it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from hub_server import TOKEN, serving_hub
from safetensors.numpy import save_file

import push as command
from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.report import pushing
from study_options import read_study

ROOT = Path(__file__).resolve().parents[3]
DEMO = str(ROOT / "config/config.yaml")
LICENSED = ('about={"model_licence": "apache-2.0", "licence": "CC-BY-4.0"}',)


def write_model(folder: Path, weights: str = models.WHOLE, **config) -> None:
    folder.mkdir(parents=True)
    save_file({"weight": np.ones((2, 3), np.float32)}, folder / weights)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "optimizer.pt").write_bytes(b"no part of it")
    (folder / "recipe.yaml").write_text(f"folders: {{a: {folder}}}")


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """Results of the demo as far as pushing reads them: a merge with its card, an expert, its adapter."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results/demo"
    for name in ("ties", "pairwise", "tiny"):
        write_model(results / "models" / name, _name_or_path=str(tmp_path / name))
        manifest = models.describe(results / "models" / name, rule="made")
        files.write_json(results / "models" / f"{name}.json", manifest)
    write_model(results / "adapters/pairwise", models.ADAPTER)
    where = {"base_model_name_or_path": str(results / "models/tiny"), "r": 8}
    (results / "adapters/pairwise/adapter_config.json").write_text(json.dumps(where))
    (results / "cards").mkdir()
    (results / "cards/ties.md").write_text("---\nlibrary_name: transformers\nlicense: apache-2.0\n---\n# ties\n")
    return results


def names(push: pushing.Push) -> list[str]:
    return [file.name for file in push.files]


def test_a_merge_goes_with_its_card_and_nothing_else(results):
    push = pushing.of_study(read_study(DEMO, LICENSED), results, "ties", DEMO)
    assert names(push) == ["README.md", "model.safetensors", "config.json", "tokenizer.json"]
    assert json.loads(push.files[2].content) == {"model_type": "llama"}  # without the path of this machine


def test_an_adapter_names_its_base_and_not_a_folder(results):
    push = pushing.of_study(read_study(DEMO, LICENSED), results, "adapters/pairwise", DEMO)
    assert names(push) == ["README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"]
    assert json.loads(push.files[1].content) == {"base_model_name_or_path": "tiny", "r": 8}
    card = push.files[0].content.decode()
    about = yaml.safe_load(card.split("---\n")[1])
    assert (about["license"], about["base_model"], about["library_name"]) == ("apache-2.0", ["tiny"], "peft")
    assert "trained to judge" in card


def test_an_expert_and_a_card_alone(results):
    study = read_study(DEMO, LICENSED)
    assert names(pushing.of_study(study, results, "cards/ties", DEMO)) == ["README.md"]
    push = pushing.of_study(study, results, "pairwise", DEMO)
    assert "## Training" in push.files[0].content.decode()


def test_an_export_goes_as_it_was_written(results):
    study = read_study(DEMO, LICENSED)
    with pytest.raises(JudgemergeError, match="export.json is missing; write the export first"):
        pushing.of_study(study, results, "export", DEMO)
    (results / "export").mkdir()
    (results / "export/README.md").write_text("card")
    listed = {"files": {"README.md": files.sha256_file(results / "export/README.md")}}
    files.write_json(results / "export/export.json", listed)
    (results / "export/notes.txt").write_text("not part of it")
    push = pushing.of_study(study, results, "export", DEMO)
    assert (push.kind, names(push)) == ("dataset", ["README.md", "export.json"])
    (results / "export/README.md").write_text("changed")
    with pytest.raises(JudgemergeError, match="has changed since the export was written"):
        pushing.of_study(study, results, "export", DEMO)


@pytest.mark.parametrize(
    ("what", "config", "sentence"),
    [
        ("ties", (), "about.model_licence is not set, so nobody may use 'ties'"),
        ("export", (), "about.licence is not set"),
        ("tiny", LICENSED, "'tiny' was not made by this study"),
        ("tie", LICENSED, "there is no 'tie' to push; did you mean 'ties'?"),
        ("adapters/ties", LICENSED, "there is no 'adapters/ties' to push"),
        ("slerp", LICENSED, "cards/slerp.md is missing; run the study first"),
    ],
)
def test_what_may_not_be_handed_on_is_refused(results, what, config, sentence):
    with pytest.raises(JudgemergeError, match=sentence):
        pushing.of_study(read_study(DEMO, config), results, what, DEMO)


def test_weights_that_changed_and_paths_of_this_machine_are_refused(results):
    study = read_study(DEMO, LICENSED)
    (results / "cards/ties.md").write_text(f"---\nlicense: mit\n---\nmade in {Path.cwd()}/models\n")
    with pytest.raises(JudgemergeError, match="README.md: names the folder"):
        pushing.of_study(study, results, "ties", DEMO)
    (results / "cards/ties.md").write_text("---\nlibrary_name: transformers\n---\n")
    with pytest.raises(JudgemergeError, match="written before about.model_licence was set"):
        pushing.of_study(study, results, "ties", DEMO)
    (results / "models/pairwise/tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(JudgemergeError, match="has changed since the model was described"):
        pushing.of_study(study, results, "pairwise", DEMO)


def pushed(*options: str, hub, token: str = TOKEN) -> subprocess.CompletedProcess:
    line = [sys.executable, str(ROOT / "scripts/commands/push.py"), "--study", DEMO, "--config", *LICENSED, *options]
    own = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(Path.cwd() / "hf"), "HF_HUB_OFFLINE": "0"}
    own |= {"HF_HUB_DISABLE_XET": "1"}
    environment = {**os.environ, **own}
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=120)


def test_the_hub_gets_what_was_named_in_one_commit_and_keeps_it_private(results):
    with serving_hub() as hub:
        done = pushed("--what", "ties", "--to", "me/ties", hub=hub)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1].startswith(f"{hub.url}/me/ties: 4 files")
        there = hub.files["models/me/ties"]
        assert there["model.safetensors"] == (results / "models/ties/model.safetensors").read_bytes()
        assert sorted(there) == ["README.md", "config.json", "model.safetensors", "tokenizer.json"]
        assert hub.private["models/me/ties"] and hub.commits == ["judgemerge: ties"]
        hub.private["models/me/ties"] = False
        refused = pushed("--what", "ties", "--to", "me/ties", hub=hub)
        assert refused.returncode == 1 and "me/ties: is public" in refused.stderr
        told = command.main("me/ties", DEMO, "ties", config=LICENSED, dry_run=True)
        assert "model.safetensors  " in told and told.endswith("0.0 MB") and len(hub.commits) == 1
        stranger = pushed("--what", "ties", "--to", "me/other", hub=hub, token="hf_wrong")
        assert "log in with `hf auth login` or set HF_TOKEN" in stranger.stderr and "Traceback" not in stranger.stderr

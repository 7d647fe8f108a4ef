"""docs/provenance.md, executed; and one number of a model followed all the way to the checksum of its raw file."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow_runs import copy_workflow, runner

from judgemerge.core.files import sha256_file, sha256_text
from judgemerge.core.items import read_items
from judgemerge.prompting.parsing import Reply, parse_row
from judgemerge.prompting.prompts import load_template, render

pytestmark = pytest.mark.slow

BLOCK = re.compile(r"^```(console|python title=\"([^\"]+)\")\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(repository):
    """Return (name of the file, text) of every block of the page; commands have no name."""
    page = (repository / "docs" / "provenance.md").read_text(encoding="utf-8")
    return [(match[2], match[3]) for match in BLOCK.finditer(page)]


def shell(command, folder):
    """Run one command with the tools of this environment and return what it prints."""
    tools = f"{os.path.dirname(sys.executable)}/"
    command = command.replace(".venv/bin/", tools)
    process = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, f"{command}\n{process.stdout}{process.stderr[-2000:]}"
    return process.stdout


def compare(text, folder):
    """Run the commands of a block and compare what they print with what is shown after them."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        pattern = re.escape(shown).replace("…", ".+")
        printed = shell(command, folder)
        assert re.fullmatch(pattern, printed), f"{command}\nprints\n{printed}"


def test_the_walk_of_the_page(repository, replayed):
    done = 0
    for name, text in blocks(repository):
        if name:
            (replayed / name).write_text(text, encoding="utf-8")
        elif "results/demo" not in text:
            compare(text, replayed)
            done += 1
    assert done > 8


def test_the_walk_through_the_demo(repository):
    if not (repository / "results" / "demo" / "run.json").exists():
        pytest.skip("needs the finished demo: results/demo/run.json is missing (make demo)")
    walked = [compare(text, repository) for name, text in blocks(repository) if "results/demo" in text and not name]
    assert len(walked) == 2


# ---- a model, a file of one's own ----

ROWS = [
    {"id": f"q{number}", "question": f"Name a thing in room {number}.", "a": a, "b": b, "better": better}
    for number, (a, b, better) in enumerate([("lamp", "a chair", "a"), ("fox", "spoon", "b"), ("rope", "rope", "tie")])
]
STUDY = {
    "study": "walk",
    "models": {"judge": {"path": "the_model"}},
    "suites": {"mine": {"benchmarks": ["rooms"]}},
    "judges": ["judge", "majority"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}, "max_prompt_tokens": 400},
    "statistics": {"resamples": 100},
}


@pytest.fixture(scope="module")
def walked(repository, tiny_models, tmp_path_factory) -> Path:
    """Return a copy of the workflow in which a random model has judged three pairs of a file with a checksum."""
    folder = copy_workflow(repository, tmp_path_factory.mktemp("walked"))
    (folder / "the_model").symlink_to(tiny_models["one"])
    rows = folder / "rooms.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    source = {"address": "rooms.jsonl", "sha256": sha256_file(rows), "bytes": rows.stat().st_size, "licence": "CC0"}
    entry = {"loader": "jsonl", "protocol": "pairwise", "description": "Rooms", "truth": "label"}
    entry |= {"sources": {"rows": "rooms_file"}}
    fields = {"id": "id", "prompt": "question", "responses": ["a", "b"], "label": "better"}
    entry["options"] = {"fields": fields, "labels": {"a": "first", "b": "second", "tie": "tie"}}
    for name, added in (("sources", {"rooms_file": source}), ("benchmarks", {"rooms": entry})):
        with open(folder / "config" / f"{name}.yaml", "a", encoding="utf-8") as file:
            yaml.safe_dump(added, file)
    (folder / "walk.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    process = runner(folder)("--configfile", "walk.yaml")
    assert process.returncode == 0, process.stderr[-3000:]
    return folder


def rows_of(path):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file)) if path.suffix == ".csv" else [json.loads(line) for line in file]


def test_a_number_of_a_model_all_the_way(walked):
    results = walked / "results" / "walk"
    # cell → verdicts
    key = {"judge": "judge", "benchmark": "rooms", "metric": "accuracy_first", "rules": "house"}
    cell = next(row for row in rows_of(results / "tables/agreement.csv") if key.items() <= row.items())
    assert cell.pop("prompt")  # which the table adds
    assert cell in rows_of(results / "scores/rooms.csv")
    items = {item.id: item for item in read_items(results / "items/rooms.jsonl")}
    verdicts = {(row["item"], row["order"]): row for row in rows_of(results / "verdicts/judge/mine.jsonl")}
    right = [verdicts[name, "original"]["outcome"] == item.truth for name, item in items.items()]
    assert float(cell["value"]) == pytest.approx(sum(right) / len(right))
    assert int(cell["errors"]) == sum(verdicts[name, "original"]["outcome"] == "error" for name in items)
    # verdict → reply → prompt
    template = load_template(walked / "config/prompts/brief_pairwise.yaml")
    replies = {(row["item"], row["order"]): row for row in rows_of(results / "replies/judge/mine.jsonl")}
    assert replies.keys() == verdicts.keys()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(results / "models/judge")
    for (name, order), reply in replies.items():
        verdict = parse_row(Reply(**reply), template.reply)
        kept = {
            key: value
            for key, value in vars(verdict).items()
            if key not in ("raw", "cut", "published", "probabilities") or value is not None
        }
        assert {"benchmark": "rooms", **kept} == verdicts[name, order]
        messages = render(template, items[name], order)
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        assert reply["prompt"] == sha256_text(text, "greedy,torch.float32", str(template.max_new_tokens))
    # judge → weights, and the store of its replies
    manifest = json.loads((results / "models/judge.json").read_text())
    assert {path.name for path in (results / "store").iterdir()} == {manifest["digest"][:16]}
    weights = manifest["files"]["model.safetensors"]["sha256"]
    assert weights == sha256_file(walked / "the_model/model.safetensors")
    assert manifest["made_by"] == {"rule": "link_model", "path": "the_model"}
    # item → raw row → checksum
    for name, item in items.items():
        assert item.origin["source"] == "rooms_file"
        raw = rows_of(results / "sources" / item.origin["source"])[item.origin["row"]]
        assert (raw["id"], raw["question"]) == (name, item.turns[0])
    record = json.loads((results / "run.json").read_text())
    source = record["sources"]["rooms_file"]
    assert source["sha256"] == sha256_file(results / "sources/rooms_file") == sha256_file(walked / source["url"])
    assert record["models"]["judge"] == manifest["digest"]
    assert record["tables"]["agreement.csv"] == sha256_file(results / "tables/agreement.csv")
    assert record["versions"]["snakemake"] and record["settings"]["judging"]["dtype"] == "auto"

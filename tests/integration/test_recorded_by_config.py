"""A further recorded judge is an entry in config: LLMBar's strategies from hand-made files given by their path."""

import csv
import json

import pytest
import yaml

from judgemerge.core.files import sha256_file

STRATEGIES = {
    "vanilla": {"file": "vanilla"},
    "cot": {"file": "llmbar_cot.json"},
    "swap": {"file": "llmbar_swap.json"},
    "metrics_reference": {"file": "llmbar_metrics_reference.json"},
    "rating": {"file": "llmbar_rating.json"},
    "rating_winners": {"file": "llmbar_rating.json", "options": {"rating": "winners"}},
}
TABLE = "results/strategies/tables/agreement.csv"


def append(path, entries):
    path.write_text(path.read_text(encoding="utf-8") + "\n" + yaml.safe_dump(entries), encoding="utf-8")


def vanilla(data, folder):
    """Write what LLMBar's Vanilla strategy leaves: the answer alone, unread ones with the winner null."""
    winners = [("1", "1"), ("2", "2"), (None, "1"), ("2", None)]
    rows = json.loads((data / "llmbar.json").read_text(encoding="utf-8"))
    for row, pair in zip(rows, winners, strict=True):
        said = [{"completion": [f"Output ({winner})", "stop"], "winner": winner} for winner in pair]
        row["results"] = [{"swap = False": said[0], "swap = True": said[1]}]
    path = folder / "vanilla.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def config(checkout, data):
    """Add a benchmark, its file, and one recorded judge per strategy to the copied catalogues; write a study."""
    folder, rows = checkout / "config", data / "llmbar.json"
    local = {"address": str(rows), "sha256": sha256_file(rows), "bytes": rows.stat().st_size, "licence": "MIT"}
    append(folder / "sources.yaml", {"tiny_llmbar": local})
    spec = {"loader": "llmbar", "protocol": "pairwise", "published": "llmbar", "sources": {"rows": "tiny_llmbar"}}
    append(folder / "benchmarks.yaml", {"tiny_llmbar": spec | {"description": "four pairs", "truth": "label"}})
    for name, strategy in STRATEGIES.items():
        path = vanilla(data, checkout) if name == "vanilla" else data / strategy["file"]
        entry = {"label": name, "format": "llmbar", "benchmarks": {"tiny_llmbar": {"result": str(path)}}}
        append(folder / "recorded.yaml", {name: entry | {"options": strategy.get("options", {})}})
    study = {"study": "strategies", "suites": {"tiny": {"benchmarks": ["tiny_llmbar"]}}, "judges": [*STRATEGIES]}
    (checkout / "strategies.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    return folder


def test_every_strategy_is_scored(checkout, config, snakemake):
    result = snakemake(TABLE, "--configfile", "strategies.yaml")
    assert result.returncode == 0, result.stderr[-3000:]
    with open(checkout / TABLE, encoding="utf-8", newline="") as file:
        cells = {(row["judge"], row["metric"], row["rules"]): row for row in csv.DictReader(file)}
    accuracy = {name: float(cells[name, "accuracy", "published"]["value"]) for name in STRATEGIES}
    # Truth: 1, 2, 1, 1. Published rows take LLMBar's winners whatever our option is: equal or unreadable ratings get
    # one order each. By our rules they are never right.
    assert accuracy == {
        "vanilla": 5 / 8,
        "cot": 4 / 8,
        "swap": 7 / 8,
        "metrics_reference": 4 / 8,
        "rating": 6 / 8,
        "rating_winners": 6 / 8,
    }
    assert cells["vanilla", "unread", "published"]["value"] == "2.0"
    assert float(cells["rating", "accuracy", "house"]["value"]) == 4 / 8
    assert float(cells["rating_winners", "accuracy", "house"]["value"]) == 6 / 8
    assert cells["rating", "unread", "published"]["value"] == "0.0"
    assert cells["rating_winners", "unread", "published"]["value"] == "0.0"
    assert ("vanilla", "kappa_first", "house") in cells


def test_a_missing_file_is_named_before_the_first_job(checkout, config, snakemake):
    path = config / "recorded.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("vanilla.json", "vanila.json"), encoding="utf-8")
    result = snakemake(TABLE, "--configfile", "strategies.yaml", "--dry-run")
    path.write_text(before, encoding="utf-8")
    assert result.returncode != 0
    output = result.stdout + result.stderr
    assert "config/recorded.yaml: vanilla: tiny_llmbar: result is '" in output
    assert "vanila.json', neither a key of config/sources.yaml nor a file; correct it" in output
    assert "Traceback" not in output

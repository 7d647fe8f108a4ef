"""What goes out of a study: texts where licences allow it, digests elsewhere, a card, Every Eval Ever records."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import DatasetCard

from judgemerge.core.files import read_jsonl, write_json
from judgemerge.core.items import Item, Verdict, Vote, write_items, write_verdicts
from judgemerge.core.provenance import SHARED_ENVIRONMENT
from judgemerge.prompting.parsing import Reply, write_replies
from judgemerge.report import every_eval, export, sharing
from judgemerge.report.datasheet import datasheet
from judgemerge.study.load import load_study

SETTINGS = {
    "study": "few",
    "description": "Few judges.",
    "mirror": ".",
    "about": {"authors": [{"name": "A Laboratory"}], "licence": "CC-BY-4.0", "source": "https://example.org/few"},
    "models": {name: {"repo": f"owner/{name.title()}", "revision": "a" * 40} for name in ("one", "two")},
    "merges": {"mix": {"method": "linear", "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}}},
    "judging": {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}},
    "suites": {"pairs": {"benchmarks": ["pandalm", "autoj_pairwise"]}, "grades": {"benchmarks": ["demo_pointwise"]}},
    "judges": ["one", "mix", "longer", "pandalm_7b", "autoj_13b"],
}
RECORDED = {"pandalm_7b": "pandalm", "autoj_13b": "autoj_pairwise"}
SOURCES = {
    "pandalm_testset": {"url": "https://example.org/testset.json", "sha256": "1" * 64, "licence": "Apache-2.0"},
    "autoj_testset": {"url": "https://example.org/autoj.jsonl", "sha256": "2" * 64, "licence": "none stated"},
}
RECORD = {
    "study": "few",
    "git": {"commit": "c" * 40, "dirty": False},
    "versions": {"transformers": "5.5.4"},
    "deployment": SHARED_ENVIRONMENT,
    "sources": SOURCES,
    "models": {"mix": "d" * 64},
}
N = 4


def item(benchmark, number):
    if benchmark == "demo_pointwise":
        return Item(
            id=f"g{number}", benchmark=benchmark, protocol="pointwise", turns=("Grade?",), responses=(("A secret",),),
            truth=float(number), cluster=f"c{number}", origin={"source": "demo", "row": number},
        )  # fmt: skip
    return Item(
        id=f"p{number}", benchmark=benchmark, protocol="pairwise", turns=(f"A secret of {benchmark}?",),
        responses=(("left",), ("rïght",)), truth="first" if number else None, cluster="the secret",
        votes=(Vote("a", "first"),), origin={"source": "rows", "row": [number, 7]}, extra={"turn": number},
    )  # fmt: skip


def verdicts_on(benchmark):
    if benchmark == "demo_pointwise":
        return [Verdict(f"g{number}", "original", "score", score=1.0, raw="1") for number in range(N)]
    said = [
        Verdict(f"p{number}", order, "first", raw="Verdict: A", probabilities={"first": 0.75})
        for number in range(N)
        for order in ("original", "swapped")
    ]
    return [
        *said[:-1],
        Verdict(f"p{N - 1}", "swapped", "error", reason="no_verdict", raw="A secret that is long " * 20),
    ]


@pytest.fixture(scope="module")
def exported(repository, tmp_path_factory):
    """Return a study and the folder that its finished results were exported to."""
    folder, before = tmp_path_factory.mktemp("study"), Path.cwd()
    os.chdir(folder)
    study = load_study(SETTINGS, "few.yaml", repository / "config")
    results, rows = Path("results/few"), []
    for benchmark in study.benchmarks:
        (results / "items").mkdir(parents=True, exist_ok=True)
        write_items(results / f"items/{benchmark}.jsonl", (item(benchmark, number) for number in range(N)))
        counts = {"benchmark": benchmark, "items": N, "clusters": 1, "drawn_from": 9, "truth": {"first": 3}}
        write_json(results / f"items/{benchmark}.counts.json", counts)
        for judge in study.judges_of(benchmark):
            protocol = study.protocol(benchmark)
            metric = "accuracy" if protocol == "pairwise" else "spearman"
            about = {
                "judge": judge,
                "benchmark": benchmark,
                "protocol": protocol,
                "rules": "house",
                "n": 3,
                "errors": 1,
            }
            rows += [
                {**about, "metric": metric, "value": 0.5, "ci_low": 0.25, "ci_high": 0.75, "clusters": 2},
                {**about, "metric": "error_rate", "value": 0.125, "clusters": 2},
                {**about, "metric": f"{metric}[code]", "value": 0.9},
                {**about, "metric": "macro_f1" if protocol == "pairwise" else "mae"},
                {**about, "metric": metric, "value": 0.1, "rules": "published"},
            ]
    for judge in study.judges:
        for suite, names in study.suites.items():
            said = {name: verdicts_on(name) for name in names if study.answers(judge, name)}
            (results / "verdicts" / judge).mkdir(parents=True, exist_ok=True)
            write_verdicts(results / f"verdicts/{judge}/{suite}.jsonl", said)
            (results / "replies" / judge).mkdir(parents=True, exist_ok=True)
            replies = [
                Reply(name, one.item, one.order, "key", f"A secret reply. {one.raw}", None, 10, 3, "stop")
                for name in said
                for one in said[name]
            ]
            write_replies(results / f"replies/{judge}/{suite}.jsonl", replies if study.kind(judge) == "model" else [])
    for name in ("tables", "cards"):
        (results / name).mkdir()
    pd.DataFrame(rows).to_csv(results / "tables/agreement.csv", index=False)
    (results / "cards/mix.md").write_text("# mix", encoding="utf-8")
    (folder / "export").mkdir()
    contents = export.write(study, RECORD | {"settings": SETTINGS}, results, folder / "export", 1.8e9, "0.1.0")
    yield study, folder / "export", contents, results
    os.chdir(before)


def rows_of(folder, name):
    return list(read_jsonl(folder / f"{name}.jsonl"))


def test_texts_go_out_where_their_licence_allows_it(exported):
    _, folder, _, _ = exported
    (first, *_) = rows_of(folder, "items/pandalm")
    assert first["turns"] == ["A secret of pandalm?"] and first["votes"] == [{"annotator": "a", "vote": "first"}]
    text = '[["A secret of pandalm?"],[["left"],["rïght"]],null]'
    assert first["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert (first["source"], first["row"], first["extra"]) == ("rows", "[0, 7]", '{"turn": 0}')
    assert rows_of(folder, "items/demo_pointwise")[2]["truth"] == 2.0


def test_elsewhere_ids_and_digests_go_out_alone(exported):
    _, folder, _, _ = exported
    (first, *_) = rows = rows_of(folder, "items/autoj_pairwise")
    assert len(rows) == N
    assert set(first) == {"id", "benchmark", "protocol", "sha256", "source", "row"}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "README.md":
            assert "secret of autoj_pairwise" not in path.read_text(encoding="utf-8"), path
    # Whether a verdict is right would tell the label.
    assert {row["right"] for row in rows_of(folder, "verdicts/autoj_pairwise")} == {None}
    samples = [line for path in folder.glob("every_eval_ever/data/*/*/*/*_samples.jsonl") for line in read_jsonl(path)]
    assert samples and all(line["evaluation_name"] != "autoj_pairwise" for line in samples)


def test_verdicts_of_others_go_out_where_their_licence_allows_it(exported):
    study, folder, _, _ = exported
    judges = {name: {row["judge"] for row in rows_of(folder, f"verdicts/{name}")} for name in study.benchmarks}
    assert judges["pandalm"] == {"one", "mix", "longer", "pandalm_7b"}
    assert judges["autoj_pairwise"] == {"one", "mix", "longer"}
    (*_, last) = [row for row in rows_of(folder, "verdicts/autoj_pairwise") if row["judge"] == "one"]
    assert (last["outcome"], last["reason"], last["right"], last["raw"]) == ("error", "no_verdict", None, None)
    first = rows_of(folder, "verdicts/autoj_pairwise")[0]
    assert (first["right"], first["raw"], first["confidence"]) == (None, "Verdict: A", 0.75)  # no gold label


def test_licences_decide_and_nothing_else():
    class Study:
        catalogues = type("C", (), {"sources": {}, "benchmarks": {}})
        panels = {"jury": type("J", (), {"members": ("mine", "theirs")})}

        def benchmark_sources(self, name):
            return {"rows": name}

        def kind(self, judge):
            return {"jury": "jury", "mine": "model", "theirs": "recorded"}[judge]

    study = Study()
    for licence, allowed in (
        ("MIT", True),
        ("none stated", False),
        ("MIT; but not for sale", False),
        ("CC-BY-NC-4.0", False),
    ):
        study.catalogues.sources["rows"] = type("S", (), {"licence": licence})
        study.catalogues.benchmarks["rows"] = {}
        assert sharing.of_items(study, "rows").allowed is allowed
    study.catalogues.sources["rows"] = type("S", (), {"licence": "MIT"})
    study.catalogues.benchmarks["rows"] = {"licence": "research only"}
    assert sharing.of_items(study, "rows").reason == "licence: research only"
    study.catalogues.benchmarks["mine.jsonl"] = {}
    assert sharing.of_items(study, "mine.jsonl").reason == "licence: not stated"
    study.catalogues.benchmarks["mine.jsonl"] = {"licence": "CC0-1.0"}
    assert sharing.of_items(study, "mine.jsonl").allowed
    recorded = type("R", (), {"sources": lambda self, benchmark: {"verdicts": "theirs.jsonl"}})()
    study.catalogues.recorded = {"theirs": recorded}
    assert sharing.of_verdicts(study, "mine", "rows").allowed
    assert not sharing.of_verdicts(study, "jury", "rows").allowed  # what a jury says shows what its members said


def test_the_card_is_one_of_a_data_set_that_can_be_loaded(exported, tmp_path):
    import datasets

    study, folder, _, _ = exported
    card = DatasetCard.load(folder / "README.md")
    assert card.data.license == ["cc-by-4.0", "apache-2.0"]
    names = [entry["config_name"] for entry in card.data.to_dict()["configs"]]
    assert names == [f"{name}_{kind}" for name in study.benchmarks for kind in ("items", "verdicts")]
    sizes = {}
    for name in names:
        loaded = datasets.load_dataset(str(folder), name, split="train", cache_dir=str(tmp_path))
        sizes[name] = loaded.num_rows
    assert sizes == {
        "pandalm_items": 4, "pandalm_verdicts": 32, "autoj_pairwise_items": 4, "autoj_pairwise_verdicts": 24,
        "demo_pointwise_items": 4, "demo_pointwise_verdicts": 12,
    }  # fmt: skip
    text = card.text
    for line in (
        "- texts, votes and gold labels of autoj_pairwise (licence: none stated)",
        "- verdicts of autoj_13b (licence: none stated)",
        "- Authors of the results: A Laboratory",
        "- Items: 4, drawn from 9, 1 prompts; gold labels: first 3",
        f"- Raw file `pandalm_testset`: https://example.org/testset.json, sha256 `{'1' * 64}`, Apache-2.0",
        "| pandalm_7b | recorded | PandaLM-7B | pandalm |",
    ):
        assert f"{line}\n" in text


def test_without_a_licence_of_the_results_the_card_names_none(repository):
    study = load_study({**SETTINGS, "about": {}}, "few.yaml", repository / "config")
    metadata = export.metadata(study, 10)
    assert "license" not in metadata and metadata["size_categories"] == ["n<1K"]
    text = export.card(study, RECORD, Path("nowhere"), 10)
    assert "a licence of the results: the study names none" in text and "Authors" not in text
    assert not any("Authors" in line or "judgemerge developers" in line for line in datasheet(study, RECORD, Path()))


def test_every_file_is_in_the_manifest(exported):
    _, folder, contents, _ = exported
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {export.MANIFEST}
    assert set(contents["files"]) == names and "model_cards/mix.md" in names
    assert json.loads((folder / export.MANIFEST).read_text())["files"] == contents["files"]


# ---- Every Eval Ever ----


def records(folder):
    paths = folder.glob("every_eval_ever/data/*/*/*/*.json")
    return {path.relative_to(folder).parts[3:5]: json.loads(path.read_text()) for path in paths}


def test_a_record_says_who_judged_what_how_well(exported):
    _, folder, _, _ = exported
    of_judges = records(folder)
    assert set(of_judges) == {
        ("owner", "One"), ("a-laboratory", "few-mix"), ("recorded", "pandalm_7b"), ("recorded", "autoj_13b"),
    }  # fmt: skip
    record = of_judges["a-laboratory", "few-mix"]
    assert record["source_metadata"] == {
        "source_name": "judgemerge, study few",
        "source_type": "evaluation_run",
        "source_organization_name": "A Laboratory",
        "source_organization_url": "https://example.org/few",
        "evaluator_relationship": "first_party",
        "additional_details": {"licence": "CC-BY-4.0"},
    }
    about = record["model_info"]
    assert about["additional_details"]["made_from"] == "one, two" and about["additional_details"]["digest"] == "d" * 64
    assert about["inference_engine"] == {"name": "transformers", "version": "5.5.4"}
    results = {one["evaluation_result_id"]: one for one in record["evaluation_results"]}
    assert list(results) == [
        f"{name}/{metric}"
        for name, first in (("pandalm", "accuracy"), ("autoj_pairwise", "accuracy"), ("demo_pointwise", "spearman"))
        for metric in (first, "error_rate")
    ]
    accuracy = results["pandalm/accuracy"]
    assert accuracy["score_details"]["score"] == 0.5
    assert accuracy["score_details"]["details"] == {"n": "3", "errors": "1", "clusters": "2"}
    interval = accuracy["score_details"]["uncertainty"]["confidence_interval"]
    assert (interval["lower"], interval["upper"], interval["confidence_level"]) == (0.25, 0.75, 0.95)
    assert "confidence_interval" not in results["pandalm/error_rate"]["score_details"]["uncertainty"]
    assert results["pandalm/error_rate"]["metric_config"]["lower_is_better"]
    assert accuracy["source_data"]["url"] == ["https://example.org/testset.json"]
    assert of_judges["recorded", "pandalm_7b"]["source_metadata"]["evaluator_relationship"] == "third_party"


def test_verdicts_lie_beside_the_record_where_they_may_go_out(exported):
    _, folder, _, _ = exported
    of_judges = records(folder)
    assert "detailed_evaluation_results" not in of_judges["recorded", "autoj_13b"]
    for record in of_judges.values():
        if detailed := record.get("detailed_evaluation_results"):
            path = folder / "every_eval_ever" / detailed["file_path"]
            lines = list(read_jsonl(path))
            assert detailed["total_rows"] == len(lines)
            assert detailed["checksum"] == hashlib.sha256(path.read_bytes()).hexdigest()
            assert {line["evaluation_id"] for line in lines} == {record["evaluation_id"]}
            assert {line["model_id"] for line in lines} == {record["model_info"]["id"]}
    (error,) = [line for line in lines if line.get("error") and line["evaluation_name"] == "pandalm"]
    assert (error["error"], error["evaluation"]) == ("no_verdict", {"score": 0.0, "is_correct": False})


@pytest.mark.parametrize(
    ("protocol", "metric", "expected"),
    [
        ("pairwise", "accuracy", (0, 1)),
        ("pairwise", "macro_f1", (0, 1)),
        ("pairwise", "kappa", (-1, 1)),
        ("pointwise", "kappa_quadratic", (-1, 1)),
        ("pointwise", "kendall", (-1, 1)),
        ("pointwise", "mae", (0, "Infinity")),
        ("pointwise", "pearson_system", (-1, 1)),
    ],
)
def test_metrics_have_their_bounds(protocol, metric, expected):
    assert every_eval.bounds(protocol, metric) == expected


def test_records_are_valid_by_the_package_itself(exported):
    """Every Eval Ever needs Python 3.12, which the lock does not: it may be in another environment."""
    python = os.environ.get("JUDGEMERGE_EVERY_EVAL")
    if not python and importlib.util.find_spec("every_eval_ever"):
        python = sys.executable
    if not python:
        pytest.skip("every-eval-ever is not installed; name a Python that has it as JUDGEMERGE_EVERY_EVAL")
    _, folder, _, _ = exported
    pattern = f"{folder}/every_eval_ever/data/*/*/*/*.json*"
    command = [python, "-m", "every_eval_ever", "validate", "--format", "json", pattern]
    process = subprocess.run(command, capture_output=True, text=True, timeout=300)
    reports = json.loads(process.stdout[process.stdout.index("[") :])
    assert [one for one in reports if not one["valid"] or one["warnings"]] == [] and process.returncode == 0
    assert len(reports) == 7

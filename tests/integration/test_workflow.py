"""The graph as a whole: what is planned, what runs again, and what bad input gets."""

import contextlib
import csv
import json
import os
import re
import resource
import shutil
from collections import Counter
from importlib.util import find_spec

import pytest
import yaml
from workflow_runs import FEW, planned, runner, started_anew

from judgemerge.core import models
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.files import sha256_file
from judgemerge.study.load import load_study
from study_options import announced_jobs

FEW_FIGURES = (
    *("accuracy", "consistency", "grading", "differences"),
    *("humans", "bias_position", "bias_length", "replaceability"),
)
FEW_TABLES = ("agreement", "items", "comparisons", "humans", "bias", "replaceability")
ITEMS = {"write_items": 2, "answer_baselines": 2, "make_table": 1}
SCORES = {"score_benchmark": 2, "compare_judges": 2}
AFTER_SCORES = {
    "collect_scores": 4,
    "make_table": 1,  # replaceability
    "draw_figure": len(FEW_FIGURES),
    "render_page": len(FEW_TABLES) - 1,  # counts of items do not change
    "write_first_page": 1,
    "write_explorer": 1,
    "write_run_record": 1,
    "all": 1,
}
EVERYTHING = {**ITEMS, **SCORES, **AFTER_SCORES, "make_table": 2, "render_page": len(FEW_TABLES)}


@contextlib.contextmanager
def edited(path, change):
    """Change the text of a file for a while."""
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")


# ---- the demo ----


def test_the_demo_is_planned_in_no_time(repository, checkout):
    study = load_study(load_yaml(repository / "config" / "config.yaml"), "config.yaml", repository / "config")
    models = [judge for judge in study.judges if study.kind(judge) == "model"]
    seconds = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = started_anew(checkout, "--dry-run")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    jobs = planned(process)
    assert jobs["make_model"] == 1
    assert jobs["train_expert"] == jobs["export_expert"] == len(study.experts) == 2
    assert jobs["merge_models"] == len(study.merges) == 4
    assert jobs["judge_suite"] == len(models) * len(study.suites)
    assert jobs["parse_replies"] == len(models) * len(study.suites)
    assert jobs["answer_baselines"] == len(study.suites)
    assert jobs["score_benchmark"] == jobs["compare_judges"] == len(study.benchmarks)
    assert jobs["draw_figure"] == len(FEW_FIGURES) + 3  # of merges, of merges beside juries, and of trainings
    assert "fetch_source" not in jobs and "read_recorded" not in jobs
    print(f"snakemake --dry-run: {min(seconds):.2f} CPU seconds, best of 2")
    assert min(seconds) < 6  # of processors and not of the clock: other tests run beside this one


def test_the_workflow_has_no_lint(snakemake):
    process = snakemake("--lint")
    assert process.returncode == 0, process.stderr
    assert "Congratulations" in process.stdout + process.stderr


def test_one_merge_parameter_changes_its_branch_alone(repository, tmp_path, monkeypatch):
    run = runner(repository)
    if not (repository / "results" / "demo" / "run.json").exists() or planned(run("--dry-run")):
        pytest.skip("needs the finished demo: results/demo is missing or not up to date (make demo)")
    settings = load_yaml(repository / "config" / "config.yaml")
    study = load_study(settings, "config.yaml", repository / "config")
    for parent in settings["merges"]["ties"]["models"].values():
        parent["density"] = 0.6
    (tmp_path / "denser.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    process = run("--dry-run", "--configfile", str(tmp_path / "denser.yaml"))
    assert planned(process) == {
        "merge_models": 1,
        "judge_suite": len(study.suites),
        "parse_replies": len(study.suites),
        "score_benchmark": len(study.benchmarks),
        "compare_judges": len(study.benchmarks),
        "write_cards": 1,
        **AFTER_SCORES,
        "draw_figure": len(FEW_FIGURES) + 2,
        "make_table": 3,
        "render_page": len(FEW_TABLES) + 1,
    }
    monkeypatch.chdir(repository)
    jobs = announced_jobs(str(tmp_path / "denser.yaml"))
    branch = [job for job in jobs if job.rule in ("merge_models", "judge_suite", "parse_replies")]
    assert len(branch) == 1 + 2 * len(study.suites)
    assert {job.wildcards.get("merge", job.wildcards.get("judge")) for job in branch} == {"ties"}


# ---- a study of one's own ----


def test_another_study_replaces_the_demo_entirely(finished):
    process = finished.run("--dry-run", "--forceall", *FEW)
    plan = process.stdout + process.stderr
    jobs = planned(process)
    assert jobs == EVERYTHING
    assert "results/few/" in plan
    assert "results/demo" not in plan and "models/" not in plan and "replies/" not in plan
    assert re.findall(r"\b(tiny|dare_ties|ties|linear|slerp)\b", plan) == []
    settings = json.loads((finished.folder / "results/few/run.json").read_text())["settings"]
    assert settings == {
        **BARE,
        **finished.settings,
        "suites": {name: {**suite, "optional": False} for name, suite in finished.settings["suites"].items()},
        "statistics": {**finished.settings["statistics"], "confidence": 0.95, "group_by": "cluster"},
    }


# What the schema fills in where a study says nothing; `base` has no default.
BARE = {
    "seed": 42,
    "downloads": False,
    "gpus": 0,
    "nodes": 1,
    "threads": 2,
    "models": {},
    "training": {},
    "experts": {},
    "merges": {},
    "quantizations": {},
    "searches": {},
    "model_comparisons": {},
    "unified_table": False,
    "compared_pairs": "auto",
    "overlap": {"also": []},
    "pairs_from_grades": {"judges": [], "tie_resamples": 0},
    "juries": {},
    "cascades": {},
    "about": {"authors": []},
    "averages": {},
    "corrected": {},
    "replaceability": {"annotators": "crowd", "epsilon": {}, "panels": {}},
    "date": "2024-07-26",
    "display": {"judges": [], "labels": {}},
    "judging": {
        "prompts": {},
        "judges": {},
        "variants": {},
        "backend": "transformers",
        "categories": {},
        "retries": 0,
        "sampling": {"temperature": 0, "top_p": 1, "repetition_penalty": 1, "runs": 1, "seed": 42},
        "batch_tokens": 16384,
        "max_prompt_tokens": 4096,
        "dtype": "auto",
    },
}

BROKEN = {
    "unknown judge": ({"judges": ["longr"]}, "judges names the unknown judge 'longr'; did you mean 'longer'?"),
    "unknown key": ({"judgs": []}, "key 'judgs' is unknown; did you mean 'judges'?"),
    "bad merge": (
        {
            "models": {"a": {"path": "a"}, "b": {"path": "b"}},
            "merges": {"m": {"method": "dare-ties", "base": "a", "models": {"b": {"weight": 1}}}},
        },
        "merge 'm' uses method 'dare-ties'; did you mean 'dare_ties'?",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_broken_study_is_one_sentence_and_starts_nothing(checkout, snakemake, change, sentence):
    study = {"study": "broken", "suites": {"s": {"benchmarks": ["demo_pairwise"]}}, "judges": ["longer"], **change}
    (checkout / "broken.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    process = snakemake("--configfile", "broken.yaml")
    assert process.returncode != 0
    output = process.stdout + process.stderr
    assert f"broken.yaml: {sentence}" in output.splitlines()
    assert "Traceback" not in output and len(output.splitlines()) <= 3
    assert not (checkout / "results").exists()


def test_a_key_that_stands_twice_is_refused(checkout, snakemake):
    text = yaml.safe_dump({"study": "twice", "suites": {"s": {"benchmarks": ["demo_pairwise"]}}, "judges": ["longer"]})
    (checkout / "twice.yaml").write_text(text + "study: other\n", encoding="utf-8")
    process = snakemake("--dry-run", "--configfile", "twice.yaml")
    assert process.returncode != 0
    sentence = r"^twice\.yaml: line \d+: key 'study' occurs twice; rename or delete one$"
    assert re.search(sentence, process.stdout + process.stderr, re.MULTILINE)


def test_exchanged_weights_of_a_folder_are_seen_in_a_plan(checkout, snakemake, tiny_models, tmp_path):
    folder = shutil.copytree(tiny_models["one"], tmp_path / "model")
    study = {"study": "exchanged", "models": {"found": {"path": str(folder)}}, "judges": ["found", "longer"]}
    study |= {
        "suites": {"s": {"benchmarks": ["demo_pairwise"]}},
        "judging": {"prompts": {"pairwise": "brief_pairwise"}},
    }
    (checkout / "exchanged.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    target = ("--configfile", "exchanged.yaml", "--", "results/exchanged/models/found.json")
    assert snakemake("--cores", "1", *target).returncode == 0
    weights = folder / "model.safetensors"
    times = weights.stat()
    os.utime(weights)
    assert planned(snakemake("--dry-run", *target)) == {}
    shutil.copyfile(tiny_models["two"] / "model.safetensors", weights)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync and tar leave them
    assert planned(snakemake("--dry-run", *target)) == {"link_model": 1}
    manifest = checkout / "results" / "exchanged" / "models" / "found.json"
    with pytest.raises(JudgemergeError, match="has changed since the model was described"):
        models.described(manifest.with_suffix(""), manifest)
    shutil.rmtree(checkout / "results")  # the checkout is shared


@pytest.mark.skipif(find_spec("llama_cpp") is not None, reason="llama-cpp-python is installed here")
def test_quantizations_without_llama_cpp_are_refused_before_the_first_job(checkout, snakemake):
    arguments = ("--configfile", "config/studies/meld.yaml", "--config", "scale=tiny")
    process = snakemake(*arguments)
    assert process.returncode != 0
    said = process.stderr + process.stdout
    assert "need llama-cpp-python, which is not installed here; run `make venv-quantize` once" in said, said[-2000:]
    assert not list(checkout.glob("results/*/logs/*/*.log"))
    assert snakemake("--dry-run", *arguments).returncode == 0  # a plan asks for nothing
    locks = checkout / ".snakemake" / "locks"
    assert not locks.exists() or not list(locks.iterdir())


# ---- a finished study ----


def test_everything_is_there(finished):
    folder = finished.folder / "results" / "few"
    assert "## Who agrees best with the labels" in (folder / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in (folder / "figures").iterdir()} == {
        f"{name}.{kind}" for name in FEW_FIGURES for kind in ("svg", "png")
    }
    assert {path.name for path in (folder / "tables").iterdir()} == {
        f"{name}.{kind}" for name in FEW_TABLES for kind in ("csv", "html")
    }
    with open(folder / "tables" / "agreement.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["judge"] for row in rows).keys() == {"longer", "random", "majority"}
    for row in rows:
        assert row["value"] or row["note"], row
        assert not row["value"] or int(row["n"]) > 0
    record = json.loads((folder / "run.json").read_text())
    assert record["seeds"] == {"seed": 42, "statistics.seed": 7, "judging.sampling.seed": 42}
    assert (record["sources"], record["models"]) == ({}, {})
    assert all(job["seconds"] is not None for job in record["timings"])
    assert {job["job"].split("/")[0] for job in record["timings"]} >= {"write_items", "answer_baselines"}
    digests = {f"{name}.csv": sha256_file(folder / "tables" / f"{name}.csv") for name in FEW_TABLES if name != "items"}
    assert record["tables"] == digests
    assert not (finished.folder / "results" / "demo").exists()


def few_table(finished, name):
    with open(finished.folder / "results" / "few" / "tables" / f"{name}.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_two_judges_are_compared(finished):
    rows = few_table(finished, "comparisons")
    pairs = Counter((row["benchmark"], row["judge_a"], row["judge_b"]) for row in rows)
    assert {pair[1:] for pair in pairs} == {("longer", "random"), ("longer", "majority"), ("random", "majority")}
    assert {pairs["demo_pairwise", "longer", "random"], pairs["demo_pointwise", "longer", "random"]} == {7, 2}
    for row in rows:
        assert row["p_holm"] or row["note"], row
        assert not row["p"] or float(row["p"]) <= float(row["p_holm"]) <= 1


def test_people_and_judges_meet_the_same_votes(finished):
    rows = few_table(finished, "humans")
    for benchmark, metric in (("demo_pairwise", "accuracy"), ("demo_pointwise", "pearson")):
        cells = {
            row["rater"]: row
            for row in rows
            if (row["benchmark"], row["against"], row["metric"]) == (benchmark, "others", metric)
        }
        assert cells.keys() == {"humans", "careful", "average", "hasty", "longer", "random", "majority"}
        assert {cells[name]["n"] for name in ("humans", "longer", "random")} == {"900"}
        assert float(cells["humans"]["value"]) > 0.8 > float(cells["longer"]["value"])
    assert {row["kind"] for row in rows} == {"humans", "annotator", "judge"}
    for row in rows:
        assert row["value"] or row["note"], row


def test_the_judge_that_counts_letters_is_caught(finished):
    rows = few_table(finished, "bias")
    assert {(row["benchmark"], row["aspect"]) for row in rows} == {
        ("demo_pairwise", "position"),
        ("demo_pairwise", "length"),
        ("demo_pairwise", "category"),
        ("demo_pointwise", "category"),
    }
    cells = {(row["judge"], row["metric"]): row for row in rows if row["aspect"] in ("position", "length")}
    assert float(cells["longer", "longer_chosen"]["value"]) == 1
    assert float(cells["longer", "accuracy_gap"]["value"]) == 1
    assert float(cells["longer", "first_shown_excess"]["value"]) == 0
    assert cells["longer", "length_coefficient"]["note"] == "length separates the choices"


def test_nothing_is_left_to_do(finished):
    process = finished.run(*FEW)
    assert process.returncode == 0
    assert "Nothing to be done" in process.stdout + process.stderr


def test_another_bootstrap_seed_scores_again_and_no_more(finished):
    with edited(finished.folder / "few.yaml", lambda text: text.replace("seed: 7", "seed: 8")):
        assert planned(finished.run("--dry-run", *FEW)) == {**SCORES, **AFTER_SCORES}


def test_another_study_seed_answers_the_baselines_again(finished):
    with edited(finished.folder / "few.yaml", lambda text: text + "seed: 43\n"):
        jobs = planned(finished.run("--dry-run", *FEW))
    assert jobs == {"answer_baselines": 2, **SCORES, **AFTER_SCORES}


@pytest.mark.parametrize(
    ("module", "again"),
    [
        ("evaluate/metrics/classes.py", {**SCORES, **AFTER_SCORES, "make_table": 2, "render_page": len(FEW_TABLES)}),
        ("judge/baselines.py", {"answer_baselines": 2, **SCORES, **AFTER_SCORES}),
        ("report/tables/bias.py", {"render_page": 1, "draw_figure": 2, "all": 1}),
        (
            "report/drawing.py",
            {
                "make_table": 2,
                "render_page": len(FEW_TABLES),
                "draw_figure": len(FEW_FIGURES),
                "write_first_page": 1,
                "write_explorer": 1,
                "write_run_record": 1,
                "all": 1,
            },
        ),
        ("data/benchmarks/meld_training.py", EVERYTHING),  # the demo's items are made with it
        # agreement shows what overlaps, and the first page what agreement shows
        ("data/benchmarks/pandalm.py", {"render_page": 1, "draw_figure": 3, "write_first_page": 1, "all": 1}),
        ("merge/checks.py", {}),
    ],
)
def test_code_that_decides_a_result_runs_again_and_no_more(finished, module, again):
    path = finished.folder / "scripts" / "judgemerge" / module
    with edited(path, lambda text: text + "\n# another comment\n"):
        assert planned(finished.run("--dry-run", *FEW)) == again

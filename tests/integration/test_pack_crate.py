"""`make crate` on a finished study: what comes out validates, and what cannot be packed is said in one sentence."""

import json
import shutil
import subprocess

import fork_server
import pytest

from judgemerge.report.crate import problems


@pytest.fixture
def pack(finished, repository):
    """Return a function that packs the finished study of baselines and gives back the process."""
    for name in ("CITATION.cff", "LICENSE"):
        shutil.copy(repository / name, finished.folder / name)

    def run(*arguments):
        command = [fork_server.python(), "scripts/commands/pack_crate.py", "--study", "few.yaml", *arguments]
        return subprocess.run(command, cwd=finished.folder, capture_output=True, text=True, timeout=300)

    return run


def test_a_finished_study_is_packed_and_packed_again(finished, pack):
    left_behind = finished.folder / "results/few/tables/of_an_earlier_version.csv"
    left_behind.write_text("old", encoding="utf-8")
    for _ in range(2):
        process = pack("--dir", "packed")
        assert process.returncode == 0, process.stderr
    left_behind.unlink()
    crate = finished.folder / "packed"
    assert problems(crate) == []
    names = {path.relative_to(crate).as_posix() for path in crate.rglob("*") if path.is_file()}
    assert process.stdout.startswith(f"packed: {len(names) - 2} files, ")
    assert process.stdout.endswith(
        "checked; made from code that is not a clean commit; no authors and no licence, "
        "say them in `about` of the study\n"
    )
    assert {"tables/agreement.csv", "run.json", "config/study.yaml", "verdicts/longer/few_pairs.jsonl"} <= names
    assert "### demo_pairwise\n" in (crate / "DATASHEET.md").read_text(encoding="utf-8")
    assert not any(name.startswith(("items/", "replies/", "sources/", "store/")) for name in names)
    assert not any("earlier" in name or name.endswith(".safetensors") for name in names)
    assert (crate / "tables/agreement.csv").read_bytes() == (
        finished.folder / "results/few/tables/agreement.csv"
    ).read_bytes()


def test_every_result_of_the_study_is_derived(finished, pack):
    assert pack().returncode == 0
    crate = finished.folder / "results/few/crate"
    with open(crate / "ro-crate-metadata.json", encoding="utf-8") as file:
        graph = {entity["@id"]: entity for entity in json.load(file)["@graph"]}
    made = {}
    for action in graph["./"]["mentions"]:
        action = graph[action["@id"]]
        results = action["result"] if isinstance(action["result"], list) else [action["result"]]
        objects = action["object"] if isinstance(action["object"], list) else [action["object"]]
        made |= {result["@id"]: {one["@id"] for one in objects} for result in results}
    assert made["tables/agreement.csv"] >= {"scores/demo_pairwise.csv", "scores/demo_pointwise.csv"}
    assert made["scores/demo_pairwise.csv"] >= {
        "verdicts/longer/few_pairs.jsonl",
        "config/study.yaml",
        "config/benchmarks.yaml",
    }
    assert "tables/agreement.csv" in made["figures/accuracy.svg"]
    shutil.rmtree(crate)


def test_a_finished_study_is_exported(finished, pack):
    command = [fork_server.python(), "scripts/commands/export_study.py", "--study", "few.yaml", "--dir", "given"]
    process = subprocess.run(command, cwd=finished.folder, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    folder = finished.folder / "given"
    written = json.loads((folder / "export.json").read_text(encoding="utf-8"))["files"]
    assert process.stdout.startswith(f"given: {len(written) + 1} files, ") and "no licence, say it in" in process.stdout
    tables = {f"{kind}/{name}.jsonl" for kind in ("items", "verdicts") for name in ("demo_pairwise", "demo_pointwise")}
    assert set(written) == {"README.md", *tables}  # baselines alone: no records of models
    shutil.rmtree(folder)


def test_results_that_are_out_of_date_are_not_packed(finished, pack):
    path = finished.folder / "few.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("seed: 7", "seed: 8"), encoding="utf-8")
    process = pack("--dir", "stale")
    path.write_text(before, encoding="utf-8")
    assert process.returncode == 1
    assert "files are missing or out of date, first results/few/" in process.stderr
    assert process.stderr.endswith("; run `snakemake --cores all --configfile few.yaml` first\n")
    assert not (finished.folder / "stale").exists()


def test_a_folder_with_other_things_is_left_alone(finished, pack):
    (finished.folder / "mine").mkdir()
    (finished.folder / "mine" / "thesis.tex").write_text("\\end", encoding="utf-8")
    process = pack("--dir", "mine")
    assert process.returncode == 1
    assert process.stderr == "mine: is not empty and no crate; give another folder as DIR\n"
    assert (finished.folder / "mine" / "thesis.tex").exists()


def test_a_study_that_never_ran_is_named(finished, repository):
    command = [fork_server.python(), "scripts/commands/pack_crate.py", "--study", "config/studies/replay.yaml"]
    process = subprocess.run(command, cwd=finished.folder, capture_output=True, text=True, timeout=300)
    assert process.returncode == 1
    sentence = (
        "results/replay/run.json is missing; run `snakemake --cores all --configfile config/studies/replay.yaml` first"
    )
    assert process.stderr == f"{sentence}\n"

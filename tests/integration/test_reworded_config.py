"""Words for readers: whoever rewords a comment, a description, a label or a licence in config/ makes nothing again."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from workflow_runs import FEW, copy_workflow, planned, runner

from study_options import CHECKSUMS

WORDS = {"description", "label", "licence", "truth", "truth_by", "category"}
# What shows such words, and takes seconds.
SHOWS_WORDS = {"write_run_record", "render_page", "make_table", "write_first_page"}
PROBE = """
import atexit
include: "Snakefile"
from judgemerge.core.files import write_json
from snakemake.io import is_flagged
def probe():
    jobs = {}
    for job in workflow.dag.jobs:
        files = {str(file): is_flagged(file, "ancient") for file in job.input if str(file).startswith("config/")}
        found = {"params": repr(sorted(job.params.items())), "files": files}
        jobs[f"{job.rule.name} {sorted(job.wildcards.items())}"] = found
    write_json(os.environ["PROBE"], jobs)
atexit.register(probe)
"""


def reword(value):
    """Return a catalogue entry or a study with other words for readers."""
    if not isinstance(value, dict):
        return value
    return {
        key: f"Reworded: {entry}" if key in WORDS and isinstance(entry, str) else reword(entry)
        for key, entry in value.items()
    }


def reword_all(folder: Path) -> None:
    """Reword every YAML file below a folder; its comments go, and another one comes."""
    for path in sorted(folder.rglob("*.yaml")):
        changed = reword(yaml.safe_load(path.read_text(encoding="utf-8")))
        text = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
        path.write_text(f"# Another comment.\n{text}", encoding="utf-8")


def jobs_of(folder: Path, *arguments: str) -> dict:
    """Return the parameters and the files of config/ of every job that a fresh study plans."""
    (folder / "probe.smk").write_text(PROBE, encoding="utf-8")
    os.environ["PROBE"] = str(folder / "probe.json")
    process = runner(folder)("--dry-run", "--quiet", "all", "--snakefile", "probe.smk", *arguments)
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads((folder / "probe.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "downloads=true"),
        *(
            pytest.param(
                ("--configfile", f"config/studies/{name}.yaml", "--config", "downloads=true", *scale),
                marks=pytest.mark.slow,
            )
            for name, scale in [
                ("replay", ()),
                ("meld", ("scale=tiny",)),
                ("prometheus", ()),
                ("unified", ("scale=tiny",)),
                ("orpo", ("scale=tiny",)),
                ("embedder", ("scale=tiny",)),
            ]
        ),
    ],
    ids=lambda arguments: Path(arguments[1]).stem if arguments[0] == "--configfile" else "demo",
)
def test_no_parameter_holds_words_for_readers(repository, tmp_path, arguments):
    before = jobs_of(copy_workflow(repository, tmp_path), *arguments)
    reword_all(tmp_path / "config")
    after = jobs_of(tmp_path, *arguments)
    assert before.keys() == after.keys()
    changed = {job.split()[0] for job in before if before[job]["params"] != after[job]["params"]}
    assert changed <= SHOWS_WORDS
    newer = {job.split()[0]: name for job in after for name, ancient in after[job]["files"].items() if not ancient}
    assert not {rule: name for rule, name in newer.items() if name.endswith(".yaml")}


def test_a_finished_study_is_not_run_again_for_other_words(finished):
    shutil.copytree(finished.folder / "config", finished.folder / "config.before")
    try:
        reword_all(finished.folder / "config")
        due = planned(finished.run("--dry-run", *FEW))
    finally:
        shutil.rmtree(finished.folder / "config")
        (finished.folder / "config.before").rename(finished.folder / "config")
    assert due.keys() <= {*SHOWS_WORDS, "all"}


def test_an_input_that_is_written_again_as_it_was_starts_nothing(tmp_path, repository):
    """Beyond the 1 MB up to which Snakemake itself looks, as `make` and --profile slurm ask for."""
    folder = copy_workflow(repository, tmp_path)
    row = {"p": "Which?", "a": "x" * 1000, "b": "y", "t": "first"}
    (folder / "rows.jsonl").write_text("".join(json.dumps({**row, "k": str(k)}) + "\n" for k in range(1500)))
    catalogue = folder / "config/benchmarks.yaml"
    fields = {"id": "k", "prompt": "p", "responses": ["a", "b"], "label": "t"}
    entry = {"loader": "jsonl", "protocol": "pairwise", "description": "Own", "truth": "Own"}
    entry |= {"sources": {"rows": "rows.jsonl"}, "options": {"fields": fields}}
    catalogue.write_text(catalogue.read_text() + yaml.safe_dump({"own": entry}))
    study = {"study": "own", "suites": {"own": {"benchmarks": ["own"]}}, "judges": ["longer"]}
    (folder / "own.yaml").write_text(yaml.safe_dump(study))
    run = runner(folder)
    arguments = ("--configfile", "own.yaml", "results/own/verdicts/longer/own.jsonl")
    process = run(*CHECKSUMS, *arguments[:2], "--", arguments[2])
    assert process.returncode == 0, process.stderr[-3000:]
    os.utime(folder / "rows.jsonl")
    items = folder / "results/own/items/own.jsonl"
    assert items.stat().st_size > 1e6
    os.utime(items)
    assert planned(run("--dry-run", *CHECKSUMS, *arguments[:2], "--", arguments[2])) == {}

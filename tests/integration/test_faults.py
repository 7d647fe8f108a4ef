"""Full disks, read-only results, broken sources, two runs at once, odd clocks: one sentence each, nothing lost."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from workflow_runs import BASELINES, copy_workflow, runner

FEW = ("--configfile", "few.yaml")


@pytest.fixture
def workflow(repository, tmp_path):
    """Return a fresh copy of the workflow with a study of baselines, and a function that runs Snakemake there."""
    (tmp_path / "work").mkdir()
    folder = copy_workflow(repository, tmp_path / "work")
    (folder / "few.yaml").write_text(yaml.safe_dump(BASELINES, sort_keys=False), encoding="utf-8")
    return folder, runner(folder)


@contextlib.contextmanager
def small_disk(folder, kilobytes):
    """Mount a file system of this size at `folder` and yield a function that mounts it with other options."""
    folder.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True).returncode

    if os.geteuid() or mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs"):
        pytest.skip("needs the right to mount a small file system")
    try:
        yield lambda options: mount("-o", f"remount,{options}")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def tables(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in ("tables", "items", "verdicts", "scores")
        for path in sorted((folder / "results" / "few" / kind).rglob("*.*"))
        if path.suffix in (".csv", ".jsonl")
    }


def said(process, ending):
    """Return the lines that hold a sentence, after a run that has to fail without a traceback of ours."""
    output = process.stdout + process.stderr
    assert process.returncode != 0, output[-2000:]
    return [line for line in output.splitlines() if ending in line]


@pytest.mark.slow
@pytest.mark.long
def test_a_full_disk_is_one_sentence_and_the_study_goes_on_when_there_is_room(workflow, finished):
    folder, run = workflow
    with small_disk(folder / "results", 300) as remount:
        process = run(*FEW)
        lines = said(process, "no space left on device; make room there, then start again: what is done is kept")
        assert lines, (process.stdout + process.stderr)[-3000:]
        assert remount("size=50m") == 0
        again = run(*FEW, "--rerun-incomplete")
        assert again.returncode == 0, again.stderr[-3000:]
        assert tables(folder) == tables(finished.folder)


@pytest.mark.slow
@pytest.mark.long
def test_read_only_results_are_one_sentence(workflow):
    folder, run = workflow
    with small_disk(folder / "results", 5000) as remount:
        assert remount("ro") == 0
        process = run(*FEW)
        assert said(process, "Read-only file system: 'results/few'"), process.stdout + process.stderr  # Snakemake's own
        assert "Traceback" not in process.stdout + process.stderr
        assert remount("rw") == 0
        assert run("--dry-run", *FEW).returncode == 0


@pytest.mark.slow
@pytest.mark.long
def test_two_runs_at_once_do_not_disturb_each_other(workflow, finished):
    folder, run = workflow
    environment = os.environ | {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
    environment.pop("JUDGEMERGE_MIRROR", None)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *FEW]
    first = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        locks = folder / ".snakemake" / "locks"
        while not (locks.is_dir() and any(locks.iterdir())) and first.poll() is None:
            time.sleep(0.05)
        second = run(*FEW)
        assert said(second, "Directory cannot be locked."), second.stderr
        assert "Traceback" not in second.stderr
    finally:
        _, messages = first.communicate(timeout=600)
    assert first.returncode == 0, messages[-2000:]
    assert tables(folder) == tables(finished.folder)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("days", [1, -3650], ids=["files of tomorrow", "files of ten years ago"])
def test_a_clock_that_was_set_loses_nothing(finished, tmp_path, days):
    folder = tmp_path / "work"
    shutil.copytree(finished.folder, folder)
    before, moment = tables(folder), time.time() + days * 86400
    for path in (folder / "results" / "few" / "items").iterdir():
        os.utime(path, (moment, moment))
    run = runner(folder)
    process = run(*FEW)
    assert process.returncode == 0, process.stderr[-3000:]
    assert tables(folder) == before
    again = run("--dry-run", *FEW)
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.slow
@pytest.mark.long
def test_a_corrupt_file_in_the_mirror_is_one_sentence_and_what_is_right_is_kept(workflow, mirror, tmp_path):
    folder, run = workflow
    study = {**BASELINES, "suites": {"real": {"benchmarks": ["llmbar_natural", "llmbar_neighbor"]}}}
    (folder / "real.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    copied = tmp_path / "mirror"
    for path in mirror.rglob("*/Natural/dataset.json"):
        target = copied / path.relative_to(mirror)
        target.parent.mkdir(parents=True)
        shutil.copy(path, target)
    good = next(iter(mirror.rglob("*/Neighbor/dataset.json")))
    broken = copied / good.relative_to(mirror)
    broken.parent.mkdir(parents=True)
    broken.write_bytes(good.read_bytes()[:-100])
    arguments = ("--configfile", "real.yaml", "--config", f"mirror={copied}")
    process = run(*arguments, "--keep-going")
    lines = said(process, "but the catalogue says")
    assert (
        len(lines) == 1 and str(broken) in lines[0] and lines[0].endswith("replace the file or correct the catalogue")
    )
    assert len(list((folder / "results" / "few" / "sources").glob("*"))) == 1  # the other one; no half file
    shutil.copy(good, broken)
    again = run(*arguments)
    assert again.returncode == 0, again.stderr[-3000:]

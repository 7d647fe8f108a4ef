"""What commands share that hand on the results of a finished study: is it finished, and may a folder be replaced."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.report import crate
from judgemerge.study.study import Study
from study_options import CHECKSUMS, read_study, workflow_arguments


class Finished(NamedTuple):
    """A finished study: its settings, the folder of its results, run.json, and how every file was made."""

    study: Study
    results: Path
    record: dict[str, Any]
    lineage: Mapping[str, crate.Made]


def finished_study(study_file: str, config: Sequence[str] = ()) -> Finished:
    """Return a study that a run would not change; any other is refused."""
    study = read_study(study_file, config)
    results = Path("results", study.name)
    command = f"snakemake --cores all {' '.join(workflow_arguments(study_file, config))}"
    if not (results / "run.json").is_file():
        raise JudgemergeError(f"{results}/run.json is missing; run `{command}` first")
    record = files.read_json(results / "run.json")
    lineage = crate.parse_summary(_summary(study_file, config, study, record))
    crate.check_finished(lineage, command)
    return Finished(study_as_run(study, study_file, config, record), results, record, lineage)


def study_as_run(study: Study, study_file: str, config: Sequence[str], record: Mapping[str, Any]) -> Study:
    """Return the study with the optional suites that were run, whatever this command was told of a mirror."""
    more = _as_run(study, record)
    return read_study(study_file, config, **more) if more else study


def _as_run(study: Study, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings under which the optional suites are those that were run.

    Any mirror will do: nothing is fetched, and where raw files came from is no part of what decides a result.
    """
    if record["settings"]["downloads"]:
        return {"downloads": True}
    optional = [suite.benchmarks for suite in study.settings.suites.values() if suite.optional]
    ran = any(Path("results", study.name, f"scores/{name}.csv").exists() for names in optional for name in names)
    return {"mirror": "."} if ran else {}


def _summary(study_file: str, config: Sequence[str], study: Study, record: Mapping[str, Any]) -> str:
    """Return what Snakemake says of every file of the study, optional suites included when they were run."""
    overrides = [f"{name}={'true' if value is True else value}" for name, value in _as_run(study, record).items()]
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--detailed-summary", *CHECKSUMS]
    command += workflow_arguments(study_file, [*overrides, *config])
    environment = {name: value for name, value in os.environ.items() if name != "JUDGEMERGE_MIRROR"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode:
        raise JudgemergeError(f"`{' '.join(command[1:])}` failed: {run.stderr.strip()[:500]}")
    return run.stdout


def check_replaceable(target: Path, manifest: str, kind: str, others: Collection[str] = ()) -> None:
    """Refuse a target that holds anything but what was written earlier: other files were put there by somebody.

    `manifest` is the file that says what else was written; `others` are not named there.
    """
    if not target.exists():
        return
    if not target.is_dir():
        raise JudgemergeError(f"{target}: is no folder; give another one as DIR")
    present = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    if not present and not any(target.iterdir()):
        return
    if manifest not in present:
        raise JudgemergeError(f"{target}: is not empty and no {kind}; give another folder as DIR")
    more = sorted(present - _listed(target / manifest) - {manifest, *others})
    if more:
        raise JudgemergeError(f"{target}: holds {more[0]}, which is no part of its {kind}; give another folder as DIR")


def _listed(manifest: Path) -> set[str]:
    """Return the files that a manifest names: of a crate its entities, of an export its files."""
    content = files.read_json(manifest)
    return {entity["@id"] for entity in content["@graph"]} if "@graph" in content else set(content["files"])


def replace(target: Path, fresh: Path) -> None:
    """Put a fresh folder in the place of the earlier one, which goes once the new one is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    earlier = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."), "earlier")
    try:
        if target.exists():
            target.rename(earlier)
        shutil.move(fresh, target)
    except OSError:
        if earlier.exists() and not target.exists():
            earlier.rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(earlier.parent)

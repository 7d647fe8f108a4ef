"""Judges that could not judge: their files say so and why, everything else is tabulated, and the run fails in the end.

A job of one judge that cannot be done writes, in place of each of its outputs, one line {"failed": reason}; where it
is one benchmark of several that cannot be done, {"benchmark": name, "failed": reason} stands in place of its rows.
Whoever reads such files leaves the judge out; tables/agreement.csv has its rows, empty, with the reason as note. The
record of the run is written last and fails for them. When Snakemake ends, such files are removed, so that the next run
judges again what failed and nothing else.
"""

import json
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import VerdictFile, read_benchmark
from judgemerge.core.logs import storage_error, tell

MARK = "failed"
NOTE = "not judged: "
# Rules whose jobs may fail for one judge alone; their timings go with their outputs, so that `make status` says failed.
RULES = ("judge_suite", "judge_suite_gguf", "judge_endpoint", "read_recorded", "assemble_jury")
MODEL_RULES = ("download_model", "link_model", "unpack_model")  # of models that do nothing but judge
_START = f'{{"{MARK}": '.encode()
Key = TypeVar("Key")


def attempt(
    function: Callable, outputs: Iterable[str], needs: Iterable[str] = (), folders: Iterable[str] = (), **arguments
) -> None:
    """Call the function with the arguments; when it cannot be done, let every output say why.

    `needs` are inputs that may say it of an earlier job, `folders` are outputs that are folders; they are emptied. What
    would hit every judge is raised: no room or right to write, no memory.
    """

    def do() -> None:
        check(*needs)
        function(**arguments)

    if not (reason := reason_against(do)):
        return
    for folder in map(Path, folders):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    mark(outputs, reason)


def reason_against(function: Callable[[], object]) -> str | None:
    """Call the function; return, and tell, why it cannot be done, None when it can. What hits every judge is raised."""
    try:
        function()
    except JudgemergeError as error:
        reason = str(error)
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and storage_error(error)):
            raise
        traceback.print_exc(file=sys.stderr)
        reason = str(JudgemergeError(f"unexpected {type(error).__name__}: {str(error).strip() or 'no message'}"))
    else:
        return None
    tell(reason)
    return reason


def attempt_model(function: Callable, judge_only: bool, model: str, manifest: str, **arguments) -> None:
    """Make a model's folder and manifest; of one that only judges, the manifest says why when it cannot be had.

    Without a model that others are made from the study cannot go on, so there the error is raised.
    """
    arguments |= {"model": model, "manifest": manifest}
    if judge_only:
        attempt(function, [manifest], folders=[model], **arguments)
    else:
        function(**arguments)


def mark(outputs: Iterable[str], reason: str) -> None:
    """Write the reason in place of every output."""
    for path in outputs:
        with files.atomic_writer(path) as file:
            file.write(json.dumps({MARK: reason}, ensure_ascii=False) + "\n")


def row(benchmark: str, reason: str) -> dict:
    """Return the row that stands for those of a benchmark that could not be judged, in a file of several."""
    return {"benchmark": benchmark, MARK: reason}


def reason_of(path: str | Path, benchmark: str | None = None) -> str | None:
    """Return why the file is not what its name says, or lacks one benchmark; None when it does not."""
    with open(path, "rb") as file:
        line = file.readline() if file.read(len(_START)) == _START else None
    if line:
        return json.loads(_START + line)[MARK]
    return next((one[MARK] for one in read_benchmark(path, benchmark) if MARK in one), None) if benchmark else None


def _reasons_in(verdicts: Path) -> list[str]:
    """Return why a file is not what its name says, or why it lacks benchmarks."""
    with open(verdicts, "rb") as file:
        lines = [line for line in file if f'"{MARK}":'.encode() in line]
    return [one[MARK] for one in files.parse_jsonl(lines, verdicts) if MARK in one]


def check(*paths: str | Path) -> None:
    """Raise the reason that stands in the first of the files that says one."""
    for reason in map(reason_of, paths):
        if reason:
            raise JudgemergeError(reason)


def divide(verdicts: Mapping[Key, VerdictFile]) -> tuple[dict[Key, VerdictFile], dict[Key, str]]:
    """Return the verdicts that are there, and the reasons of the others."""
    reasons = {key: reason_of(*file) for key, file in verdicts.items()}
    return (
        {key: file for key, file in verdicts.items() if not reasons[key]},
        {key: reason for key, reason in reasons.items() if reason},
    )


def sentences(verdicts: Mapping[tuple[str, str], str]) -> list[str]:
    """Return one sentence per judge and reason, from the files of verdicts by judge and benchmark."""
    names: dict[tuple[str, str], list[str]] = {}
    for (judge, benchmark), path in verdicts.items():
        if reason := reason_of(path, benchmark):
            names.setdefault((judge, reason), []).append(benchmark)
    return [f"{judge} on {', '.join(benchmarks)}: {reason}" for (judge, reason), benchmarks in names.items()]


def missing(notes: Iterable[tuple[str, str, str]]) -> str:
    """Return what a page says of judges that it lacks, from (judge, benchmark, note) of the rows of agreement.csv."""
    names_of: dict[tuple[str, str], dict[str, None]] = {}
    for judge, benchmark, note in notes:
        if isinstance(note, str) and note.startswith(NOTE):
            names_of.setdefault((judge, note.removeprefix(NOTE)), {})[benchmark] = None
    listing = "; ".join(f"{judge} on {', '.join(names)} ({reason})" for (judge, reason), names in names_of.items())
    return f" Missing, because they could not judge: {listing}." if listing else ""


def forget(results: str | Path) -> list[str]:
    """Remove what failed jobs left below a study's folder, and the timings of those that are to be done again.

    Return one sentence per judge and reason.
    """
    results, reasons = Path(results), {}
    for path in results.glob("models/*.json"):
        if reason_of(path):
            path.unlink()
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            for rule in MODEL_RULES:
                (results / "timings" / rule / f"{path.stem}.tsv").unlink(missing_ok=True)
    whole = {path: [reason] for path in results.glob("replies/*/*.json*") if (reason := reason_of(path))}
    for path, why in (whole | {path: _reasons_in(path) for path in results.glob("verdicts/*/*.jsonl")}).items():
        if why:
            reasons |= dict.fromkeys(f"{path.parent.name}: {reason}" for reason in why)
            path.unlink()
            for rule in RULES:
                (results / "timings" / rule / path.parent.name / f"{path.stem}.tsv").unlink(missing_ok=True)
    return list(reasons)

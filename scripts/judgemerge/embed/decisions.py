"""Iterations: which chunks each one trains on, and when there have been enough."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.embed import Chunk

PASSED_OVER = "passed_over.json"


class Decision(NamedTuple):
    """What an iteration has gained, and whether that is enough; `increase` is in percent of `before`.

    An iteration that was not needed is `passed_over`, and repeats the decision that was the last one needed.
    """

    iteration: int
    before: float
    after: float
    increase: float | None
    stop: bool
    reason: str
    passed_over: bool = False

    def row(self) -> dict[str, Any]:
        """Return what its file says."""
        return self._asdict() if self.passed_over else dict(list(self._asdict().items())[:-1])


def read(paths: Iterable[str | Path]) -> list[Decision]:
    """Return the decisions in files."""
    return [Decision(**files.read_json(path)) for path in paths]


def slice_of(chunks: Sequence[Chunk], iteration: int, n_iterations: int, slices: str) -> list[Chunk]:
    """Return the chunks of one iteration (1-based), n = len // n_iterations at a time.

    `cumulative`: the first iteration × n, all in the last (as RAGSDK's code); `disjoint`: n others each time, the last
    one with the rest (as its README says).
    """
    step = len(chunks) // n_iterations
    start = 0 if slices == "cumulative" else (iteration - 1) * step
    end = len(chunks) if iteration == n_iterations else iteration * step
    return list(chunks[start:end])


def decide(
    iteration: int, n_iterations: int, before: float, after: float, increase_rate: float, enough: float
) -> Decision:
    """Return the decision of an iteration.

    Stops when recall is `enough`, or has risen by at least `increase_rate` percent over the base model's. Over a
    recall of 0 no increase is defined (None) and only the first rule applies.
    """
    # Rounded, so that 0.5 → 0.6 is 20 % and not 19.999…
    increase = None if before == 0 else round(100 * (after - before) / before, 9)
    relative = "relative increase " + (
        "undefined, because the base finds nothing" if increase is None else f"{increase:+.1f} %"
    )
    stop = True
    if after >= enough:
        reason = f"recall {after:.3f} has reached {enough:g}"
    elif increase is not None and increase >= increase_rate:
        reason = f"{relative} has reached {increase_rate:g} %"
    elif iteration == n_iterations:
        reason = f"last of {n_iterations} iterations; {relative}, recall {after:.3f}"
    else:
        stop, reason = False, f"{relative} is below {increase_rate:g} %, recall {after:.3f} below {enough:g}"
    return Decision(iteration, before, after, increase, stop, reason)


def stopped_by(paths: Iterable[str | Path]) -> Decision | None:
    """Return the decision of an earlier iteration that was the last one needed, None when there is none."""
    return next((decision for decision in read(paths) if decision.stop), None)


def best(decisions: Sequence[Decision]) -> Decision:
    """Return the decision of the iteration whose model finds most: the highest recall, the earliest of equal ones."""
    return max(run(decisions), key=lambda decision: decision.after)


def run(decisions: Sequence[Decision]) -> list[Decision]:
    """Return the decisions of the iterations that trained a model, without those that were not needed."""
    return [decision for decision in decisions if not decision.passed_over]


def choice(decisions: Sequence[Decision]) -> str:
    """Return one sentence: which iteration became `tuned`, and whether the base finds as much."""
    winner, trained = best(decisions), run(decisions)
    text = f"tuned is the model of iteration {winner.iteration} of {len(trained)}, recall {winner.after:.3f}"
    if winner.iteration != trained[-1].iteration:
        text += f", the highest; the last one has {trained[-1].after:.3f}"
    if winner.after <= winner.before:
        text += f". The base finds {winner.before:.3f}: fine-tuning has gained nothing here, use the base"
    return f"{text}."


def link_best(
    decided: Iterable[str], folders: Sequence[str], manifests: Sequence[str], model: str, manifest: str
) -> None:
    """Make `model` of links to the files of the best iteration; folders and manifests are in order of iterations."""
    decisions = read(decided)
    number = best(decisions).iteration
    print(choice(decisions), file=sys.stderr)
    shutil.rmtree(model, ignore_errors=True)
    # Snakemake's own time stamp is not linked: touching it here would make the iteration look new.
    time_stamps = shutil.ignore_patterns(".snakemake_timestamp")
    shutil.copytree(folders[number - 1], model, copy_function=os.link, ignore=time_stamps)
    files.write_json(manifest, files.read_json(manifests[number - 1]) | {"iteration": number})


def pass_over(stop: Decision, *outputs: str | Path) -> None:
    """Write what an iteration that is not needed leaves behind: empty rows, and the decision everywhere else."""
    for output in map(Path, outputs):
        if output.suffix == ".jsonl":
            files.write_jsonl(output, [])
        elif output.suffix == ".json":
            files.write_json(output, stop._replace(passed_over=True).row())
        else:
            files.write_json(output / PASSED_OVER, stop.row())


def is_passed_over(folder: str | Path) -> bool:
    """Return whether a model folder belongs to an iteration that was not needed."""
    return (Path(folder) / PASSED_OVER).is_file()

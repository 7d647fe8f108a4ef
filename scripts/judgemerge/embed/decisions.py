"""Iterations: which chunks each one trains on, and when there have been enough."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from judgemerge.core import files
from judgemerge.embed import Chunk

PASSED_OVER = "passed_over.json"


def slice_of(chunks: Sequence[Chunk], iteration: int, n_iterations: int, slices: str) -> list[Chunk]:
    """Return the chunks of one iteration (1-based), n = len // n_iterations at a time.

    `cumulative`: the first iteration × n, all in the last (as RAGSDK's code); `disjoint`: n others each time, the last
    one with the rest (as its README says).
    """
    step = len(chunks) // n_iterations
    start = 0 if slices == "cumulative" else (iteration - 1) * step
    end = len(chunks) if iteration == n_iterations else iteration * step
    return list(chunks[start:end])


def decide(iteration: int, n_iterations: int, before: float, after: float, increase_rate: float, enough: float) -> dict:
    """Return {iteration, before, after, increase, stop, reason}; `increase` is in percent of `before`.

    Stops when recall is `enough`, or has risen by at least `increase_rate` percent over the base model's. Over a
    recall of 0 no increase is defined (None) and only the first rule applies.
    """
    # Rounded, so that 0.5 → 0.6 is 20 % and not 19.999…
    increase = None if before == 0 else round(100 * (after - before) / before, 9)
    relative_increase = "undefined, because the base finds nothing" if increase is None else f"{increase:+.1f} %"
    if after >= enough:
        stop, reason = True, f"recall {after:.3f} has reached {enough:g}"
    elif increase is not None and increase >= increase_rate:
        stop, reason = True, f"relative increase {relative_increase} has reached {increase_rate:g} %"
    elif iteration == n_iterations:
        stop, reason = (
            True,
            f"last of {n_iterations} iterations; relative increase {relative_increase}, recall {after:.3f}",
        )
    else:
        stop, reason = (
            False,
            f"relative increase {relative_increase} is below {increase_rate:g} %, recall {after:.3f} below {enough:g}",
        )
    values = {"before": before, "after": after, "increase": increase}
    return {"iteration": iteration, **values, "stop": stop, "reason": reason}


def stopped_by(decisions: Sequence[str | Path]) -> dict | None:
    """Return the decision of an earlier iteration that was the last one needed, None when there is none."""
    return next((decision for decision in map(files.read_json, decisions) if decision["stop"]), None)


def best(decisions: Sequence[Mapping]) -> dict:
    """Return the decision of the iteration whose model finds most: the highest recall, the earliest of equal ones."""
    return dict(max(run(decisions), key=lambda decision: decision["after"]))


def run(decisions: Sequence[Mapping]) -> list[Mapping]:
    """Return the decisions of the iterations that trained a model, without those that were not needed."""
    return [decision for decision in decisions if not decision.get("passed_over")]


def choice(decisions: Sequence[Mapping]) -> str:
    """Return one sentence: which iteration became `tuned`, and whether the base finds as much."""
    best_one, trained = best(decisions), run(decisions)
    text = f"tuned is the model of iteration {best_one['iteration']} of {len(trained)}, recall {best_one['after']:.3f}"
    if best_one["iteration"] != trained[-1]["iteration"]:
        text += f", the highest; the last one has {trained[-1]['after']:.3f}"
    if best_one["after"] <= best_one["before"]:
        text += f". The base finds {best_one['before']:.3f}: fine-tuning has gained nothing here, use the base"
    return f"{text}."


def pass_over(stop: Mapping, *outputs: str | Path) -> None:
    """Write what an iteration that is not needed leaves behind: empty rows, and the decision everywhere else."""
    for output in map(Path, outputs):
        if output.suffix == ".jsonl":
            files.write_jsonl(output, [])
        elif output.suffix == ".json":
            files.write_json(output, {**stop, "passed_over": True})
        else:
            files.write_json(output / PASSED_OVER, dict(stop))


def is_passed_over(folder: str | Path) -> bool:
    """Return whether a model folder belongs to an iteration that was not needed."""
    return (Path(folder) / PASSED_OVER).is_file()

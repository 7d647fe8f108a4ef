"""One trial of a search: a model judged on the development set, given up early when the pruner says so."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from judgemerge import curves, files, judging, parsing, searching
from judgemerge.items import Item, Verdict
from judgemerge.prompts import Template

REPORTED = ("rewards/accuracies", "loss")  # of an evaluation while training; the first that is there counts


def watcher(pruner: searching.Pruner, minimised: bool) -> Callable[[Path], bool]:
    """Return what watches a training's output folder and says whether to give the training up.

    Reported is the share of evaluation pairs whose chosen answer is the likelier one (stage dpo), else the evaluation
    loss, with its sign turned where the search maximises.
    """

    def watch(output: Path) -> bool:
        states = sorted(output.glob("checkpoint-*/trainer_state.json"), key=lambda path: path.stat().st_mtime)
        done = output / "trainer_state.json"
        if done.exists():
            states.append(done)
        return bool(states) and reports(pruner, files.read_json(states[-1]), minimised)

    return watch


def reports(pruner: searching.Pruner, state: dict, minimised: bool) -> bool:
    """Report every evaluation in a trainer state to the pruner; return whether one of them gives the trial up."""
    for row in curves.rows(state):
        if row["part"] != "evaluation":
            continue
        if "reward_accuracy" in row:
            value = -row["reward_accuracy"] if minimised else row["reward_accuracy"]
        else:
            value = row["loss"] if minimised else -row["loss"]
        if pruner.report(row["step"], value):
            return True
    return False


def judge(
    items: list[Item],
    templates: dict[str, Template],
    backend,
    max_prompt_tokens: int,
    metric: str,
    every: int | None = None,
    give_up: Callable[[int, float], bool] = lambda step, value: False,
) -> tuple[list[Verdict], bool]:
    """Return the verdicts of a model on the development items, and whether all were judged.

    After every `every` items (in an order that their ids decide, None: all at once) `give_up` is told how many were
    judged and what the metric is so far; a yes ends the trial.
    """
    items = sorted(items, key=lambda item: files.sha256_text(item.id))
    verdicts: list[Verdict] = []
    every = every or len(items) or 1
    with tempfile.TemporaryDirectory() as folder:
        store = judging.Store(folder, "development")
        for start in range(0, len(items), every):
            asks, limits = judging.plan(items[start : start + every], templates, backend, max_prompt_tokens)
            judging.answer(asks, limits, backend, store)
            settings = templates[items[0].protocol].reply
            verdicts += [
                parsing.parse(row["reply"], row["reason"], settings, row["item"], row["order"])
                for row in judging.replies(asks, store)
            ]
            so_far = start + every
            if so_far < len(items) and give_up(so_far, value_of(items[:so_far], verdicts, metric)):
                store.close()
                return verdicts, False
        store.close()
    return verdicts, True


def value_of(items: Iterable[Item], verdicts: list[Verdict], metric: str) -> float:
    """Return a metric of the agreement tables; NaN where it is not defined."""
    from judgemerge.agreement.score import benchmark_statistics

    statistics = benchmark_statistics(list(items), {"trial": verdicts}, n_resamples=1, seed=0)
    return statistics.judges["trial"].values.get(metric, float("nan"))

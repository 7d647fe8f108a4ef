"""One trial of a search: a model judged on the development sets, given up early when the pruner says so."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.items import Item, Verdict, verdict_rows
from judgemerge.judge import judging
from judgemerge.judge.backends import Backend
from judgemerge.judge.requests import Request, ask
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing
from judgemerge.prompting.prompts import Template
from judgemerge.search import searching
from judgemerge.train import curves

GiveUp = Callable[[int, float], bool]


def never(n_judged: int, value: float) -> bool:
    """Give no trial up."""
    return False


def watcher(pruner: searching.Pruner, minimised: bool) -> Callable[[Path], bool]:
    """Return what watches a training's output folder and says whether to give the training up.

    Reported is the share of evaluation pairs whose chosen answer is the likelier one (stage dpo), else the evaluation
    loss, with its sign turned where the search maximises.
    """

    def watch(output: Path) -> bool:
        states = sorted(
            output.glob("checkpoint-*/trainer_state.json"), key=lambda path: int(path.parent.name.rpartition("-")[2])
        )
        final_state = output / "trainer_state.json"
        if final_state.exists():
            states.append(final_state)
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


def lowest_loss(state: Mapping) -> float:
    """Return the lowest evaluation loss in a trainer state: that of the checkpoint which patience keeps."""
    losses = [row["loss"] for row in curves.rows(state) if row["part"] == "evaluation"]
    return min(losses, default=float("nan"))


class Step(NamedTuple):
    """What is asked at once: the items of every set with their requests, and how many items are judged after it."""

    parts: list[tuple[str, list[Item], list[Request]]]
    n_judged: int


def plan(
    sets: Mapping[str, list[Item]],
    templates: Mapping[str, Template],
    backend: Backend,
    max_prompt_tokens: int,
    every: int | None = None,
) -> list[Step]:
    """Return what every model of a search is asked, rendered once; `templates` are by protocol.

    A step is `every` items of all sets, in an order that their ids decide; None: all at once.
    """
    units = [(name, item) for name, items in sets.items() for item in items]
    units.sort(key=lambda unit: (files.sha256_text(unit[1].id), unit[0]))
    every, steps = every or len(units) or 1, []
    for start in range(0, len(units), every):
        now = units[start : start + every]
        by_set = {name: [item for of_set, item in now if of_set == name] for name in sets}
        parts = [
            (name, items, judging.plan(items, templates, backend, max_prompt_tokens))
            for name, items in by_set.items()
            if items
        ]
        steps.append(Step(parts, start + every))
    return steps


def judge(
    sets: Mapping[str, list[Item]],
    templates: Mapping[str, Template],
    backend: Backend,
    max_prompt_tokens: int,
    metrics: Mapping[str, str],
    every: int | None = None,
    give_up: GiveUp = never,
) -> tuple[dict[str, list[Verdict]], bool]:
    """Return what `judge_planned` does of one model alone; `metrics` are by set."""
    steps = plan(sets, templates, backend, max_prompt_tokens, every)
    return judge_planned(steps, sets, templates, backend, metrics, give_up)


def judge_planned(
    steps: Sequence[Step],
    sets: Iterable[str],
    templates: Mapping[str, Template],
    backend: Backend,
    metrics: Mapping[str, str],
    give_up: GiveUp = never,
) -> tuple[dict[str, list[Verdict]], bool]:
    """Return the verdicts of a model on every development set, and whether all items were judged.

    After every step but the last `give_up` is told how many were judged and what the model is worth so far; a yes ends
    it.
    """
    items_so_far: dict[str, list[Item]] = {name: [] for name in sets}
    verdicts: dict[str, list[Verdict]] = {name: [] for name in items_so_far}
    store = Store()
    for step in steps:
        for name, items, requests in step.parts:
            ask(requests, backend, store)
            reply = templates[items[0].protocol].reply
            items_so_far[name] += items
            verdicts[name] += [parsing.parse_row(row, reply) for row in judging.replies(requests, store)]
        is_last = step is steps[-1]
        if not is_last and give_up(step.n_judged, value_of(items_so_far, verdicts, metrics)):
            return verdicts, False
    return verdicts, True


def value_of(
    sets: Mapping[str, Iterable[Item]], verdicts: Mapping[str, list[Verdict]], metrics: Mapping[str, str]
) -> float:
    """Return the mean over the sets of a metric of the agreement tables each; NaN where one of them is not defined."""
    return mean(values_of(sets, verdicts, metrics))


def mean(values: Mapping[str, float]) -> float:
    """Return what a trial is worth."""
    return sum(values.values()) / len(values)


def values_of(
    sets: Mapping[str, Iterable[Item]], verdicts: Mapping[str, list[Verdict]], metrics: Mapping[str, str]
) -> dict[str, float]:
    """Return for every set its metric of the agreement tables; NaN where it is not defined."""
    from judgemerge.evaluate.score import benchmark_statistics
    from judgemerge.settings.report import Statistics

    def of_set(name: str, items: list[Item]) -> float:
        if not items:  # none of it was judged yet
            return float("nan")
        statistics = benchmark_statistics(items, {"trial": verdicts[name]}, Statistics(resamples=1))
        return statistics.judges["trial"].values.get(metrics[name], float("nan"))

    return {name: of_set(name, list(items)) for name, items in sets.items()}


def verdict_file(folder: str | Path, name: str) -> Path:
    """Return where a trial's verdicts on one development set stand."""
    return Path(folder, f"verdicts.{name}.jsonl")


def finish(
    folder: str | Path,
    sets: Mapping[str, list[Item]],
    verdicts: Mapping[str, list[Verdict]],
    metrics: Mapping[str, str],
) -> dict:
    """Write the verdicts into a trial's folder and return {value, n, errors} of what was judged."""
    items_with_verdict = {}
    for name, items in sets.items():
        files.write_jsonl(verdict_file(folder, name), verdict_rows(verdicts[name]))
        ids = {verdict.item for verdict in verdicts[name]}
        items_with_verdict[name] = [item for item in items if item.id in ids]
    errors = sum(verdict.outcome == "error" for of_set in verdicts.values() for verdict in of_set)
    values = values_of(items_with_verdict, verdicts, metrics)
    each = {"values": values} if len(values) > 1 else {}
    n_items = sum(map(len, items_with_verdict.values()))
    return {"value": mean(values), "n": n_items, "errors": errors, **each}

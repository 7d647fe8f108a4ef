"""Agreement along a training: its checkpoints judged on development sets, one of them chosen, the curve as rows.

Step 0 is the base before the training, which is shown and never chosen. LoRA adapters are folded into the base in
memory: no checkpoint is exported. What a benchmark says of any of them nobody looks at.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.items import Item, Verdict, verdict_rows
from judgemerge.judge import judging
from judgemerge.judge.store import Store
from judgemerge.search.development import Development
from judgemerge.settings.models import Checkpoints
from judgemerge.settings.report import Statistics

BASE = 0  # the step before the training
STORE = "checkpoints"
COLUMNS = (
    *("expert", "step", "development", "metric", "value", "ci_low", "ci_high", "n", "errors"),
    *("minus_end", "minus_end_low", "minus_end_high", "loss", "evaluation_loss", "chosen", "note"),
)
Verdicts = Mapping[int, Mapping[str, Sequence[Verdict]]]  # by step and development set


@dataclass(frozen=True, kw_only=True)
class Asked(Development):
    """What checkpoints are judged on; `store` is the folder of their replies."""

    store: str


def steps_of(trained: str | Path, base: str | Path) -> dict[int, Path]:
    """Return the folders of everything along a training by step: the base, kept checkpoints, the end."""
    from judgemerge.train import checkpoints

    kept = checkpoints.in_folder(trained)
    return {BASE: Path(base), **kept, checkpoints.last_step(trained): Path(trained)}


def judge(asked: Asked, trained: str, base: str, base_digest: str, threads: int, form: str, target: str) -> None:
    """Judge base, checkpoints and end on every development set, and write all verdicts with step and set.

    `form` is the chat template that was trained in. Replies are stored by base and adapter, so that a job that starts
    again asks nothing twice.
    """
    from judgemerge.train import trained_models

    sets, templates, rows = asked.sets, asked.templates(), []
    for step, folder in steps_of(trained, base).items():
        backend = trained_models.load(base, folder, asked.judging, threads, form)
        with Store.of_model(Path(asked.store, digest_of(folder, base_digest, step)[:16]), STORE) as store:
            for name, items in sets.items():
                limit = asked.judging["max_prompt_tokens"]
                verdicts = judging.verdicts(items, templates, backend, limit, store)
                rows += [{"step": step, "set": name, **row} for row in verdict_rows(verdicts)]
        print(f"step {step}: judged on {', '.join(sets)}", flush=True)
    files.write_jsonl(target, rows)


def digest_of(folder: str | Path, base_digest: str, step: int) -> str:
    """Return what the replies of a step are stored under: of the base its own digest, where judges find them too."""
    if step == BASE:
        return base_digest
    if Path(folder, models.ADAPTER).is_file():
        return files.sha256_text(base_digest, models.adapter_digest(folder))
    return models.describe(folder)["digest"]


def read_verdicts(path: str | Path) -> dict[int, dict[str, list[Verdict]]]:
    """Return what `judge` wrote, by step and development set."""
    by_step: dict[int, dict[str, list[Verdict]]] = {}
    for row in files.read_jsonl(path):
        step, name = row.pop("step"), row.pop("set")
        by_step.setdefault(step, {}).setdefault(name, []).append(Verdict(**row))
    return by_step


def worth(sets: Mapping[str, list[Item]], verdicts: Verdicts, metrics: Mapping[str, str]) -> dict[int, float]:
    """Return the mean metric over the development sets by step; NaN where one is not defined."""
    from judgemerge.search import trials

    return {
        step: trials.value_of(sets, {name: list(said) for name, said in of_step.items()}, metrics)
        for step, of_step in verdicts.items()
    }


def choose(kept: Checkpoints, values: Mapping[int, float]) -> int:
    """Return the step that stands for the expert: the last, or the one of the highest value, the earlier of equals.

    A step whose value is not defined is never better; without any value the last one stays.
    """
    trained = {step: value for step, value in values.items() if step != BASE}
    defined = {step: value for step, value in trained.items() if not math.isnan(value)}
    if kept.choose == "last" or not defined:
        return max(trained)
    return min(defined, key=lambda step: (-defined[step], step))


def curve_rows(
    expert: str,
    sets: Mapping[str, list[Item]],
    verdicts: Verdicts,
    metrics: Mapping[str, str],
    log: Iterable[Mapping[str, str]],
    chosen: int,
    settings: Statistics,
) -> Iterator[tuple]:
    """Yield one row per development set and step: the metric, its paired difference to the end, the loss there.

    `log` are the lines of the training's curve (train/curves.py); a loss is the last that was logged up to the step.
    """
    from judgemerge.evaluate.comparisons import difference
    from judgemerge.evaluate.estimates import DECIMALS, Estimate, Measurement
    from judgemerge.evaluate.score import benchmark_statistics, count_errors, metric_interval, value_note

    losses = {part: _losses(log, part) for part in ("train", "evaluation")}
    for name, items in sets.items():
        metric = metrics[name]
        by_step = {str(step): of_step[name] for step, of_step in verdicts.items()}
        statistics = benchmark_statistics(items, by_step, settings, [metric])
        end = statistics.judges[str(max(verdicts))]
        for step in verdicts:
            judge_statistics = statistics.judges[str(step)]
            value = judge_statistics.values.get(metric, math.nan)
            ends = (
                metric_interval(statistics, judge_statistics, metric) if math.isfinite(value) else (math.nan, math.nan)
            )
            errors = count_errors(statistics.benchmark, judge_statistics.arrays, metric)
            note = value_note(statistics.benchmark, judge_statistics, metric)
            estimate = Measurement.of(metric, Estimate(value, *ends), statistics.benchmark.n_items, errors, note)
            gap, test = difference(statistics, judge_statistics, end, metric)
            difference_to_end = (math.nan,) * 3 if judge_statistics is end else (gap, test.low, test.high)
            apart = [round(number, DECIMALS) for number in difference_to_end]
            *numbers, note = estimate
            loss = [_loss_at(losses[part], step) for part in ("train", "evaluation")]
            yield (expert, step, name, *numbers, *apart, *loss, step == chosen, note)


def _losses(log: Iterable[Mapping[str, str]], part: str) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row["loss"])) for row in log if row["part"] == part and row.get("loss")]


def _loss_at(losses: Sequence[tuple[int, float]], step: int) -> float:
    earlier = [loss for at, loss in losses if at <= step]
    return earlier[-1] if earlier else math.nan

"""How myendless1/llm-as-a-judge counts (Test_scripts/judge_model.py), and the figures of its results table.

The figures were read from a picture by eye (img/results.png); none has its row count printed. `quoted` says what is
known of the counts: LLMBar values are multiples of one over a tenth of a subset (both orders), or over all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from judgemerge.core.items import CLASSES
from judgemerge.evaluate.metrics.classes import confusion_metrics
from judgemerge.evaluate.published import Case, Row
from judgemerge.evaluate.published._cells import aligned, class_metrics, confusion_table
from judgemerge.evaluate.verdict_arrays import ERROR, FIRST, TIE, BenchmarkArrays, JudgeArrays

AS_TIES = "[errors as ties]"


@dataclass(frozen=True)
class Counted:
    """One judge on one benchmark: truth and outcome codes per row, (n_rows,) each; a row is an item in one order."""

    judge: str
    benchmark: str
    n_items: int
    truth: np.ndarray
    outcome: np.ndarray

    @property
    def errors(self) -> int:
        """Rows without a readable verdict."""
        return int((self.outcome == ERROR).sum())


def rows(case: Case) -> Iterator[Row]:
    """Yield accuracy, precision, recall and F1 of class first, and macro averages, over rows.

    LLMBar's sets count every item in both orders, other sets in their own order. The original takes an unread verdict
    for a tie: its values are the ones with `[errors as ties]`; without brackets an unread verdict is wrong. Counts of
    what a judge said are in `tables/unified.csv`.
    """
    for counted in counted_rows(case):
        for metric, value in measures(counted).items():
            yield Row(counted.judge, metric, value, len(counted.truth), counted.errors)


def counted_rows(case: Case) -> Iterator[Counted]:
    """Yield the rows of every judge that was asked in the orders that count."""
    for benchmark, judge in aligned(case):
        orders = [0, 1] if both_orders(benchmark.benchmark) else [0]
        if all(judge.recorded[order] for order in orders):
            yield _stacked(benchmark, judge, orders)


def both_orders(benchmark: str) -> bool:
    """Return whether the original tests a set in both orders: LLMBar's."""
    return benchmark.startswith("llmbar_")


def _stacked(benchmark: BenchmarkArrays, judge: JudgeArrays, orders: list[int]) -> Counted:
    truth, outcome = [], []
    for order in orders:
        # As shown to the judge: in the swapped order first and second change places, so that class A is position A.
        position = np.array([1, 0, 2, 3]) if order else np.arange(4)
        truth.append(position[benchmark.truth])
        outcome.append(position[judge.codes[:, order]])
    return Counted(judge.judge, benchmark.benchmark, benchmark.n_items, np.concatenate(truth), np.concatenate(outcome))


def measures(counted: Counted) -> dict[str, float]:
    """Return the metrics of one judge on one benchmark, with unread verdicts wrong and, in brackets, as ties."""
    values: dict[str, float] = {}
    for part, outcome in (
        ("", counted.outcome),
        (AS_TIES, np.where(counted.outcome == ERROR, TIE, counted.outcome)),
    ):
        table = confusion_table(counted.truth, outcome)
        values[f"accuracy{part}"] = float((counted.truth == outcome).mean())
        values |= {f"{name}_of_first{part}": float(value) for name, value in class_metrics(table, FIRST).items()}
        macro = confusion_metrics(table)
        values |= {f"macro_{name}{part}": float(macro[f"macro_{name}"]) for name in ("precision", "recall", "f1")}
    return values


def said(counted: Counted) -> dict[str, int]:
    """Return how often a judge said each class, and how often nobody could read it."""
    names = (*CLASSES, "error")
    return {name: int((counted.outcome == code).sum()) for code, name in enumerate(names)}


@dataclass(frozen=True)
class Quoted:
    """A figure of the results table: on which set of ours, of how many rows as far as one can tell."""

    judge: str
    benchmark: str
    rows: str
    accuracy: float
    f1: float | None = None


LLMBAR = ("llmbar_gptinst", "llmbar_gptout", "llmbar_manual", "llmbar_natural", "llmbar_neighbor")
OWN = {
    "ChatGLM3-6B LoRA": ((0.403, None), (0.420, 0.277), (0.493, 0.464), (0.5, 0.3, 0.3, 0.45, 0.429)),
    "Gemma-7B QLoRA": ((0.550, None), (0.483, 0.507), (0.660, 0.687), (0.4, 0.7, 0.2, 0.75, 0.393)),
}
BASELINES = {
    "PandaLM-7B": ((0.4, None), (0.552, 0.468), (0.676, 0.575), (0.217, 0.426, 0.261, 0.590, 0.165)),
    "Auto-J-13B": ((0.546, None), (0.517, 0.437), (0.715, 0.610), (0.217, 0.468, 0.239, 0.700, 0.209)),
}
OWN_ROWS, ALL_ROWS = (20, 10, 10, 20, 28), (92, 47, 46, 100, 134)


def quoted() -> Iterator[Quoted]:
    """Yield the published figures under the benchmark that has the same items, as far as there is one."""
    for judges, n_rows, suffix, others in (
        (OWN, OWN_ROWS, "_test", "first 300"),
        (BASELINES, ALL_ROWS, "", "not known, 300 at most or all"),
    ):
        for judge, (autoj, mtbench, pandalm, llmbar) in judges.items():
            yield Quoted(judge, "autoj_pairwise", others, *autoj)
            yield Quoted(judge, "mtbench_gpt4_test_original", others, *mtbench)
            yield Quoted(judge, "pandalm_original", others, *pandalm)
            for name, n, accuracy in zip(LLMBAR, n_rows, llmbar, strict=True):
                yield Quoted(judge, name + suffix, f"{n}, inferred", accuracy)


def computed_row(counted: Counted, drawn_from: int | None) -> dict:
    """Return the row of tables/unified.csv of one judge on one benchmark."""
    values = measures(counted)
    return {
        "benchmark": counted.benchmark,
        "judge": counted.judge,
        "origin": "computed",
        "items": counted.n_items,
        "drawn_from": drawn_from,
        "rows": len(counted.truth),
        "errors": counted.errors,
        "accuracy": values["accuracy"],
        "accuracy_errors_as_ties": values[f"accuracy{AS_TIES}"],
        **{name: values[f"{name}_of_first"] for name in ("precision", "recall", "f1")},
        **{name: values[name] for name in ("macro_precision", "macro_recall", "macro_f1")},
        **{f"said_{name}": n for name, n in said(counted).items() if name != "error"},
    }


def quoted_row(figure: Quoted) -> dict:
    """Return the row of a quoted figure."""
    return {
        "benchmark": figure.benchmark,
        "judge": figure.judge,
        "origin": "quoted",
        "rows": figure.rows,
        "accuracy_errors_as_ties": figure.accuracy,
        "f1": figure.f1,
    }

"""Figures of a study, each drawn from one table alone: every point with its interval, nothing without a name.

A function of FIGURES takes the table that its rule reads (rules/report.smk), what each judge is (a key of COLOURS, in
the order in which judges are shown), and the benchmarks it is restricted to, and returns the figure.
"""

from collections.abc import Callable

from matplotlib.figure import Figure

from judgemerge.report.figures import (
    ablation,
    agreement,
    bias,
    comparisons,
    humans,
    model_comparisons,
    quantization,
    retrieval,
    searches,
)
from judgemerge.report.figures.panels import COLOURS, add_footnote, use_style

__all__ = ["COLOURS", "FIGURES", "add_footnote", "use_style"]

FIGURES: dict[str, Callable[..., Figure]] = {
    "accuracy": agreement.accuracy,
    "grading": agreement.grading,
    "consistency": agreement.consistency,
    "merges": agreement.merges,
    "differences": comparisons.differences,
    "humans": humans.humans,
    "bias_position": bias.position,
    "bias_length": bias.length,
    "ablation": ablation.ablation,
    "sweep": ablation.sweep,
    "curves": searches.curves,
    "search": searches.search,
    "screening": searches.screening,
    "model_comparison": model_comparisons.model_comparison,
    "quantization": quantization.quantization,
    "retrieval": retrieval.retrieval,
    "forgetting": retrieval.forgetting,
}

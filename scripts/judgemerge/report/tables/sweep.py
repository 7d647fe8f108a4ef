"""sweep.csv: every merge of a grid over alpha, the share of its first parent."""

from collections.abc import Sequence
from typing import Any

from judgemerge.evaluate.ablation import sweep_shares
from judgemerge.report.drawing import finish, panel_grid
from judgemerge.report.material import Material
from judgemerge.report.table import ESTIMATE, Column, Drawing, Figure, Frame, Inputs, Pair, Study, Table
from judgemerge.report.tables.ablation import SIDES, benchmark_title, measure_pairs, variant_pairs

COLUMNS = {
    "alpha": Column("share of the first parent in the merge"),
    "judge": Column("name of the merge"),
    "side": Column("direct (grades) or pairwise"),
    "benchmark": Column("name of the item set"),
    "metric": Column("Pearson correlation for grades, accuracy without human ties for pairs"),
    **ESTIMATE,
    "n": Column("number of items"),
    "errors": Column("number of unreadable verdicts"),
    "note": Column("why a value is undefined"),
}


def sweep_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every merge of the sweep."""
    shares = sweep_shares(study.settings)
    return [(judge, benchmark) for judge, benchmark in variant_pairs(study) if judge in shares]


def has_sweep(study: Study) -> bool:
    """The study has a grid of alpha."""
    return bool(sweep_shares(study.settings))


def inputs(study: Study) -> Inputs:
    """Return the items of the benchmarks, and the verdicts of the merges."""
    return Inputs.of_pairs(sweep_pairs(study))


def parameters(study: Study) -> dict[str, Any]:
    """Return the merges with their shares, the protocol of each benchmark, and how intervals are computed."""
    pairs = sweep_pairs(study)
    return {
        "pairs": pairs,
        "shares": sweep_shares(study.settings),
        "protocols": {name: study.protocol(name) for _, name in variant_pairs(study)},
        "statistics": study.settings.statistics.plain(),
    }


def rows(
    material: Material, pairs: list[Pair], shares: dict[str, float], protocols: dict[str, str], statistics: dict
) -> Frame:
    """Return one row per benchmark and merge."""
    from judgemerge.evaluate.ablation_tables import sweep_table

    return sweep_table(shares, protocols, measure_pairs(material, pairs, statistics))


def sweep(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """A panel for grades and one for pairs: a line per benchmark over alpha, with its interval."""
    sides = [side for side in SIDES if (table.side == side).any()]
    figure, axes = panel_grid(dict.fromkeys(sides, 9), columns=2, width=4.2, share=False)
    for side in sides:
        for number, (benchmark, rows) in enumerate(table[table.side == side].groupby("benchmark", sort=False)):
            rows = rows.sort_values("alpha")
            shade = f"C{number}"
            axes[side].plot(rows.alpha, rows.value, "o-", color=shade, markersize=4, linewidth=1.3,
                            label=benchmark_title(benchmark, rows))  # fmt: skip
            axes[side].fill_between(rows.alpha, rows.ci_low, rows.ci_high, color=shade, alpha=0.13, linewidth=0)
        axes[side].set_title(SIDES[side])
        axes[side].set_xlim(-0.03, 1.03)
        axes[side].set_xlabel("alpha: share of the first parent", fontsize=8)
        axes[side].legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return finish(figure, "", [])


TABLE = Table(
    title="Sweep of alpha",
    caption="Linear merges of two experts over alpha.",
    columns=COLUMNS,
    condition=has_sweep,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    has_page=False,
    figures={
        "sweep": Figure(
            label="Linear merges over alpha",
            caption="Linear merges of two experts over alpha, the share of the first one in the study file (0: the "
            "second expert alone, 1: the first alone). One line per benchmark with its interval; correlation with the "
            "gold label for grades, accuracy without human ties for pairs. The paper shows such a curve for its 7B "
            "models without printing the values: grades were best at 0.5, pairs at 0.3.",
            draw=sweep,
        ),
    },
)

"""Draw the picture of README.md: how far real judges are from real people, on the votes of people.

`make picture` runs the study `replay` as far as its table humans.csv, takes the rows that the picture needs into
docs/images/people_and_judges.csv, and draws docs/images/people_and_judges.svg from these. Without --from the recorded
rows are drawn again.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

RECORDED = ROOT / "docs" / "images" / "people_and_judges.csv"
PICTURE = RECORDED.with_suffix(".svg")
BENCHMARKS = {
    "pandalm": "PandaLM: answers of small models,\n999 pairs, three annotators",
    "mtbench_human": "MT-Bench: answers of chat models,\n80 questions, 58 experts",
}
LABELS = {
    "humans": "a person",
    "pandalm_7b": "PandaLM-7B",
    "gpt35_pandalm": "GPT-3.5",
    "gpt4_mtbench": "GPT-4",
    "longer": "always the longer answer",
    "random": "random verdicts",
}
KINDS = {label: "humans" if name == "humans" else "recorded" for name, label in LABELS.items()}
KINDS |= {LABELS[name]: "baseline" for name in ("longer", "random")}
WORDS = {"humans": "people", "recorded": "judges", "baseline": "blind to the content"}  # in the legend
AXIS = "agreement with the majority of the other people, chance not taken out"


def record(table: Path) -> None:
    """Write those rows of humans.csv that the picture shows."""
    with open(table, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if is_shown(row)]
    with open(RECORDED, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def is_shown(row: dict[str, str]) -> bool:
    """Tell whether a row of humans.csv is in the picture."""
    asked = row["against"] == "others" and row["metric"] == "accuracy" and row["benchmark"] in BENCHMARKS
    return asked and row["kind"] in ("humans", "judge") and row["rater"] in LABELS


def draw(table: Path, picture: Path) -> None:
    """Draw the recorded rows, with the same letters on every machine and without a date."""
    import matplotlib

    from judgemerge.core.frames import read_table
    from judgemerge.report import drawing

    drawing.use_style()
    matplotlib.rcParams["font.sans-serif"] = ["DejaVu Sans"]  # Matplotlib brings it along
    rows = read_table(table)
    panels = {
        benchmark: panel(rows[rows.benchmark == benchmark], title, drawing) for benchmark, title in BENCHMARKS.items()
    }
    figure, axes = drawing.judge_figure(panels, LABELS.values(), KINDS, AXIS, width=3.4, height=1.25)
    for benchmark, of_panel in axes.items():
        show_people(of_panel, rows[(rows.benchmark == benchmark) & (rows.kind == "humans")].iloc[0], drawing)
    for text in figure.legends[0].get_texts():
        text.set_text(WORDS[text.get_text()])
    figure.savefig(picture, format="svg", metadata={"Date": None}, bbox_inches="tight")


def panel(rows: Any, title: str, drawing: Any) -> Any:
    """Return the panel of one benchmark, a row for a person and for each judge."""
    estimates = {LABELS[row.rater]: drawing.Estimate.of(row) for row in rows.itertuples()}
    return drawing.Panel(title, [drawing.Series(estimates)])


def show_people(axes: Any, people: Any, drawing: Any) -> None:
    """Draw a band where people are, and write each value at the right of its interval."""
    axes.axvspan(people.ci_low, people.ci_high, color="#f4e4bc", zorder=0, linewidth=0)
    axes.set_xlim(0, 1.09)
    for line in axes.get_lines():
        ends, heights = line.get_xdata(), line.get_ydata()
        if len(ends) == 1:
            continue
        value = next(one.get_xdata()[0] for one in axes.get_lines() if list(one.get_ydata()) == [heights[0]])
        axes.text(ends[1] + 0.015, heights[0], f"{value:.2f}", va="center", fontsize=8, color=drawing.DARK)


def main() -> None:
    """Take new rows where a table is named, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="table", type=Path, help="humans.csv of the study replay")
    table = parser.parse_args().table
    if table:
        record(table)
    draw(RECORDED, PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}: drawn from {RECORDED.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

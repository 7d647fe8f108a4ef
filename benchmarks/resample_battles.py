"""Makes results/battles.md and docs/images/battles.svg: three intervals on public battles that people and judges saw.

    python benchmarks/resample_battles.py --mirror DIR

Six files of arena battles (`battles_*` of config/sources.yaml; yiqunchen/debias-llm-as-a-judge, MIT) have a person's
vote and the pick of a judge for every battle; one of the two models is always Claude Opus 4, and its win rate is asked
for. Each file is taken for the truth. A run draws as many battles from it as it has, with replacement, shows a fifth of
the votes, drawn too, to the package, and asks for the interval of the judge alone, of the labels alone and of the
corrected win rate. The share of intervals that hold the win rate of the whole file is the coverage.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.core import files  # noqa: E402
from judgemerge.data.fetching import fetch  # noqa: E402
from judgemerge.data.sources import Source, load_sources  # noqa: E402
from judgemerge.evaluate import corrected  # noqa: E402
from judgemerge.report import drawing  # noqa: E402

LEVEL = 0.95
LABELLED = 0.2
MODEL = "claude-opus-4-20250514"
SHADES = {"judge": "#b0654f", "labels": "#888888", "corrected": drawing.DARK}
WORDS = {"judge": "judge alone", "labels": "labels alone", "corrected": "corrected"}


def read_battles(path: Path) -> pd.DataFrame:
    """Return whether Claude won each battle in the eyes of a person (`people`) and of the judge (`judge`, or NaN)."""
    rows = []
    for battle in files.read_json(path):
        is_a = battle["model_a"] == MODEL
        pick = {"A": 1.0, "B": 0.0}.get(battle["judge_pick"], np.nan)
        rows.append((float((battle["human_winner"] == "model_a") == is_a), pick if is_a else 1 - pick))
    return pd.DataFrame(rows, columns=["people", "judge"])


def resample(battles: pd.DataFrame, runs: int, seed: list[int]) -> dict[str, float]:
    """Return how often each interval holds the win rate of the file, and how wide it is on average."""
    rng = np.random.default_rng(seed)
    truth, n = battles.people.mean(), len(battles)
    held = {name: [] for name in WORDS}
    for _ in range(runs):
        drawn = battles.to_numpy()[rng.integers(0, n, n)]
        people = np.full(n, np.nan)
        shown = rng.choice(n, round(LABELLED * n), replace=False)
        people[shown] = drawn[shown, 0]
        units = corrected.Units.of(people, drawn[:, 1])
        results = (
            corrected.judged(units, corrected.SHARE),
            corrected.correct(units, corrected.SHARE, share=0.0),
            corrected.correct(units, corrected.SHARE),
        )
        for name, result in zip(WORDS, results, strict=True):
            ends = result.estimate(LEVEL)
            held[name].append((ends.low <= truth <= ends.high, ends.high - ends.low))
    means = {name: np.mean(rows, axis=0) for name, rows in held.items()}
    whats = tuple(enumerate(("held", "width")))
    return {f"{name}_{what}": float(row[place]) for name, row in means.items() for place, what in whats}


def run_all(sources: dict[str, Source], mirror: str | None, runs: int, seed: int) -> pd.DataFrame:
    """Return a row per file."""
    rows = []
    for number, (key, source) in enumerate(sorted(sources.items())):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, key)
            fetch(source, path, mirror)
            battles = read_battles(path)
        both = battles.dropna()
        other, _, judge = Path(source.path).stem.partition("_vs_")[2].rpartition("_")
        about = {"other": other, "judge": judge, "n": len(battles), "people": battles.people.mean()}
        about |= {"judge_says": battles.judge.mean(), "correlation": np.corrcoef(both.people, both.judge)[0, 1]}
        rows.append(about | resample(battles, runs, [seed, number]))
        print(f"{key}: done", file=sys.stderr, flush=True)
    return pd.DataFrame(rows)


def report(table: pd.DataFrame, runs: int, seed: int) -> str:
    """Return benchmarks/results/battles.md."""
    lines = [
        "# Three intervals on public battles",
        "",
        "Made by `benchmarks/resample_battles.py`, which says how; do not edit. Win rate of Claude Opus 4 against",
        f"another model, as people and as a judge have it; {runs} resamples of each file, seed {seed}, a fifth",
        "labelled. Coverage is the share of 95 % intervals that hold the people's win rate of the whole file.",
        "[What the numbers are](../../docs/corrected.md).",
        "",
        "| against | judge | battles | people % | judge % | correlation | coverage %: judge alone | labels alone "
        "| corrected | width: judge alone | labels alone | corrected |",
        "|" + "---|" * 12,
    ]
    for row in table.itertuples():
        cells = [row.other, row.judge, row.n, f"{100 * row.people:.1f}", f"{100 * row.judge_says:.1f}"]
        cells += [f"{row.correlation:.2f}", f"{100 * row.judge_held:.1f}", f"{100 * row.labels_held:.1f}"]
        cells += [f"**{100 * row.corrected_held:.1f}**"]
        cells += [f"{width:.3f}" for width in (row.judge_width, row.labels_width, row.corrected_width)]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def draw(table: pd.DataFrame, path: Path) -> None:
    """Draw a row per file: how often the three intervals hold the people's win rate, and how wide they are."""
    drawing.use_style()
    figure, panels = drawing.panel_grid({"coverage": 1.5 * len(table), "width": 1.5 * len(table)}, share=False)
    names = [f"{row.other}, {row.judge}" for row in table.itertuples()]
    for what, panel in zip(("held", "width"), panels.values(), strict=True):
        drawing.judge_rows(panel, names)
        for place, name in enumerate(WORDS):
            for number, value in enumerate(table[f"{name}_{what}"]):
                drawing.point(panel, value, number + 0.24 * (place - 1), SHADES[name], "s^o"[place])
    panels["coverage"].axvline(LEVEL, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
    panels["coverage"].set_xlim(-0.03, 1.03)
    panels["coverage"].set_title("holds what people say")
    panels["width"].set_xlim(0, None)
    panels["width"].set_title("width of the 95 % interval")
    panels["width"].tick_params(labelleft=False)
    marks = [drawing.mark(text, "s^o"[place], SHADES[name]) for place, (name, text) in enumerate(WORDS.items())]
    drawing.finish(figure, "", marks, "Win rate of Claude Opus 4 against each model, as each judge sees it.")
    with files.atomic_writer(path, "wb") as file:
        figure.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")


def main() -> int:
    """Resample the files, write the table and the picture, and return 1 when a corrected interval holds too seldom."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirror", help="folder with raw files; without it they are fetched over HTTPS")
    parser.add_argument("--runs", type=int, default=2000, help="resamples of each file")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    catalogue = load_sources(ROOT / "config" / "sources.yaml")
    sources = {key: source for key, source in catalogue.items() if key.startswith("battles_")}
    table = run_all(sources, options.mirror, options.runs, options.seed)
    (ROOT / "benchmarks" / "results" / "battles.md").write_text(
        report(table, options.runs, options.seed), encoding="utf-8"
    )
    draw(table, ROOT / "docs" / "images" / "battles.svg")
    return int((table.corrected_held < 0.935).any())


if __name__ == "__main__":
    sys.exit(main())

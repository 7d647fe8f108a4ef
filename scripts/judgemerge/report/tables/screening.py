"""screening.csv: foundation models after the same number of fine-tuning steps."""

from collections.abc import Mapping, Sequence

from judgemerge.report.drawing import COLOURS, dot, finish, judge_rows, panel_grid
from judgemerge.report.markup import frame, spans
from judgemerge.report.table import Column, Drawing, Figure, Frame, Section, Study, Table

COLUMNS = {
    "base": Column("name of the foundation model"),
    "parameters": Column("number of its parameters"),
    "steps": Column("number of fine-tuning steps"),
    "loss": Column("loss per token of held-out answers"),
    "loss_low": Column("lower end of its confidence interval"),
    "loss_high": Column("upper end of its confidence interval"),
    "bits_per_byte": Column("bits per byte of held-out answers"),
    "bpb_low": Column("lower end of its confidence interval"),
    "bpb_high": Column("upper end of its confidence interval"),
    "n": Column("number of held-out answers"),
    "clusters": Column("number of prompts, which are resampled"),
    "too_long": Column("number of answers that do not fit the model's window"),
    "tokens": Column("number of tokens of the answers"),
    "bytes": Column("number of bytes of the answers"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "Every foundation model after the same number of fine-tuning steps: loss per token of held-out answers and bits "
    "per byte, each with its {confidence} interval (prompts resampled). Tokenizers cut texts differently, so between "
    "models with different vocabularies only bits per byte can be compared."
)


def has_screening(study: Study) -> bool:
    """The study screens foundation models."""
    return study.settings.screening is not None


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one row per model."""
    visible = table[["base", "parameters", "steps"]].assign(
        **{
            "loss per token": spans(table, "loss", "loss_low", "loss_high"),
            "bits per byte": spans(table, "bits_per_byte", "bpb_low", "bpb_high"),
            **{name: table[name] for name in ("n", "clusters", "too_long", "note")},
        }
    )
    return [("After fine-tuning", frame(visible))]


# ---- figure ----


def screening(table: Frame, kinds: Mapping[str, str], panels: Sequence[str]) -> Drawing:
    """Draw loss per token and bits per byte of every foundation model, with intervals."""
    panels = {
        "loss per token": table.rename(columns={"loss": "value", "loss_low": "ci_low", "loss_high": "ci_high"}),
        "bits per byte": table.rename(columns={"bits_per_byte": "value", "bpb_low": "ci_low", "bpb_high": "ci_high"}),
    }
    figure, axes = panel_grid({title: len(table) + 1 for title in panels}, columns=2, share=False)
    for title, rows in panels.items():
        axes[title].set_title(title)
        judge_rows(axes[title], [f"{row.base} ({row.parameters / 1e6:.3g}M)" for row in rows.itertuples()])
        for y, row in enumerate(rows.itertuples()):
            dot(axes[title], y, row, COLOURS["base"])
    steps = ", ".join(map(str, sorted(set(table.steps))))
    return finish(figure, f"held-out answers after {steps} steps, lower is better", [])


CAPTION = (
    "Foundation models after the same number of fine-tuning steps. Loss per token depends on the tokenizer; bits per "
    "byte can be compared."
)
TABLE = Table(
    title="Base-model selection",
    caption=CAPTION,
    columns=COLUMNS,
    condition=has_screening,
    intro=INTRO,
    sections=sections,
    figures={
        "screening": Figure(label="Base-model selection", caption=CAPTION, draw=screening, about_judges=False),
    },
)

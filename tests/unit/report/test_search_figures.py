"""Figures of trainings, searches and screenings show every expert, trial and base, and say what a mark means."""

import io

import pandas as pd
from judgemerge.report.figures import FIGURES

CURVES = pd.DataFrame(
    [
        {"expert": expert, "step": step, "part": part, "loss": 1 / step, "nll": 2 / step, "reward_accuracy": accuracy}
        for expert in ("one", "two")
        for step, part, accuracy in ((5, "train", 0.5), (10, "train", 0.6), (10, "evaluation", 0.7))
    ]
)
TRIALS = pd.DataFrame(
    [
        (0, 0, "done", 8, 1e-3, "accuracy", 0.60, 0.5, 0.7, False),
        (1, 0, "done", 16, 1e-2, "accuracy", 0.80, 0.7, 0.9, True),
        (2, 1, "pruned", 4, 1e-1, "accuracy", 0.30, None, None, False),
        (3, 1, "failed", 4, 1e-4, "accuracy", None, None, None, False),
    ],
    columns=["trial", "round", "state", "lora_rank", "learning_rate", "metric", "value", "ci_low", "ci_high", "best"],
)
BASES = pd.DataFrame(
    [("small", 1.3e6, 40, 2.4, 2.2, 2.5, 0.62, 0.6, 0.64), ("large", 2.9e6, 40, 2.2, 2.1, 2.3, 0.59, 0.57, 0.61)],
    columns=["base", "parameters", "steps", "loss", "loss_low", "loss_high", "bits_per_byte", "bpb_low", "bpb_high"],
)


def words(figure):
    figure.savefig(io.BytesIO(), format="svg")  # a figure that cannot be written is none
    return "\n".join(text.get_text() for text in figure.findobj(lambda part: hasattr(part, "get_text")))


def shown(figure):
    return [axes for axes in figure.axes if axes.get_title()]


def test_curves_show_every_quantity_that_was_logged():
    figure = FIGURES["curves"](CURVES, {}, [])
    assert {axes.get_title() for axes in shown(figure)} == {"loss", "NLL of the chosen answer", "reward accuracy"}
    assert all(name in words(figure) for name in ("one", "two", "held out"))


def test_curves_without_held_out_items_say_how_to_get_them():
    assert "evaluate_on" in words(FIGURES["curves"](CURVES[CURVES["part"] == "train"], {}, []))


def test_a_search_has_a_panel_per_parameter_and_tells_default_best_and_pruned_apart():
    figure = FIGURES["search"](TRIALS, {}, [])
    assert {axes.get_title() for axes in shown(figure)} == {"trial", "lora_rank", "learning_rate"}
    text = words(figure)
    assert all(label in text for label in ("the study's own setting", "best trial", "given up early"))
    learning_rate = next(axes for axes in shown(figure) if axes.get_title() == "learning_rate")
    assert learning_rate.get_xscale() == "log"
    trial = next(axes for axes in shown(figure) if axes.get_title() == "trial")
    assert all(float(tick).is_integer() for tick in trial.get_xticks())
    points = [line for line in learning_rate.lines if len(line.get_xdata()) == 1]
    assert len(points) == 3, "a failed trial has no value to draw"


def test_a_screening_has_a_row_per_base_with_its_size():
    figure = FIGURES["screening"](BASES, {}, [])
    assert "small (1.3M)" in words(figure) and "large (2.9M)" in words(figure)
    assert [axes.get_title() for axes in shown(figure)] == ["loss per token", "bits per byte"]
    intervals = [line for line in shown(figure)[0].lines if len(line.get_xdata()) == 2]
    assert [list(line.get_xdata()) for line in intervals] == [[2.2, 2.5], [2.1, 2.3]]

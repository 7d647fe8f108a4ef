"""Checkpoints of a training: kept, judged without an export, one chosen on development sets, the curve as a table."""

import json
import math
import shutil

import pytest
from report_cases import FIGURES

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, write_items
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.report.tables import checkpoints as page
from judgemerge.search import checkpoints
from judgemerge.search.plan import CheckpointPlan, SearchPlan
from judgemerge.settings.models import Checkpoints
from judgemerge.settings.report import Statistics
from judgemerge.study.load import load_study
from judgemerge.train import checkpoints as kept_checkpoints
from judgemerge.train.plan import TrainingPlan

FEW = Statistics(resamples=200, seed=3)


def section(**keys):
    return Checkpoints.of({"every": 2, "development": {"dev": "accuracy"}} | keys)


# ---- which step ----


@pytest.mark.parametrize(
    ("choose", "values", "chosen"),
    [
        ("best", {0: 0.9, 2: 0.5, 4: 0.7, 5: 0.6}, 4),  # the base is shown, never chosen
        ("best", {0: 0.1, 2: 0.7, 4: 0.7, 5: 0.6}, 2),  # the earlier one of equals
        ("best", {0: 0.1, 2: math.nan, 4: 0.2, 5: math.nan}, 4),
        ("best", {0: 0.1, 2: math.nan, 5: math.nan}, 5),
        ("last", {0: 0.1, 2: 0.7, 5: 0.6}, 5),
    ],
)
def test_the_step_that_stands_for_the_expert(choose, values, chosen):
    assert checkpoints.choose(section(choose=choose), values) == chosen


def test_steps_of_any_distance_are_written_at_their_greatest_common_one():
    assert kept_checkpoints.settings(section(every=None, steps=[400, 500, 1000]))["save_steps"] == 100
    assert kept_checkpoints.settings(section())["save_steps"] == 2
    kept = section(every=None, steps=[400, 1000])
    assert [step for step in (200, 400, 600, 1000) if kept_checkpoints.is_wanted(kept, step)] == [400, 1000]
    assert kept_checkpoints.lacking(kept, [400], 900) == [1000]


def made(output, steps, end):
    for step in steps:
        folder = output / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        for name in (
            "adapter_model.safetensors",
            "adapter_config.json",
            "optimizer.pt",
            "rng_state.pth",
            "trainer_state.json",
        ):
            (folder / name).write_text(f"{step} {name}")
    (output / "trainer_state.json").write_text(json.dumps({"global_step": end}))


def test_unwanted_checkpoints_give_way_while_the_training_can_still_go_on(tmp_path):
    made(tmp_path, (100, 200, 300, 400, 500), 500)
    watch = kept_checkpoints.saver_of_space(section(every=None, steps=[200]))
    assert watch(tmp_path) is False
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == [
        "checkpoint-200",
        "checkpoint-400",
        "checkpoint-500",
    ]


def test_what_is_kept_is_a_model_and_outlives_the_checkpoints_of_the_training(tmp_path):
    output, work = tmp_path / "work" / "output", tmp_path / "work"
    made(output, (2, 4, 6), 6)
    target = tmp_path / "first"
    target.mkdir()
    assert kept_checkpoints.keep(section(), output, work, target) == [2, 4], "the end is there already"
    assert sorted(path.name for path in (target / "checkpoints/step_2").iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    for path in list(output.glob("checkpoint-*")):
        shutil.rmtree(path)
    again = tmp_path / "again"
    again.mkdir()
    assert kept_checkpoints.keep(section(), output, work, again) == [2, 4]
    assert kept_checkpoints.folder_of(again, 4) == again / "checkpoints/step_4"
    assert kept_checkpoints.folder_of(again, 6) == again
    (tmp_path / "choice.json").write_text('{"chosen": 2}')
    assert kept_checkpoints.chosen(again, [tmp_path / "choice.json"]) == str(again / "checkpoints/step_2")
    assert kept_checkpoints.chosen(again, []) == str(again)


# ---- the study ----

KEPT = {"every": 50, "development": {"demo_pairwise_development": "accuracy"}, "choose": "best"}
SETTINGS = {
    "study": "along",
    "models": {"near": {"path": "near"}},
    "base": "near",
    "experts": {
        "one": {"train_on": ["demo_pairwise_train"], "checkpoints": KEPT},
        "two": {"train_on": ["demo_pairwise_train"]},
    },
    "suites": {"demo": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["one", "two"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}},
}


def study_of(repository, **changes):
    one = SETTINGS["experts"]["one"] | changes
    return load_study(SETTINGS | {"experts": SETTINGS["experts"] | {"one": one}}, "along.yaml", repository / "config")


def test_a_training_does_not_depend_on_how_its_checkpoints_are_judged(repository):
    study = study_of(repository)
    other = study_of(
        repository, checkpoints=KEPT | {"choose": "last", "development": {"demo_pairwise_development": "kappa"}}
    )
    trained, plan = TrainingPlan(study), CheckpointPlan(study)
    assert trained.expert("one") == TrainingPlan(other).expert("one")
    assert trained.expert("one")["checkpoints"] == {"every": 50}
    assert trained.expert("two") == study.experts["two"].plain() and "checkpoints" not in trained.expert("two")
    assert (trained.choices("one"), trained.choices("two"), TrainingPlan(other).choices("one")) == (["one"], [], [])
    assert plan.experts == ["one"] and plan.prompts("one") == {"pairwise": "brief_pairwise"}
    assert study.known_prompts["demo_pairwise_development"] == "choice of a checkpoint of one"
    assert SearchPlan(study) and page.judged_experts(study) == ["one"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checkpoints": {"every": 5}}, "has no development"),
        ({"checkpoints": KEPT | {"steps": [3]}}, "every and steps"),
        ({"checkpoints": KEPT | {"development": {"demo_pairwise": "accuracy"}}}, "benchmark of the suites"),
        ({"checkpoints": KEPT | {"development": {"demo_pairwise_train": "accuracy"}}}, "learns"),
        (
            {"checkpoints": KEPT | {"development": {"demo_pairwise_development": "pearson"}}},
            "no metric to choose pairwise",
        ),
        (
            {"checkpoints": KEPT, "settings": {"early_stopping_steps": 3, "eval_steps": 5, "val_size": 0.1}},
            "leave one out",
        ),
    ],
)
def test_checkpoints_that_cannot_be_chosen_among_are_refused(repository, changes, problem):
    with pytest.raises(JudgemergeError, match=problem):
        study_of(repository, **changes)


def test_a_merge_of_adapters_takes_the_end_of_a_training(repository):
    merges = {
        "both": {
            "method": "adapter_linear",
            "base": "near",
            "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}},
        }
    }
    with pytest.raises(JudgemergeError, match="checkpoints.choose is best"):
        load_study(SETTINGS | {"merges": merges}, "along.yaml", repository / "config")


# ---- the table ----


@pytest.fixture
def table():
    items = [
        Item(str(n), "dev", "pairwise", ("q",), (("a",), ("b",)), "first", str(n), {"source": "m", "row": n})
        for n in range(20)
    ]

    def said(n_right):
        return [
            Verdict(item.id, order, "first" if int(item.id) < n_right else "second")
            for item in items
            for order in ("original", "swapped")
        ]

    verdicts = {step: {"dev": said(n)} for step, n in ((0, 5), (2, 18), (4, 12))}
    log = [
        {"step": "1", "part": "train", "loss": "0.9"},
        {"step": "3", "part": "train", "loss": "0.4"},
        {"step": "3", "part": "evaluation", "loss": "0.5"},
    ]
    import pandas as pd

    lines = checkpoints.curve_rows("one", {"dev": items}, verdicts, {"dev": "accuracy"}, log, 2, FEW)
    return pd.DataFrame(lines, columns=list(page.COLUMNS))


def test_the_curve_has_values_paired_differences_and_the_loss_of_its_step(table):
    assert list(zip(table.step, table.value, table.chosen, strict=True)) == [
        (0, 0.25, False),
        (2, 0.9, True),
        (4, 0.6, False),
    ]
    assert table.minus_end.iloc[1] == pytest.approx(0.3) and table.minus_end_low.iloc[1] > 0
    assert math.isnan(table.minus_end.iloc[2])
    assert list(table.loss.fillna(-1)) == [-1, 0.9, 0.4] and list(table.evaluation_loss.fillna(-1)) == [-1, -1, 0.5]
    assert (table.ci_low < table.value).all() and set(table.n) == {20}


def test_page_figure_and_first_page(table):
    ((title, text),) = page.sections(table)
    assert title == "one" and "<b>2</b>" in text and "dev (n = 20)" in text
    (finding,) = page.findings(table, {})
    assert "accuracy on dev is highest at step 2 (0.900 [" in finding.sentences[0]
    assert finding.sentences[0].endswith("Step 2 stands for the expert.")
    figure = FIGURES["checkpoints"](table, {}, ())
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == ["one: dev (n = 20)"]
    assert "checkpoints" in page.TABLE.figures


# ---- a whole training ----


@pytest.mark.slow
def test_a_training_is_judged_along_its_way_and_one_step_is_exported(
    repository, tiny_models, tmp_path, monkeypatch, tools_on_path
):
    """Four steps, kept at every second: judged without export, the chosen one exported; nothing is trained twice."""
    monkeypatch.chdir(repository)
    monkeypatch.syspath_prepend(str(repository / "scripts"))
    from judgemerge.core import models
    from judgemerge.train import experts, exports, runs

    catalogue = load_catalogue(repository / "config/benchmarks.yaml")
    for name, n in (("demo_pairwise_train", 8), ("demo_pairwise_development", 6)):
        write_items(tmp_path / f"{name}.jsonl", load_items(name, catalogue[name], {}, n, 1)[0])
    files.write_json(tmp_path / "left_out.json", {})
    base = str(tiny_models["base"])
    results = experts.Results(*(str(tmp_path / name) for name in ("adapter", "recipe.yaml", "curve.csv")))

    def train():
        experts.train_expert(
            {"train_on": ["demo_pairwise_train"], "checkpoints": {"every": 2}, "settings": {}},
            experts.Data(
                items={"demo_pairwise_train": str(tmp_path / "demo_pairwise_train.jsonl")},
                left_out=str(tmp_path / "left_out.json"),
                templates=experts.load_templates(
                    {"pairwise": "brief_pairwise"}, ["config/prompts/brief_pairwise.yaml"], None
                ),
            ),
            common={"max_steps": 5, "lora_rank": 4, "flash_attn": "sdpa", "learning_rate": 0.05},
            start=runs.Start(base, "base", seed=1, threads=1, work=str(tmp_path / "work")),
            results=results,
        )

    train()
    steps = checkpoints.steps_of(results.adapter, base)
    assert list(steps) == [0, 2, 4, 5]
    digests = {models.adapter_digest(folder) for step, folder in steps.items() if step}
    assert len(digests) == 3, "three different adapters"
    before = files.sha256_file(steps[2] / models.ADAPTER)
    monkeypatch.setattr(runs, "train", lambda *args: pytest.fail("trained again"))
    shutil.rmtree(results.adapter)
    train()
    assert files.sha256_file(checkpoints.steps_of(results.adapter, base)[2] / models.ADAPTER) == before

    asked = checkpoints.Asked(
        development={"demo_pairwise_development": str(tmp_path / "demo_pairwise_development.jsonl")},
        prompts={"pairwise": "brief_pairwise"},
        judging={"dtype": "float32", "batch_tokens": 4096, "max_prompt_tokens": 512},
        sources=str(tmp_path),
        store=str(tmp_path / "store"),
    )
    form = load_yaml(tmp_path / "recipe.yaml")["asked_by"]
    target = str(tmp_path / "verdicts.jsonl")
    checkpoints.judge(asked, results.adapter, base, "base", 1, form, target)
    verdicts = checkpoints.read_verdicts(target)
    assert list(verdicts) == [0, 2, 4, 5] and {
        len(said["demo_pairwise_development"]) for said in verdicts.values()
    } == {12}
    assert len(list((tmp_path / "store").iterdir())) == 4
    (tmp_path / "choice.json").write_text('{"chosen": 2}')
    taken = kept_checkpoints.chosen(results.adapter, [tmp_path / "choice.json"])
    exports.export_expert(taken, results.recipe, base, "base", 1, str(tmp_path / "model"), str(tmp_path / "model.json"))
    manifest = files.read_json(tmp_path / "model.json")
    assert manifest["made_by"]["adapter"] == before
    alike = exports.compare(base, taken, tmp_path / "model", ["Name a fruit."], 1)
    assert alike["difference"] < 1e-4 and alike["moved"] > 0

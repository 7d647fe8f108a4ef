"""Searches: proposals, pruning, choosing, and what a study may ask for."""

import copy
import json
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml
from report_cases import page_of

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.frames import write_table
from judgemerge.core.items import read_verdicts, write_items
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, mean_of
from judgemerge.evaluate.metrics import METRICS, searched_metrics
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.prompting.prompts import load_template
from judgemerge.search import searching, trials
from judgemerge.search.on_benchmarks import OnBenchmark
from judgemerge.search.optimism import optimism
from judgemerge.search.searching import Result
from judgemerge.search.trials_table import trials_table
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import ExpertSearch, MergeSearch
from judgemerge.study.load import load_study
from judgemerge.synthetic import demo_tasks
from judgemerge.train import curves

KEYS = {
    "expert": "e",
    "space": {
        "lora_rank": {"choices": [4, 8, 16]},
        "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "max_steps": {"low": 10, "high": 20, "log": False},
    },
    "rounds": 4, "width": 4, "sampler": "tpe", "seed": 3, "development": "d", "metric": "accuracy",
    "pruning": "median", "pruning_every": 10, "pruning_after": 0,
}  # fmt: skip
SEARCH = ExpertSearch.of(KEYS)
DEFAULT = {"lora_rank": 8, "learning_rate": 1e-3, "max_steps": 15}


def bowl(params):
    """Best at learning rate 3e-3 and rank 16, with a known maximum of 1."""
    used = {**DEFAULT, **params}
    return 1 - 0.2 * abs(math.log10(used["learning_rate"] / 3e-3)) - 0.01 * (16 - used["lora_rank"])


def search_with(search=SEARCH, **changes):
    return ExpertSearch.of(search.plain() | changes)


def result(trial, params, value, state="complete", reports=()):
    return Result(trial, trial // SEARCH.width, params, state, value, 10, 0, list(reports))


def run(search, rounds):
    """The whole search on `bowl`, as the rules run it."""
    results = []
    for number in range(rounds):
        proposed = searching.propose(search, number, results, DEFAULT)
        for trial, params in zip(searching.trial_numbers(search, number), proposed, strict=True):
            results.append(result(trial, params, bowl(params)))
    return results


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_is_decided_by_its_seed_and_its_results(sampler):
    search = search_with(sampler=sampler)
    first, second = run(search, 3), run(search, 3)
    assert json.dumps(first) == json.dumps(second)
    assert json.dumps(run(search_with(search, seed=4), 3)) != json.dumps(first)


def test_results_survive_the_way_through_a_file():
    results = [Result(**json.loads(json.dumps(one.row()))) for one in run(SEARCH, 2)]
    assert results == run(SEARCH, 2)
    assert searching.propose(SEARCH, 2, results, DEFAULT) == searching.propose(SEARCH, 2, run(SEARCH, 2), DEFAULT)


def test_trial_0_is_the_default_and_nothing_is_tried_twice():
    results = run(SEARCH, 4)
    assert results[0].params == {} and len(results) == 16
    tried = [json.dumps({**DEFAULT, **found.params}, sort_keys=True) for found in results]
    assert len(set(tried)) == 16
    for found in results[1:]:
        assert found.params["lora_rank"] in (4, 8, 16)
        assert 1e-4 <= found.params["learning_rate"] <= 1e-2
        assert 10 <= found.params["max_steps"] <= 20 and isinstance(found.params["max_steps"], int)


def test_the_best_is_at_least_the_default_and_the_default_wins_ties():
    results = run(SEARCH, 4)
    assert searching.best(SEARCH, results).value >= results[0].value
    even = [result(0, {}, 0.5), result(1, {"lora_rank": 4}, 0.5), result(2, {}, 0.9, state="pruned")]
    assert searching.best(SEARCH, even).trial == 0
    errors = [result(0, {}, 2.0), result(1, {"lora_rank": 4}, 1.0)]
    assert searching.best(search_with(metric="mae"), errors).trial == 1
    with pytest.raises(JudgemergeError, match="no trial"):
        searching.best(SEARCH, [result(0, {}, float("nan"))])


def test_a_small_space_repeats_itself_rather_than_hanging():
    search = search_with(space={"lora_rank": {"choices": [4, 8]}})
    assert len(searching.propose(search, 0, [], {"lora_rank": 8})) == 4


def test_a_default_outside_of_the_space_is_still_tried():
    results = [result(number, {} if number == 0 else dict(DEFAULT), 0.5) for number in range(4)]
    proposed = searching.propose(SEARCH, 1, results, DEFAULT | {"lora_rank": 64})
    assert len(proposed) == 4 and all(params["lora_rank"] != 64 for params in proposed)


def earlier(values):
    """A first round whose trials reported these values at step 10."""
    return [
        result(number, {} if number == 0 else {**DEFAULT, "max_steps": 10 + number}, value, reports=[[10, value]])
        for number, value in enumerate(values)
    ]


def test_a_trial_below_the_median_is_given_up_and_one_above_goes_on():
    known = earlier([0.5, 0.6, 0.7, 0.8])
    assert searching.Pruner(SEARCH, 1, known, DEFAULT).report(10, 0.64)
    assert not searching.Pruner(SEARCH, 1, known, DEFAULT).report(10, 0.66)
    assert not searching.Pruner(SEARCH, 0, [], DEFAULT).report(10, 0.0)  # the first round knows nothing
    assert not searching.Pruner(search_with(pruning="none"), 1, known, DEFAULT).report(10, 0.0)
    assert not searching.Pruner(search_with(pruning_after=20), 1, known, DEFAULT).report(10, 0.0)
    down = search_with(metric="mae")
    assert searching.Pruner(down, 1, known, DEFAULT).report(10, 0.66)
    assert not searching.Pruner(down, 1, known, DEFAULT).report(10, 0.64)


def test_a_step_counts_once():
    pruner = searching.Pruner(SEARCH, 1, earlier([0.5, 0.6, 0.7, 0.8]), DEFAULT)
    pruner.report(10, 0.9)
    assert not pruner.report(10, 0.1) and pruner.reports == [[10, 0.9]]


def state(*lines):
    return {"log_history": list(lines)}


def test_evaluations_are_reported_from_a_trainer_state(tmp_path):
    known = earlier([0.5, 0.6, 0.7, 0.8])
    logged = state(
        {"step": 5, "loss": 9.0},
        {"step": 10, "eval_loss": 5.0, "eval_rewards/accuracies": 0.3},
        {"step": 12, "train_loss": 1},
    )
    pruner = searching.Pruner(SEARCH, 1, known, DEFAULT)
    output = tmp_path / "checkpoint-10"
    output.mkdir()
    watch = trials.watcher(pruner, minimised=False)
    assert not watch(tmp_path)
    (output / "trainer_state.json").write_text(json.dumps(logged))
    assert watch(tmp_path) and pruner.reports == [[10, 0.3]]
    loss_only = searching.Pruner(SEARCH, 0, [], DEFAULT)
    trials.reports(loss_only, state({"step": 10, "eval_loss": 5.0}), minimised=False)
    assert loss_only.reports == [[10, -5.0]]


def test_settings_are_applied_where_they_belong():
    expert = {"settings": {"lora_rank": 8}, "train_on": ["a"]}
    assert searching.applied(expert, {"lora_rank": 4}, "settings")["settings"] == {"lora_rank": 4}
    assert expert["settings"] == {"lora_rank": 8}
    merge = {"models": {"a": {"weight": 0.5}}, "parameters": {"t": [1, 2]}}
    changed = searching.applied(merge, {"models.a.weight": 0.1, "parameters.t": 0.3})
    assert changed == {"models": {"a": {"weight": 0.1}}, "parameters": {"t": 0.3}}
    assert searching.defaults(merge, ["models.a.weight", "models.b.weight"]) == {"models.a.weight": 0.5}
    settings = {"cutoff_len": 9, "lora_rank": 8}
    assert searching.defaults(settings, ["lora_rank", "cutoff_len", "seed"]) == {"lora_rank": 8, "cutoff_len": 9}


def test_importance_finds_the_parameter_that_matters():
    found = searching.importances(SEARCH, run(SEARCH, 4), DEFAULT)
    assert max(found, key=found.get) == "learning_rate" and sum(found.values()) == pytest.approx(1)
    assert searching.importances(SEARCH, run(SEARCH, 4)[:3], DEFAULT) == {}


def test_metrics_are_those_of_the_tables():
    for protocol, metrics in METRICS.items():
        searched = {name: entry.lower_is_better for name, entry in metrics.items() if "search" in entry.uses}
        assert searched_metrics(protocol) == searched  # read without importing anything
    assert searching.lower_is_better("mae") and searching.lower_is_better("evaluation_loss")
    assert not searching.lower_is_better("kappa")


# ---- several development sets ----

BOTH = {"pairs": "accuracy", "grades": "pearson"}  # which is no headline of the comparisons


def test_several_sets_count_by_the_mean_of_their_metrics():
    assert searching.targets(SEARCH) == {"d": "accuracy"} and searching.label(SEARCH) == "accuracy"
    both = search_with(development=BOTH)
    assert searching.targets(both) == BOTH
    assert searching.label(both) == "mean of accuracy and pearson"
    assert searching.label(search_with(development={"a": "accuracy", "b": "accuracy"})) == "mean accuracy"
    assert not searching.is_minimised(both) and searching.is_minimised(search_with(development={"grades": "mae"}))


def test_the_interval_of_a_mean_adds_up_what_the_sets_do_not_share():
    mean = mean_of([Estimate(0.6, 0.5, 0.8), Estimate(0.4, 0.35, 0.55)])
    assert mean.value == pytest.approx(0.5)
    assert mean.low == pytest.approx(0.5 - math.hypot(0.1, 0.05) / 2)
    assert mean.high == pytest.approx(0.5 + math.hypot(0.2, 0.15) / 2)
    alone = mean_of([Estimate(0.6, 0.5, 0.8)])
    assert (alone.value, alone.low, alone.high) == pytest.approx((0.6, 0.5, 0.8))
    assert math.isnan(mean_of([Estimate(0.6, 0.5, 0.8), UNDEFINED]).value)


@pytest.fixture(scope="module")
def two_trials(repository, tiny_models, tmp_path_factory):
    """Two random models judge pairs and grades by the likelihood of the labels, as trials 0 and 1."""
    folder = tmp_path_factory.mktemp("trials")
    sets = {
        "pairs": demo_tasks.make_items("pairwise", "base", 24, seed=5),
        "grades": demo_tasks.make_items("pointwise", "base", 24, seed=5),
    }
    named = [
        load_template(repository / f"config/prompts/brief_{kind}_choice.yaml") for kind in ("pairwise", "pointwise")
    ]
    templates = {template.protocol: template for template in named}
    found, reported = [], []
    for trial, model in enumerate(("one", "two")):
        backend = Transformers(tiny_models[model], "float32", 4096, 1)
        told: list[tuple[int, float]] = []
        judged = trials.judge(sets, templates, backend, 1024, BOTH, 20, lambda *now, told=told: told.append(now))
        place = folder / f"trial_{trial}"
        place.mkdir()
        found.append(result(trial, {}, None)._replace(**trials.finish(place, sets, judged[0], BOTH)))
        reported.append((told, judged))
    for name, items in sets.items():
        write_items(folder / f"{name}.jsonl", items)
    return folder, sets, found, reported


def test_a_trial_is_judged_on_all_sets_and_reports_on_the_way(two_trials):
    folder, sets, found, reported = two_trials
    told, (verdicts, complete) = reported[0]
    assert complete and [step for step, _ in told] == [20, 40]
    assert {name: len(own) for name, own in verdicts.items()} == {"pairs": 48, "grades": 24}
    alone = [trials.value_of({name: sets[name]}, verdicts, BOTH) for name in BOTH]
    assert found[0].value == pytest.approx(sum(alone) / 2) and found[0].n == 48
    assert found[0].errors == 0 and found[0].value != found[1].value


def test_a_trial_that_is_given_up_ends_there(two_trials, repository, tiny_models):
    _, sets, _, _ = two_trials
    backend = Transformers(tiny_models["one"], "float32", 4096, 1)
    template = load_template(repository / "config/prompts/brief_pairwise_choice.yaml")
    only = {"pairs": sets["pairs"]}
    verdicts, complete = trials.judge(only, {"pairwise": template}, backend, 1024, BOTH, 10, lambda step, value: True)
    assert not complete and len({verdict.item for verdict in verdicts["pairs"]}) == 10


def table_of(two_trials, search, default, results, importances, path):
    """Write both tables of a search as its rule does; return the first one as its page reads it."""
    folder = two_trials[0]
    folders = [str(folder / f"trial_{trial}") for trial in (0, 1)]
    development = {name: str(folder / f"{name}.jsonl") for name in searching.targets(search)}
    table = trials_table(search, default, results, folders, development, Statistics(resamples=300, seed=7))
    write_table(path / "search.csv", table)
    weights = pd.DataFrame(searching.importances(search, results, default).items(), columns=["parameter", "importance"])
    tables = path / "results" / "mine" / "tables"
    write_table(tables / f"{importances}.importance.csv", weights)
    losses = searching.EVALUATION_LOSS in searching.targets(search).values()
    items = {} if losses else {name: two_trials[1][name] for name in development}
    verdicts = {
        name: {trial: list(read_verdicts(trials.verdict_file(folders[trial], name))) for trial in (0, 1)}
        for name in items
    }
    luck = optimism(search, table[table.best].iloc[0], items, verdicts, Statistics(resamples=300, seed=7))
    write_table(tables / f"{importances}.optimism.csv", pd.DataFrame([luck]))
    write_table(tables / f"{importances}.test.csv", pd.DataFrame([], columns=OnBenchmark._fields))
    return pd.read_csv(path / "search.csv")


def test_the_table_has_the_mean_every_set_and_the_difference(two_trials, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    search, results = search_with(development=BOTH), two_trials[2]
    first, second = table_of(two_trials, search, DEFAULT, results, "search_both", tmp_path).to_dict("records")
    for row, trial in ((first, results[0]), (second, results[1])):
        assert row["value"] == pytest.approx((row["pairs.accuracy"] + row["grades.pearson"]) / 2)
        assert row["value"] == pytest.approx(trial.value) and row["ci_low"] < row["value"] < row["ci_high"]
    assert second["difference"] == pytest.approx(second["value"] - first["value"])
    assert second["difference_low"] < second["difference"] < second["difference_high"]
    assert (
        first["pairs.low"] < first["pairs.accuracy"] < first["pairs.high"]
        and first["grades.low"] < first["grades.high"]
    )
    beaten = [
        all(other[name] >= row[name] for name in ("pairs.accuracy", "grades.pearson")) and other["value"] > row["value"]
        for row, other in ((first, second), (second, first))
    ]
    assert [first["non_dominated"], second["non_dominated"]] == [not one for one in beaten]
    page, entry = tmp_path / "search.html", search.plain()
    text = page_of("search", "search_both", tmp_path / "search.csv", page, search="both", entry=entry)
    assert "mean of accuracy and pearson on the development sets pairs and grades" in text
    assert "pairs.accuracy" in text and f"{second['grades.pearson']:.3f}" in text
    assert "Trials that no other one beats" in text and "chosen" in text and "pairs.low" not in text


def test_a_grid_has_its_losses_and_the_published_ones_beside_them(two_trials, tmp_path, monkeypatch):
    (tmp_path / "published.tsv").write_text(
        "# somebody's\nlora_rank\tpref_beta\tevaluation_loss\n16\t0.001\t1.25\n8\t1.0e-3\t1.5\n"
    )
    monkeypatch.chdir(tmp_path)
    losses = zip(two_trials[2], ({}, {"lora_rank": 8, "pref_beta": 0.001}), (1.2, 1.1), strict=True)
    results = [one._replace(params=params, value=loss, evaluation_loss=loss) for one, params, loss in losses]
    loss_of_pairs = {"development": "pairs", "metric": "evaluation_loss"}
    search = search_with(GRID, **loss_of_pairs, published=str(tmp_path / "published.tsv"))
    table = table_of(two_trials, search, CENTRE, results, "search_grid", tmp_path)
    assert list(table["evaluation_loss"]) == list(table["value"]) == [1.2, 1.1]
    assert list(table["published.evaluation_loss"]) == [1.25, 1.5]
    assert list(table["best"]) == [False, True]  # less is better
    page, entry = tmp_path / "search.html", search_with(GRID, **loss_of_pairs).plain()
    text = page_of("search", "search_grid", tmp_path / "search.csv", page, search="grid", entry=entry)
    assert "every combination of the choices once" in text and "published.evaluation_loss" in text


# ---- the study file ----

STUDY = yaml.safe_load(Path("config/studies/orpo.yaml").read_text(encoding="utf-8")) | {"scale": "tiny"}


def changed(path, value):
    settings = copy.deepcopy(STUDY)
    *folders, key = path
    place = settings["scales"]["tiny"]
    for folder in folders:
        place = place.setdefault(folder, {})
    place[key] = value
    return settings


def test_the_study_is_sound_at_both_scales():
    tiny = load_study(STUDY, "orpo.yaml", "config")
    assert tiny.searched == {"settings_best": "settings", "way_best": "way"}
    assert tiny.known_prompts["demo_preferences_development"] == "development of search settings, way"
    full = load_study({key: value for key, value in STUDY.items() if key != "scale"}, "orpo.yaml", "config")
    assert full.experts["orpo_final"].settings["pref_beta"] == 0.001
    assert full.experts["orpo_first"].settings["learning_rate"] == 8e-6


@pytest.mark.parametrize("scale", [{}, {"scale": "tiny"}])
@pytest.mark.parametrize("name", ["meld", "unified", "prometheus", "orpo"])
def test_every_study_that_merges_judges_searches_for_a_merge_and_tests_it(name, scale):
    settings = yaml.safe_load(Path(f"config/studies/{name}.yaml").read_text(encoding="utf-8")) | {"downloads": True}
    study = load_study(settings | scale, f"{name}.yaml", "config")
    found = [search for search, entry in study.searches.items() if isinstance(entry, MergeSearch)]
    assert found and {searching.best_name(search) for search in found} <= set(study.judges)
    if name in ("meld", "prometheus"):  # two skills
        protocols = {study.protocol(own) for search in found for own in searching.targets(study.searches[search])}
        assert protocols == {"pairwise", "pointwise"}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("searches", "settings", "expert"), "orpo_finale", "unknown expert 'orpo_finale'; did you mean 'orpo_final'"),
        (("searches", "settings", "development"), "demo_preferences_test", "which is a benchmark of the suites"),
        (("searches", "settings", "development"), "demo_preferences_train", "learns; take another part"),
        (("searches", "settings", "development"), "nowhere", "unknown development set"),
        (("searches", "settings", "metric"), "accuracy_frist", "did you mean 'accuracy_first'"),
        (
            ("searches", "way", "development"),
            {"demo_pairwise_development": "spearman"},
            "metric 'spearman' is not defined for pairwise item sets; demo_pairwise_development is pairwise",
        ),
        (
            ("searches", "settings", "metric"),
            "accuracy_swapped",
            "metric 'accuracy_swapped' cannot be searched by, as its declaration has no 'search' in uses; did you mean",
        ),
        (("searches", "way", "development"), {"demo_pairwise_development": "acuracy"}, "did you mean 'accuracy'"),
        (("searches", "settings", "space", "lora_rnak"), {"choices": [1, 2]}, "did you mean 'lora_rank'"),
        (("searches", "settings", "space", "lora_rank"), {"choices": [1.5, 2]}, "lora_rank"),
        (
            ("searches", "settings", "space", "learning_rate"),
            {"choices": None, "low": 1e-2, "high": 1e-3, "log": True},
            "low below high",
        ),
        (
            ("searches", "settings", "space", "weight_decay"),
            {"choices": None, "low": 0, "high": 0.1, "log": True},
            "low above 0",
        ),
        (("searches", "way", "space"), {"models.nobody.weight": {"low": 0.1, "high": 0.5}}, "models.nobody.weight"),
        (("searches", "way", "space"), {"parameters.density": {"low": 0.1, "high": 0.5}}, "density"),
        (("experts", "orpo_first", "prompts"), {"pairwise": "brief_pairwise"}, "trains on conversations"),
        (("experts", "orpo_first", "settings", "stage"), "sft", "only stage dpo knows"),
        (("screening", "evaluate_on"), ["demo_preferences_train"], "two parts"),
        (("screening", "bases"), ["layer_2"], "did you mean 'layers_2'"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_job(path, value, said):
    with pytest.raises(JudgemergeError, match=said):
        load_study(changed(path, value), "orpo.yaml", "config")


# ---- curves ----


def test_curves_keep_what_was_logged(tmp_path):
    logged = state(
        {"step": 5, "epoch": 0.1, "loss": 9.0, "sft_loss": 8.9, "odds_ratio_loss": 0.7, "rewards/accuracies": 0.5},
        {"step": 10, "epoch": 0.2, "eval_loss": 5.0, "eval_sft_loss": 4.9, "eval_rewards/accuracies": 0.8},
        {"step": 10, "train_loss": 7.0, "train_runtime": 3},
    )
    assert curves.write(tmp_path / "c.csv", logged) == 2
    assert (tmp_path / "c.csv").read_text().splitlines() == [
        "step,epoch,part,loss,nll,odds_ratio_loss,reward_accuracy",
        "5,0.1,train,9.0,8.9,0.7,0.5",
        "10,0.2,evaluation,5.0,4.9,,0.8",
    ]
    with pytest.raises(JudgemergeError, match="left no log"):
        curves.state_of(tmp_path)


# ---- grids, patience, published trials ----

GRID = search_with(
    space={"lora_rank": {"choices": [8, 16]}, "pref_beta": {"choices": [0.001, 0.01, 0.1]}},
    sampler="grid", rounds=2, width=3, pruning="none",
)  # fmt: skip
CENTRE = {"lora_rank": 16, "pref_beta": 0.001}


def test_a_grid_is_run_through_once_the_default_first():
    rounds = [searching.propose(GRID, number, [], CENTRE) for number in range(2)]
    assert rounds[0][0] == {} and [len(one) for one in rounds] == [3, 3]
    tried = [{**CENTRE, **params} for one in rounds for params in one]
    assert len({tuple(params.items()) for params in tried}) == 6
    assert {params["pref_beta"] for params in tried} == {0.001, 0.01, 0.1}


def orpo_with(**changes):
    study = copy.deepcopy({key: value for key, value in STUDY.items() if key != "scale"})
    study["searches"]["settings"] |= changes
    return study


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": 8}, "the grid has 108 points, but rounds × width is 96; make them equal"),
        ({"space": {"lora_rank": {"low": 8, "high": 16}}}, "space.lora_rank is a span; give it choices"),
        ({"space": {"lora_rank": {"choices": [4, 8]}}}, "is no point of it; add its values"),
        ({"published": "config/published/orpo_gird.tsv"}, "which is no file"),
        (
            {"space": {"lora_dropout": {"choices": [0, 0.1]}}, "rounds": 1, "width": 2},
            "orpo_grid.tsv has no column 'lora_dropout'",
        ),
        ({"pruning": "median"}, "has patience and pruning"),
        ({"patience": None}, "metric evaluation_loss needs patience or pruning"),
        ({"metric": "evaluation_los"}, "did you mean 'evaluation_loss'"),
    ],
)
def test_a_grid_that_is_not_whole_is_refused(changes, said):
    study = orpo_with(**changes)
    study["searches"]["settings"] = {k: v for k, v in study["searches"]["settings"].items() if v is not None}
    with pytest.raises(JudgemergeError) as error:
        load_study(study, "orpo.yaml", "config")
    assert said in str(error.value)


def test_the_study_runs_the_published_grid_and_quotes_each_of_its_trials():
    study = load_study(orpo_with(), "orpo.yaml", "config")
    search, default = study.searches["settings"], study.search_default("settings")
    published = searching.read_published(search.published)
    found = [
        searching.published_row(published, {**default, **params}) for params in searching.grid(search.space, default)
    ]
    assert len(published) == len(found) == 108 and all(found)
    # The final choice of the published search, its lowest loss, is trial 0.
    assert found[0]["evaluation_loss"] == min(row["evaluation_loss"] for row in published) == 1.111952
    assert searching.published_row(published, {**default, "pref_beta": 0.5}) == {}


def test_the_published_grid_is_that_of_the_repository(mirror):
    folder = next(Path(mirror).glob("AMomozZz/*/*/Llama-3.2-1B-Instruct_evaluation_results/3000+es"))
    published = searching.read_published("config/published/orpo_grid.tsv")
    names = ("lora_rank", "lora_alpha", "learning_rate", "weight_decay", "pref_beta")
    assert len(list(folder.glob("*.json"))) == len(published) == 108
    for row in published:
        key = ", ".join(f"{row[name]:g}" for name in names)
        source = json.loads((folder / f"({key}).json").read_text())
        assert row["evaluation_loss"] == pytest.approx(source["eval_loss"], abs=1e-6)
        assert row["reward_accuracy"] == pytest.approx(source["eval_rewards/accuracies"], abs=1e-4)
        assert row["steps"] == pytest.approx(source["epoch"] * 15249 / 8, abs=1)


def test_the_lowest_evaluation_loss_is_what_a_trial_is_worth():
    history = [{"step": step, "eval_loss": loss} for step, loss in ((50, 2.0), (100, 1.5), (150, 1.7))]
    assert trials.lowest_loss({"log_history": [{"step": 10, "loss": 0.1}, *history]}) == 1.5
    assert math.isnan(trials.lowest_loss({"log_history": []}))
    losses = [result(0, {}, 1.5), result(1, {}, 1.4), result(2, {}, 1.6)]
    assert searching.best(search_with(GRID, metric="evaluation_loss"), losses).trial == 1

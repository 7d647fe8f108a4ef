"""Cross-checks of a study against the real catalogues, and the questions that rules ask about it."""

import datetime
import shutil

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.report.tables import TABLES
from judgemerge.study.load import load_study
from judgemerge.train.plan import TrainingPlan

PROMPTS = {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}
AVERAGE = {"method": "linear", "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}}
LABELS = {"people": "alttest_wax_people", "judges": "alttest_wax_judges", "labels": "classes"}
TASKS = {
    "method": "ties",
    "base": "start",
    "models": {"one": {"weight": 0.5, "density": 0.5}, "two": {"weight": 0.5, "density": 0.5}},
}


def small(**changes):
    """Return a study of one model, two experts, one merge and two suites, with these keys changed (None: left out)."""
    settings = {
        "study": "small",
        "models": {"start": {"path": "start"}},
        "base": "start",
        "experts": {"one": {"train_on": ["demo_pairwise_train"]}, "two": {"train_on": ["demo_pointwise_train"]}},
        "merges": {"average": AVERAGE},
        "suites": {
            "made": {"benchmarks": ["demo_pairwise", "demo_pointwise"]},
            "real": {"benchmarks": ["pandalm", "autoj_pairwise"], "optional": True},
        },
        "judges": ["start", "average", "longer", "pandalm_7b"],
        "judging": {"prompts": PROMPTS},
        **changes,
    }
    return {key: value for key, value in settings.items() if value is not None}


@pytest.fixture(scope="module")
def study(repository):
    def load(**changes):
        return load_study(small(**changes), "study.yaml", repository / "config")

    return load


REFUSED = {
    "recorded judge of other benchmarks": (
        {"judges": ["longer", "gpt4_mtbench"]},
        "judge 'gpt4_mtbench' has verdicts on no benchmark of the suites; it has some on mtbench_human",
    ),
    "unknown set to look for": (
        {"overlap": {"also": ["vicuna_question"]}},
        "overlap.also names the unknown item set 'vicuna_question'; did you mean 'vicuna_questions'?",
    ),
    "prompts alone as a benchmark": (
        {"suites": {"made": {"benchmarks": ["vicuna_questions"]}}},
        "suites.made.benchmarks names 'vicuna_questions', prompts without truth; put it in overlap.also",
    ),
    "prompts alone for training": (
        {"experts": {"one": {"train_on": ["vicuna_questions"]}}, "merges": {}, "judges": ["one"]},
        "experts.one.train_on names 'vicuna_questions', prompts without truth; put it in overlap.also",
    ),
    "unknown benchmark": (
        {"suites": {"made": {"benchmarks": ["pandaml"]}}},
        "suites.made.benchmarks names the unknown benchmark 'pandaml'; did you mean 'pandalm'?",
    ),
    "unknown judge": ({"judges": ["longr"]}, "judges names the unknown judge 'longr'; did you mean 'longer'?"),
    "unknown base": ({"base": "strat"}, "'base' names the unknown model 'strat'; did you mean 'start'?"),
    "base is an expert": ({"base": "one"}, "'base' names the unknown model 'one'; known: start"),
    "no base": ({"base": None}, "key 'base' is missing; experts are trained from it"),
    "unknown item set": (
        {"experts": {"one": {"train_on": ["demo_pairwise_trian"]}}, "merges": {}, "judges": ["one"]},
        "experts.one.train_on names the unknown item set 'demo_pairwise_trian'; did you mean 'demo_pairwise_train'?",
    ),
    "unknown item set of a stage": (
        {"models": {"start": {"make": {"stages": [{"data": ["demo_pairwise_bas"], "settings": {}}]}}}},
        "a pretraining stage names the unknown item set 'demo_pairwise_bas'; did you mean 'demo_pairwise_base'?",
    ),
    "unknown merge parent": (
        {"merges": {"average": {"method": "linear", "models": {"oen": {"weight": 1}}}}},
        "merge 'average' names model 'oen'; did you mean 'one'?",
    ),
    "unknown prompt": (
        {"judging": {"prompts": {"pairwise": "brief_pairwis", "pointwise": "brief_pointwise"}}},
        "experts.one uses the unknown pairwise prompt 'brief_pairwis'; did you mean 'brief_pairwise'?",
    ),
    "prompt of the other protocol": (
        {"judging": {"prompts": {"pairwise": "brief_pointwise", "pointwise": "brief_pointwise"}}},
        "experts.one uses prompt 'brief_pointwise' for pairwise items; it is pointwise",
    ),
    "expert without prompt": (
        {"judging": {"prompts": {"pairwise": "brief_pairwise"}}},
        "experts.two has no pointwise prompt; set judging.prompts.pointwise",
    ),
    "stage without prompt": (
        {
            "models": {"start": {"make": {"stages": [{"data": ["demo_pointwise_base"], "settings": {}}]}}},
            "experts": {},
            "merges": {},
            "judges": ["start"],
            "judging": {"prompts": {"pairwise": "brief_pairwise"}},
        },
        "pretraining of 'start' has no pointwise prompt; set judging.prompts.pointwise",
    ),
    "judge without prompt": (
        {"experts": {}, "merges": {}, "judges": ["start"], "judging": {}},
        "judge 'start' has no prompt for any benchmark; set judging.prompts",
    ),
    "unknown prompt of one judge": (
        {"judging": {"prompts": PROMPTS, "judges": {"average": {"pairwise": "brief"}}}},
        "judging, judge 'average' uses the unknown pairwise prompt 'brief'",
    ),
    "prompt of an unknown judge": (
        {"judging": {"prompts": PROMPTS, "judges": {"avrage": {"pairwise": "brief_pairwise"}}}},
        "judging.judges names the unknown judge 'avrage'; did you mean 'average'?",
    ),
    "prompt of a baseline": (
        {"judging": {"prompts": PROMPTS, "judges": {"longer": {"pairwise": "brief_pairwise"}}}},
        "judging.judges names the unknown judge 'longer'",
    ),
    "model and expert of one name": (
        {"models": {"start": {"path": "a"}, "one": {"path": "b"}}},
        "'one' stands in models and in experts; rename one",
    ),
    "expert and merge of one name": (
        {"merges": {"one": AVERAGE}},
        "'one' stands in experts and in merges; rename one",
    ),
    "name of a baseline": (
        {"models": {"start": {"path": "a"}, "random": {"path": "b"}}},
        "models.random has the name of a baseline or recorded judge; rename it",
    ),
    "name of a recorded judge": (
        {"merges": {"pandalm_7b": AVERAGE}},
        "merges.pandalm_7b has the name of a baseline or recorded judge; rename it",
    ),
    "circle of merges": (
        {
            "merges": {
                "left": {"method": "linear", "models": {"one": {"weight": 0.5}, "right": {"weight": 0.5}}},
                "right": {"method": "linear", "models": {"two": {"weight": 0.5}, "left": {"weight": 0.5}}},
            },
            "judges": ["left"],
        },
        "merges need each other in a circle (left → right → left); break it",
    ),
    "merge of itself": (
        {"merges": {"average": {"method": "linear", "models": {"average": {"weight": 1}}}}},
        "merges need each other in a circle (average → average); break it",
    ),
    "panel of label files with the name of a benchmark": (
        {"replaceability": {"panels": {"pandalm": LABELS}}},
        "replaceability.panels.pandalm has the name of a benchmark; rename it",
    ),
    "panel without its file": (
        {"replaceability": {"panels": {"mine": {**LABELS, "judges": "alttest_wax_judge"}}}},
        "replaceability.panels.mine: judges is 'alttest_wax_judge', neither a key of config/sources.yaml nor a "
        "file; did you mean 'alttest_wax_judges'?",
    ),
    "epsilon of what is not there": (
        {"replaceability": {"panels": {"mine": LABELS}, "epsilon": {"mnie": 0.1}}},
        "replaceability.epsilon names the unknown benchmark or panel 'mnie'; did you mean 'mine'?",
    ),
    "benchmark in two suites": (
        {"suites": {"a": {"benchmarks": ["pandalm"]}, "b": {"benchmarks": ["pandalm"]}}},
        "benchmark 'pandalm' stands twice (suites.a, suites.b); keep one",
    ),
    "development set that is a benchmark": (
        {
            "suites": {
                "a": {"benchmarks": ["pandalm"]},
                "b": {"benchmarks": ["autoj_pairwise"], "development": ["pandalm"]},
            }
        },
        "suites.b.development names 'pandalm', which is a benchmark of the suites; what was fitted on a set cannot be "
        "tested on it: take another part of the data",
    ),
    "development set with rows of a benchmark": (
        {"suites": {"a": {"benchmarks": ["trust_or_escalate"], "development": ["trust_or_escalate_development"]}}},
        "suites.a.development names 'trust_or_escalate_development', which is of the rows of 'trust_or_escalate'; what "
        "was fitted on a set cannot be tested on it: take another part of the data",
    ),
    "development set that a model learns": (
        {"suites": {"a": {"benchmarks": ["pandalm"], "development": ["demo_pairwise_train"]}}},
        "suites.a.development names 'demo_pairwise_train', which expert one learns; take another part of the data",
    ),
    "development set in two suites": (
        {
            "suites": {
                "a": {"benchmarks": ["pandalm"], "development": ["demo_pairwise_development"]},
                "b": {"benchmarks": ["autoj_pairwise"], "development": ["demo_pairwise_development"]},
            }
        },
        "development set 'demo_pairwise_development' stands twice (suites.a, suites.b); keep one, and put benchmarks "
        "that share it into one suite",
    ),
    "unknown development set": (
        {"suites": {"a": {"benchmarks": ["pandalm"], "development": ["demo_pairwise_developmen"]}}},
        "suites.a.development names the unknown item set 'demo_pairwise_developmen'; did you mean "
        "'demo_pairwise_development'?",
    ),
    "benchmark twice in a suite": (
        {"suites": {"a": {"benchmarks": ["pandalm", "pandalm"]}}},
        "benchmark 'pandalm' stands twice (suites.a, suites.a); keep one",
    ),
}


def test_labels_stay_apart_where_one_reads_like_a_label_told_apart(repository):
    labels = {"start": "L", "average": "L", "longer": "L (start)"}
    shown = load_study(small(display={"labels": labels}), "small.yaml", repository / "config").labels
    assert len(set(shown.values())) == len(shown)


def test_judges_that_are_asked_have_prompts_by_protocol(repository):
    own = {"average": {"pairwise": "autoj_pairwise_published"}}
    asked = load_study(
        small(judging={"prompts": PROMPTS, "judges": own}, pairs_from_grades={"judges": ["start"], "suites": ["made"]}),
        "small.yaml",
        repository / "config",
    ).asked_prompts
    assert asked == {
        "start": PROMPTS,
        "average": PROMPTS | own["average"],
        "start_from_grades": {"pairwise": "brief_pointwise"},
    }


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_is_refused_in_one_sentence(study, changes, sentence):
    with pytest.raises(JudgemergeError) as caught:
        study(**changes)
    assert str(caught.value).startswith(f"study.yaml: {sentence}")
    assert "\n" not in str(caught.value)


def test_optional_suites_run_when_raw_files_can_be_had(study):
    offline = study()
    assert offline.suites == {"made": ["demo_pairwise", "demo_pointwise"]}
    assert offline.left_out_suites == ["real"]
    assert offline.benchmarks == ["demo_pairwise", "demo_pointwise"]
    assert "pandalm" in offline.item_sets
    for changes in ({"mirror": "somewhere"}, {"downloads": True}):
        online = study(**changes)
        assert online.benchmarks == ["demo_pairwise", "demo_pointwise", "pandalm", "autoj_pairwise"]
        assert online.left_out_suites == []


def test_item_sets_are_benchmarks_and_training_sets_once_each(study):
    stage = {"data": ["demo_pairwise_train", "demo_pairwise_base"], "settings": {}}
    made = study(models={"start": {"make": {"stages": [{"data": "corpus", "settings": {}}, stage]}}})
    assert made.item_sets == [
        "demo_pairwise",
        "demo_pointwise",
        "pandalm",
        "autoj_pairwise",
        "demo_pairwise_train",
        "demo_pointwise_train",
        "demo_pairwise_base",
    ]


def test_judges_of_a_benchmark_are_those_with_a_verdict(study):
    both = study()
    assert both.judges_of("demo_pointwise") == ["start", "average", "longer"]
    assert both.judges_of("pandalm") == ["start", "average", "longer", "pandalm_7b"]
    assert both.judges_of("autoj_pairwise") == ["start", "average", "longer"]
    assert [both.kind(judge) for judge in both.judges] == ["model", "model", "baseline", "recorded"]
    assert both.labels["pandalm_7b"] == "PandaLM-7B"
    assert both.catalogues.recorded["pandalm_7b"].sources("pandalm") == {"verdicts": "pandalm_pandalm7b"}


def test_a_judge_owns_what_it_was_made_from(study):
    hub = study(models={"start": {"repo": "owner/some-model", "revision": "0" * 40}})
    assert hub.own_models("start") == ["start", "owner/some-model", "some-model"]
    assert hub.own_models("one") == ["one", "start", "owner/some-model", "some-model"]
    assert hub.own_models("average") == ["average", "one", "start", "owner/some-model", "some-model", "two"]
    assert study().own_models("start") == ["start"]
    assert study().own_models("pandalm_7b") == ["llama-7b"]
    assert study().own_models("longer") == []


def test_a_judge_without_prompt_for_a_protocol_leaves_it_out(study):
    alone = study(
        experts={}, merges={}, judges=["start", "longer"], judging={"prompts": {"pairwise": "brief_pairwise"}}
    )
    assert alone.judges_of("demo_pointwise") == ["longer"]
    assert alone.benchmarks_of("start", "made") == ["demo_pairwise"]
    assert alone.prompts_of("start", "made") == {"pairwise": "brief_pairwise"}


def test_prompts_of_single_judges_and_experts_win(study, repository):
    own = study(
        judging={"judges": {"average": {"pairwise": "brief_pairwise"}}},
        experts={
            "one": {"train_on": ["demo_pairwise_train"], "prompts": {"pairwise": "brief_pairwise"}},
            "two": {"train_on": ["demo_pointwise_train"], "prompts": {"pointwise": "brief_pointwise"}},
        },
        judges=["average", "longer"],
    )
    assert own.prompt("average", "pairwise") == "brief_pairwise"
    assert own.prompt("average", "pointwise") is None
    assert own.prompt("start", "pairwise") is None
    assert own.training_prompts("two") == {"pointwise": "brief_pointwise"}


def test_a_benchmark_knows_its_suite_protocol_and_files(study):
    plain = study()
    assert plain.suite_of("autoj_pairwise") == "real"
    assert (plain.protocol("demo_pairwise"), plain.protocol("demo_pointwise")) == ("pairwise", "pointwise")
    assert plain.benchmark_sources("pandalm") == {"rows": "pandalm_testset"}
    assert plain.benchmark_sources("demo_pairwise") == {}


def test_parents_come_once_each_with_the_base_first(study):
    curve = {"method": "slerp", "base": "two", "models": {"one": {}, "two": {}}, "parameters": {"t": 0.5}}
    merges = study(merges={"average": AVERAGE, "tasks": TASKS, "curve": curve})
    assert merges.parents("average") == ["one", "two"]
    assert merges.parents("tasks") == ["start", "one", "two"]
    assert merges.parents("curve") == ["two", "one"]
    assert merges.models_by_origin("path") == ["start"]
    assert merges.models_by_origin("make") == []


def test_a_merge_may_be_the_parent_of_another(study):
    stacked = {"method": "linear", "models": {"average": {"weight": 0.5}, "start": {"weight": 0.5}}}
    assert study(merges={"average": AVERAGE, "stacked": stacked}).parents("stacked") == ["average", "start"]


def test_the_demo_is_a_valid_study(repository):
    from judgemerge.core.catalogues import load_yaml

    demo = load_study(load_yaml(repository / "config" / "config.yaml"), "config/config.yaml", repository / "config")
    assert demo.name == "demo"
    assert {demo.protocol(benchmark) for benchmark in demo.benchmarks} == {"pairwise", "pointwise"}
    assert len(demo.left_out_suites) == 1
    models = {judge for judge in demo.judges if demo.kind(judge) == "model"}
    assert models == demo.model_names
    for benchmark in demo.benchmarks:
        assert {*models, "longer", "random", "majority"} == set(demo.judges_of(benchmark))


# ---- overlap, raw files ----


def test_training_sets_are_looked_for_in_every_benchmark_that_is_run(study):
    small = study(overlap={"also": ["vicuna_questions", "demo_pairwise"]})
    assert small.known_prompts == {
        "vicuna_questions": "overlap.also",
        "demo_pairwise": "overlap.also",
        "demo_pairwise_train": "expert one",
        "demo_pointwise_train": "expert two",
    }
    assert len(small.overlap_pairs) == 4 * 2 - 1
    assert ("demo_pairwise", "demo_pairwise") not in small.overlap_pairs
    assert "vicuna_questions" in small.source_keys and "pandalm_testset" not in small.source_keys
    assert {"vicuna_questions", "pandalm"} <= set(small.item_sets)


def test_label_files_are_raw_files_of_the_study(study):
    own = study(replaceability={"panels": {"mine": {**LABELS, "judges": __file__}}})
    assert "alttest_wax_people" in own.source_keys and __file__ in own.local_files
    table = TABLES.load("replaceability").TABLE
    assert table.parameters(own)["panels"] == {
        "mine": {"people": "results/small/sources/alttest_wax_people", "judges": __file__, "are_grades": False}
    }
    assert {"results/small/sources/alttest_wax_people", __file__} <= set(table.inputs(own).files)


def test_a_set_that_several_models_are_trained_on_names_them(study):
    stages = [{"data": ["demo_pairwise_train"], "settings": {}}, {"data": "corpus", "settings": {}}]
    small = study(models={"start": {"make": {"stages": stages}}})
    assert small.training_sets["demo_pairwise_train"] == ["expert one", "pretraining of start"]


def test_nothing_to_look_for(study):
    bare = study(models={}, base=None, experts={}, merges={}, judges=["longer"])
    assert (bare.overlap_pairs, bare.overlap_sets, bare.known_prompts) == ([], [], {})


def test_raw_files_may_be_given_by_their_path(repository, tmp_path, data):
    config = tmp_path / "config"
    shutil.copytree(repository / "config", config)
    text = (
        "mine: {{adapter: jsonl, protocol: pairwise, description: x, truth: label, sources: {{rows: {path}}}, "
        "options: {{fields: {{prompt: question, responses: [answer_a, answer_b], label: winner}}}}}}\n"
    )
    with open(config / "benchmarks.yaml", "a", encoding="utf-8") as file:
        file.write(text.format(path=data / "own_pairs.jsonl"))
    settings = small(suites={"made": {"benchmarks": ["mine"]}}, judges=["start", "longer"])
    study = load_study(settings, "study.yaml", config)
    assert study.local_files == [str(data / "own_pairs.jsonl")]
    (config / "benchmarks.yaml").write_text(text.format(path="own_pears.jsonl"), encoding="utf-8")
    with pytest.raises(
        JudgemergeError, match="mine: rows is 'own_pears.jsonl', neither a key .* nor a file; correct it"
    ):
        load_study(
            small(suites={"made": {"benchmarks": ["mine"]}}, experts={}, merges={}, judges=["longer"]), "s", config
        )


def test_parents_in_folders_of_this_machine_are_compared_in_the_plan(study, tmp_path, tiny_models):
    import json

    folders = {name: shutil.copytree(tiny_models[name], tmp_path / name) for name in ("one", "two")}
    config = json.loads((folders["two"] / "config.json").read_text(encoding="utf-8"))
    (folders["two"] / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.01}), encoding="utf-8")
    found = {
        "models": {name: {"path": str(folder)} for name, folder in folders.items()},
        "experts": {},
        "base": None,
        "judges": ["average"],
    }
    with pytest.raises(
        JudgemergeError, match="^study.yaml: merge 'average': .*'rms_norm_eps' is 0.01, but 1e-0[56] in "
    ):
        study(**found)
    allowed = study(**found, merges={"average": {**AVERAGE, "allow": ["rms_norm_eps"]}})
    assert allowed.allowed_differences("average") == ["rms_norm_eps"]
    (folders["two"] / "config.json").write_text(json.dumps(config), encoding="utf-8")
    study(**found)
    tokenizer = json.loads((folders["two"] / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["added_tokens"][0]["content"] = "<|moved|>"
    (folders["two"] / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(JudgemergeError, match="merge 'average': .*two/tokenizer.json: .*first difference"):
        study(**found)


def test_an_architecture_that_mergekit_does_not_merge_is_refused_in_the_plan(study, tmp_path, tiny_models):
    pytest.importorskip("mergekit")
    import json

    folder = shutil.copytree(tiny_models["one"], tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    changed = {**config, "model_type": "bert", "architectures": ["BertModel"]}
    (folder / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    found = {"models": {"start": {"path": str(folder)}}}
    with pytest.raises(JudgemergeError, match="merge 'average': .* cannot merge this model .*set `engine: streamed`"):
        study(**found)
    study(**found, merges={"average": {**AVERAGE, "engine": "streamed"}})


# ---- how models are asked ----


@pytest.fixture
def bare(tmp_path):
    """Return the folder of a model whose tokenizer has no chat template."""
    (tmp_path / "tokenizer_config.json").write_text("{}")
    return str(tmp_path)


def test_a_model_in_a_folder_without_a_chat_template_is_refused_in_the_plan_unless_the_study_names_one(study, bare):
    start = {"models": {"start": {"path": bare}}, "training": {"template": "default"}}
    with pytest.raises(JudgemergeError, match=r"study.yaml: 'start' is asked, but .* has no chat template; say with"):
        study(**start)
    with pytest.raises(JudgemergeError, match=r"experts.one has no settings.template, and its base 'start'"):
        study(models=start["models"], judges=["longer"])
    named = study(models={"start": {"path": bare, "chat_template": "gemma"}})
    assert {named.chat(name)["chat_template"] for name in ("start", "one", "average")} == {"gemma"}
    assert "<start_of_turn>" in named.model_template("start")
    own = study(**start, judging={"prompts": PROMPTS, "judges": {"start": {"chat_template": "none"}}})
    assert own.chat("start")["chat_template"] == "none" and own.chat("one") == {} == study().chat("start")
    assert own.model_template("start") is None and own.chat_templates == ["none"]
    # A base that is a judge, too, and asked in a form of its own leaves the trainings on it as they are.
    assert own.chat_in_training("start") == {} and named.chat_in_training("start") == named.chat("start")
    assert TrainingPlan(own).common("one") == TrainingPlan(
        study(**start, judging={"prompts": PROMPTS}, judges=["one"])
    ).common("one")


def test_arguments_and_date_of_templates_are_checked_and_handed_down(study, repository):
    thinking = {"start": {"path": "start", "template_arguments": {"enable_thinking": False}}}
    found = study(models=thinking, quantizations={"q": {"model": "average", "type": "F16"}}, date="2025-01-31")
    assert found.chat("q") == {"date": "2025-01-31", "template_arguments": {"enable_thinking": False}}
    as_yaml = small(date=datetime.date(2025, 1, 31))
    assert load_study(as_yaml, "study.yaml", repository / "config").settings.date == "2025-01-31"
    for changes, sentence in (
        ({"models": {"start": {"path": "start", "chat_template": "gema"}}}, "models.start.chat_template is 'gema'"),
        (
            {"models": {"start": {"path": "start", "template_arguments": {"tools": []}}}},
            "judgemerge itself gives 'tools'",
        ),
        ({"date": "2025-02-31"}, "date is '2025-02-31', no date; write it as 2024-07-26"),
    ):
        with pytest.raises(JudgemergeError, match=sentence):
            study(**changes)

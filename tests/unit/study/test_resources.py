"""What jobs ask for: sizes of models, memory, time and GPUs; the plan and the costs for people."""

import json
from types import SimpleNamespace

import pytest

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.models import size_on_disk
from judgemerge.settings.models import Tiny
from judgemerge.study import progress, resources
from judgemerge.study.costs import costs
from judgemerge.study.layout import Layout
from judgemerge.study.load import load_study
from judgemerge.study.plan import Request, gpus_asked, plan_lines
from judgemerge.study.resources import Gpus, Needs, Size
from judgemerge.synthetic import tiny

LLAMA = {
    "study": "big",
    "threads": 8,
    "models": {"llama": {"repo": "meta-llama/Llama-3.1-8B", "revision": "0" * 40, "size_gb": 16}},
    "base": "llama",
    "training": {"cutoff_len": 2048, "per_device_train_batch_size": 4},
    "experts": {
        "one": {"train_on": ["demo_pairwise_train"]},
        "two": {"train_on": ["demo_pointwise_train"], "settings": {"finetuning_type": "full"}},
    },
    "merges": {
        "wide": {"method": "linear", "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}}},
        "half": {
            "method": "linear",
            "models": {"one": {"weight": 0.5}, "two": {"weight": 0.5}},
            "dtype": "bfloat16",
        },
    },
    "suites": {"demo": {"benchmarks": ["demo_pairwise"]}, "grades": {"benchmarks": ["demo_pointwise"]}},
    "judges": ["llama", "wide", "half"],
    "judging": {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}},
}


class Asking(dict):
    """Resources as the plugin reads them: by key and by attribute."""

    __getattr__ = dict.__getitem__


@pytest.fixture
def needs(repository):
    """Return a function: a study's needs, with keys changed and sizes of models known."""

    def build(known=None, **changes):
        study = load_study({**LLAMA, **changes}, "big.yaml", repository / "config")
        return Needs(study, (known or {}).get)

    return build


def test_the_size_of_a_made_model_is_what_is_written(tmp_path):
    texts = [f"word{i} and another word {i * i}" for i in range(3000)]
    make = {"hidden_size": 256, "intermediate_size": 512, "layers": 3, "heads": 4, "kv_heads": 2, "vocabulary": 512}
    n_parameters = tiny.make_base(tmp_path / "made", texts, 0, hidden=256, intermediate=512, layers=3, vocab_size=512)
    size = resources.made_size(Tiny(**make))
    assert size.parameters == n_parameters
    n_bytes, counted = size_on_disk(tmp_path / "none.json", tmp_path / "made")
    assert counted == n_parameters
    assert size.bytes == pytest.approx(n_bytes, rel=0.01)


def test_a_model_that_is_nowhere_has_no_size(tmp_path):
    assert size_on_disk(tmp_path / "a.json") is None
    assert size_on_disk(tmp_path / "a.json", tmp_path) is None


def test_a_manifest_that_was_written_again_is_read_again(tmp_path):
    manifest = tmp_path / "a.json"
    for size in ({"bytes": 4, "parameters": 2}, {"bytes": 400, "parameters": 200}):
        manifest.write_text(json.dumps(size))
        assert size_on_disk(manifest) == size_on_disk(manifest) == (size["bytes"], size["parameters"])


def test_sizes_come_from_files_then_from_the_study_then_from_parents(needs):
    said = needs()
    assert said.size("llama") == said.size("one") == Size(16e9, 8e9)
    assert said.size("wide") == Size(32e9, 8e9)  # a merge is written in float32 unless it says otherwise
    assert said.size("half") == Size(16e9, 8e9)
    found = needs(known={"llama": Size(2e9, 1e9), "half": Size(5e9, 1e9)})
    assert found.size("wide") == Size(4e9, 1e9)
    assert found.size("half") == Size(5e9, 1e9)
    silent = needs(models={"llama": {"repo": "a/b", "revision": "0" * 40}})
    assert silent.size("llama").gb == resources.UNKNOWN_GB


def test_scoring_asks_for_what_its_items_and_resamples_take(needs):
    few = needs().score("demo_pairwise")
    assert (few.mem_mb, few.runtime) == (2000, 21) and few.expected < few.runtime
    many = needs()
    many.study.catalogues.benchmarks["demo_pointwise"]["expected"] = {"items": 100_000}
    assert many.score("demo_pointwise").mem_mb > 2e-6 * 10_000 * 100_000
    assert many.score("demo_pointwise").runtime > 60


def test_needs_grow_with_the_model(needs):
    small, large = (needs(known={"llama": Size(n * 2e9, n * 1e9)}) for n in (1, 8))
    for step, *names in (("train", "one"), ("export", "one"), ("merge", "wide"), ("judge", "wide", "demo")):
        before, after = getattr(small, step)(*names), getattr(large, step)(*names)
        assert after.mem_mb > before.mem_mb and after.runtime > before.runtime, step


def test_an_8b_model_gets_what_it_takes(needs):
    on_gpu = needs(gpus=1)
    assert 32_000 <= on_gpu.train("one").mem_mb <= 48_000  # 16 GB read into memory once, with room
    assert 2 * 60 <= on_gpu.train("one").runtime <= 12 * 60
    assert 40_000 <= on_gpu.export("one").mem_mb <= 64_000
    assert 40_000 <= on_gpu.merge("wide").mem_mb <= 64_000
    assert on_gpu.merge("half").mem_mb < on_gpu.merge("wide").mem_mb
    assert 20_000 <= on_gpu.judge("half", "demo").mem_mb <= 32_000
    assert on_gpu.judge("half", "demo").runtime < 60


def test_gpus_shorten_and_processes_add_memory(needs):
    one, four = needs(gpus=1).train("one"), needs(gpus=4).train("one")
    assert four.runtime < one.runtime
    assert four.mem_mb == one.mem_mb + 3 * resources.TRAINING_MB
    cpu = needs()
    assert cpu.train("two").mem_mb > cpu.train("one").mem_mb  # all weights are trained
    assert cpu.train("one").runtime > one.runtime


def test_a_second_node_shortens_the_time_and_has_memory_of_its_own(needs):
    one, two = needs(gpus=4).train("one"), needs(gpus=4, nodes=2).train("one")
    assert two.runtime < one.runtime and two.mem_mb == one.mem_mb
    assert needs(nodes=2).train("one").runtime < needs().train("one").runtime


def test_limits_of_the_training_shorten_it(needs):
    plain = needs(gpus=1).train("one").runtime
    assert needs(gpus=1, training={**LLAMA["training"], "max_steps": 10}).train("one").runtime < plain
    assert needs(gpus=1, training={**LLAMA["training"], "max_samples": 10}).train("one").runtime < plain


def test_the_demo_fits_a_partition_of_one_hour(repository):
    study = load_study(load_yaml(repository / "config" / "config.yaml"), "config.yaml", repository / "config")
    needs = Needs(study, lambda model: None)
    demo = [
        needs.make("tiny"),
        *map(needs.train, study.experts),
        *map(needs.export, study.experts),
        *map(needs.merge, study.merges),
        *(needs.judge(judge, "demo") for judge in study.judges if study.kind(judge) == "model"),
    ]
    assert all(need.runtime <= 30 and 500 <= need.mem_mb <= 4000 for need in demo), demo


@pytest.mark.parametrize(
    ("n", "asked"),
    [
        (0, Gpus(make_model=0, train_expert=0, judge_suite=0, weigh_models=0)),
        (1, Gpus(make_model=1, train_expert=1, judge_suite=1, weigh_models=1)),
        (4, Gpus(make_model=1, train_expert=4, judge_suite=1, weigh_models=1)),
    ],
)
def test_only_trainings_use_several_gpus(n, asked):
    one, two = (Gpus.of(SimpleNamespace(gpus=n, nodes=nodes)) for nodes in (1, 2))
    assert one == asked
    assert two == asked._replace(train_expert=2 * asked.train_expert)


def test_several_nodes_are_asked_for_one_task_each_and_gpus_by_the_node():
    assert resources.several_nodes(SimpleNamespace(gpus=4, nodes=1)) == {}
    asked = {"nodes": 2, "tasks": 2, "tasks_per_gpu": 0, "mpi": "srun"}
    assert resources.several_nodes(SimpleNamespace(gpus=0, nodes=2)) == asked
    assert resources.several_nodes(SimpleNamespace(gpus=4, nodes=2)) == {**asked, "gres": "gpu:4"}


def test_what_sbatch_is_told_of_several_nodes():
    """The plugin's own function, so that an update of it cannot change the request unseen."""
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command
    from snakemake_executor_plugin_slurm.utils import set_gres_string

    asked = {**resources.several_nodes(SimpleNamespace(gpus=4, nodes=2)), "gpu": 0, "mem_mb": 9000, "runtime": 60}
    job = SimpleNamespace(resources=Asking(asked), threads=8)
    known = ("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir")
    words = get_submit_command(job, dict.fromkeys(known, "")).split() + set_gres_string(job).split()
    assert {"--nodes=2", "--ntasks=2", "--cpus-per-task=8", "--gres=gpu:4"} <= set(words)
    assert words[words.index("--mem") + 1] == "9000"
    assert not [word for word in words if word.startswith(("--gpus", "--ntasks-per"))]


@pytest.mark.parametrize(
    ("asked", "n"),
    [
        ({}, 0),
        ({"gpu": 2}, 2),
        ({"gpu": 0, "gres": "gpu:a100:4"}, 4),
        ({"gres": "gpu:3"}, 3),
        ({"gres": "gpu"}, 1),
        ({"gres": "gpu:4", "nodes": 2}, 8),
    ],
)
def test_gpus_are_counted_however_they_are_asked_for(asked, n):
    assert gpus_asked(asked) == n


def test_a_plan_names_the_sum_first():
    jobs = [
        Request("train_expert", 4, 8, 90, 30000),
        Request("train_expert", 4, 8, 30, 20000),
        Request("merge", 0, 2, 60, 900),
    ]
    first, *rest = plan_lines(jobs)
    assert first == "This plan asks for at most 8.0 GPU hours and 18.0 CPU hours in 3 jobs:"
    assert [line.split() for line in rest] == [
        ["train_expert", "2", "jobs", "4", "GPUs", "8", "CPUs", "20000–30000", "MB", "30–90", "min"],
        ["merge", "1", "jobs", "0", "GPUs", "2", "CPUs", "900", "MB", "60", "min"],
    ]


def test_costs_count_what_each_job_asks_for_and_how_many_belong_to_no_job(tmp_path):
    folder = tmp_path / "timings"
    asked = [
        ("train_trial", "settings/1", 8, 4),
        ("judge_answers", "tuned/a", 2, 1),
        ("judge_answers", "tuned/b", 2, 0),
    ]
    jobs = [
        progress.Job(rule, name, False, False, None, f"{folder}/{rule}/{name}.tsv", threads, gpus)
        for rule, name, threads, gpus in [*asked, ("count_items", "", 1, 0)]
    ]
    jobs.append(progress.Job("all", "", False, False, None, None))
    seconds = {"train_trial/settings/1": 3600.0, "judge_answers/tuned/a": 1800.0, "judge_answers/tuned/b": 1800.0}
    timings = [{"job": job, "seconds": spent} for job, spent in {**seconds, "train_trial/old/0": 60.0}.items()]
    found, n_others = costs(timings, jobs, folder)
    trials, judges, total = found
    assert [trials.rule, judges.rule, total.rule] == ["train_trial", "judge_answers", "total"] and n_others == 1
    assert (trials.gpu_hours, trials.cpu_hours) == (4.0, 8.0)
    assert (judges.jobs, judges.gpu_hours) == (2, 0.5)
    assert (total.jobs, total.hours, total.gpu_hours) == (3, 2.0, 4.5)


def test_a_job_without_seconds_is_counted_as_nothing(tmp_path):
    job = progress.Job("count_items", "", False, False, None, str(tmp_path / "count_items.tsv"))
    found, _ = costs([{"job": "count_items", "seconds": None}], [job], tmp_path)
    assert (found[0].jobs, found[0].hours) == (1, 0.0)


# ---- sizes that are known, and those that are not ----


def full_size(repository, name, **changes):
    settings = load_yaml(repository / "config" / "studies" / f"{name}.yaml")
    settings.pop("scales", None)
    return Needs(load_study({**settings, **changes}, name, repository / "config"), lambda model: None)


@pytest.mark.parametrize(
    ("study", "expert", "n_examples", "hours"),
    [
        ("prometheus", "direct", 99_000, (6, 8)),  # 6.2 h for 100,000 rows at the same rate
        ("prometheus", "pairwise", 197_762, (12, 15)),
        ("orpo", "orpo_final", 15_096, (1.2, 1.5)),  # 77 min for two sequences a pair, ten to start
    ],
)
def test_a_training_is_given_the_time_of_its_published_size(repository, study, expert, n_examples, hours):
    needs = full_size(repository, study)
    need = needs.train(expert)
    assert hours[0] <= need.expected / 60 <= hours[1]
    assert need.runtime > need.expected and not need.unknown
    assert need.checkpoint < need.runtime
    assert sum(map(needs._items, needs.study.experts[expert].train_on)) == n_examples


def test_every_training_of_the_shipped_studies_has_a_size_or_is_named(repository):
    unknown = {
        name
        for study in ("meld", "orpo", "prometheus", "unified")
        for needs in [full_size(repository, study)]
        for expert in needs.study.experts
        for name in needs.train(expert).unknown
    }
    assert unknown == {"meld_pairwise_train", "meld_pointwise_train"}  # of which nobody states the size


def test_a_training_of_unknown_length_asks_for_the_longest_time_at_every_attempt(repository):
    for changes, minutes in (({}, resources.LONG_MINUTES), ({"longest_job": 600}, 600)):
        needs = full_size(repository, "meld", **changes)
        need = needs.train(next(name for name in needs.study.experts if needs.train(name).unknown))
        assert need.at("runtime", 1) == need.at("runtime", 3) == minutes
        assert need.at("mem_mb", 3) == 3 * need.mem_mb


def test_no_training_asks_for_more_than_the_longest_job(repository):
    needs = full_size(repository, "prometheus", longest_job=120)
    need = needs.train("joint")
    assert need.at("runtime", 3) == 120 < need.expected


def test_a_plan_says_what_is_expected_and_what_it_does_not_know():
    jobs = [
        Request("train_expert", 4, 8, 120, 30000, expected=60),
        Request("train_expert", 4, 8, 600, 30000, expected=30, unknown=("mine", "yours")),
        Request("merge", 0, 2, 60, 900),
    ]
    first, *rest = plan_lines(jobs)
    assert first == "This plan asks for at least 48.0 GPU hours and 98.0 CPU hours in 3 jobs:"
    assert "expected are 4.0 GPU hours and 10.0 CPU hours, without the jobs on sets of unknown size" in rest[0]
    assert rest[1] == "  not known is the size of mine, yours; give `about: <items>` in config/benchmarks.yaml"
    first, *rest = plan_lines([jobs[0], jobs[2]])
    assert first.startswith("This plan asks for at most 8.0 GPU hours") and "expected are 4.0 GPU hours" in rest[0]
    late = Request("train_expert", 4, 8, 100, 30000, expected=300, checkpoint=130)
    assert any("lower save_steps" in line for line in plan_lines([late]))


def test_a_judge_is_given_the_time_of_the_items_that_are_drawn(needs):
    few = needs(suites={"demo": {"benchmarks": ["demo_pairwise"], "limit": 10}})
    assert few.judge("half", "demo").runtime < needs().judge("half", "demo").runtime


# ---- judges on several GPUs ----


def test_a_judge_has_as_many_gpus_as_the_study_says_it_needs(needs):
    judging = {**LLAMA["judging"], "gpus": 2, "judges": {"half": {"gpus": 4}}}
    said = needs(gpus=1, judging=judging)
    assert (said.judging_gpus("wide"), said.judging_gpus("half"), said.most_judging_gpus()) == (2, 4, 4)
    assert needs(judging=judging).judging_gpus("half") == 0  # a study without GPUs
    assert needs(gpus=4).judging_gpus("half") == 1


def test_a_judge_that_does_not_fit_is_refused_in_the_plan(needs):
    huge = {"llama": Size(93.4e9, 46.7e9)}
    with pytest.raises(JudgemergeError, match="'llama' has 93.4 GB of weights, .* on 1 GPU of 80 GB; .*gpus: 2"):
        needs(known=huge, gpus=1, judges=["llama"]).check_judges()
    needs(known=huge, gpus=1, gpu_gb=141, judges=["llama"]).check_judges()
    needs(known=huge, gpus=1, judges=["llama"], judging={**LLAMA["judging"], "gpus": 2}).check_judges()
    needs(known=huge, gpus=0, judges=["llama"]).check_judges()
    unknown = {"llama": {"repo": "a/b", "revision": "0" * 40}}
    needs(models=unknown, gpus=1, gpu_gb=1, judges=["llama"]).check_judges()  # nobody knows


def test_the_published_8x7b_judges_fit(repository):
    needs = full_size(repository, "prometheus")
    needs.check_judges()
    assert needs.judging_gpus("supermario_8x7b") == needs.judging_gpus("mixtral") == 2 > needs.judging_gpus("direct")


def test_backends_spread_a_judge_over_its_gpus():
    from judgemerge.judge.backends.vllm import engine_arguments

    assert engine_arguments("m", "auto", 99, 0, gpus=4)["tensor_parallel_size"] == 4
    assert "tensor_parallel_size" not in engine_arguments("m", "auto", 99, 0)


# ---- what rules ask ----


def test_a_job_asks_for_more_at_each_attempt():
    assert [resources.per_attempt(500)({}, attempt) for attempt in (1, 2, 3)] == [500, 1000, 1500]


def test_resources_of_a_rule_follow_from_the_models_that_the_wildcards_name(needs):
    big = needs()
    memory, minutes = big.resources("merge_models").values()
    assert memory({"merge": "wide"}, 1) == big.merge("wide").at("mem_mb", 1)
    assert minutes({"merge": "wide"}, 2) == big.merge("wide").at("runtime", 2) > minutes({"merge": "wide"}, 1)


def test_the_size_of_a_model_is_read_where_its_record_lies(needs, tmp_path, monkeypatch):
    study = needs().study
    monkeypatch.chdir(tmp_path)
    size = resources.sizes_on_disk(study, Layout("big"))
    assert size("llama") is None
    record = tmp_path / "results" / "big" / "models" / "llama.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"bytes": 8, "parameters": 2}))
    assert size("llama") == Size(8, 2)


def test_vllm_writes_a_batch_without_the_time_that_transformers_spends_on_every_step(needs):
    """As published for 7 and 8 billion weights: some thousand tokens a second, and less with the weights on one GPU."""
    judging = {"prompts": {"pairwise": "plain_pairwise", "pointwise": "brief_pointwise"}}
    own, vllm = (
        needs(gpus=1, judging={**judging, "backend": backend}).judge("llama", "demo")
        for backend in ("transformers", "vllm")
    )
    assert vllm.expected < own.expected
    spread = {**judging, "backend": "vllm", "gpus": 4}
    assert needs(gpus=4, judging=spread).judge("llama", "demo").expected < vllm.expected
    on_cpu = needs(judging={**judging, "backend": "vllm"}).judge("llama", "demo")
    assert on_cpu == needs(judging=judging).judge("llama", "demo")


def test_all_trials_of_a_merge_are_one_job_and_take_as_long_as_each(repository):
    needs = full_size(repository, "meld")
    one, entry = needs.trial("ties"), needs.study.searches["ties"]
    every = needs.trials("ties")
    assert every.mem_mb == one.mem_mb and entry.rounds * entry.width == 16
    assert every.expected - resources.MINUTES_TO_START == 16 * (one.expected - resources.MINUTES_TO_START)


def test_gram_matrices_need_room_for_a_model_and_their_group(needs):
    regmean = {"method": "regmean", "models": {"big": {}, "other": {}}, "parameters": {"n_examples": 100}}
    regmean["grams"] = dict.fromkeys(("big", "other"), "demo_pairwise_train")
    models = {name: {"path": name} for name in ("big", "other")}
    sizes = {name: resources.Size(14e9, 7e9) for name in models}
    changes = {"models": models, "base": "big", "experts": {}, "merges": {"regmean": regmean}, "judges": ["regmean"]}
    need = needs(sizes, **changes).grams("regmean")
    assert need.mem_mb > 28_000 + 8_000 and need.expected > resources.MINUTES_TO_START

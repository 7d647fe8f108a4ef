"""What all rules share: the checked study, wildcard constraints, and input functions."""

import os
import re

sys.path.insert(0, os.path.join(workflow.basedir, "scripts"))

from judgemerge import quantizing
from judgemerge.baselines import BASELINES
from judgemerge.catalogues import load_yaml
from judgemerge.digests import source_digest
from judgemerge.errors import JudgemergeError
from judgemerge.expected import read_expected
from judgemerge.models import size_on_disk
from judgemerge.patterns import one_of
from judgemerge.prompts import load_template
from judgemerge.resources import Needs, Size, several_nodes
from judgemerge.study import load_study
from judgemerge.training import shared_settings

config.setdefault("mirror", os.environ.get("JUDGEMERGE_MIRROR", ""))
STUDY_FILE = os.path.relpath((workflow.overwrite_configfiles or ["config/config.yaml"])[-1])
try:
    load_yaml(STUDY_FILE)  # Snakemake keeps the last of two equal keys and says nothing
    study = load_study(config, STUDY_FILE, os.path.join(workflow.basedir, "config"))
    EXPECTED = read_expected("config/expected.tsv", study.name)
except JudgemergeError as error:
    raise WorkflowError(str(error)) from None
settings = study.settings
# The report's first page reads the configuration itself: at a scale it has to say that scale's words.
config["description"] = settings.get("description", "")
COMPARED = ("comparisons", "humans", "bias")  # tables made by rules/compare.smk


wildcard_constraints:
    study=re.escape(study.name),
    source=one_of(study.catalogues.sources),
    benchmark=one_of(study.item_sets),
    made=one_of(study.models_by_origin("make")),
    downloaded=one_of(study.models_by_origin("repo")),
    found=one_of(study.models_by_origin("path")),
    endpoint=one_of(study.models_by_origin("endpoint")),
    expert=one_of(study.experts),
    merge=one_of(study.merges),
    quantization=one_of(study.quantizations),
    model=one_of(study.model_names),
    judge=one_of(study.model_names),
    suite=one_of(settings["suites"]),
    recorded=one_of(study.catalogues.recorded),


def per_attempt(amount):
    """Return a resource function that asks for `amount` more at each attempt (attempts are counted by the profile)."""

    def resource(wildcards, attempt):
        return amount * attempt

    return resource


def known_size(model):
    """Return the size of a model that is there already: in this study's results, or in the folder it is found in."""
    found = size_on_disk(results_file("models/{name}.json", name=model), study.models.get(model, {}).get("path"))
    return found and Size(*found)


NEEDS = Needs(study, known_size)
GPUS = NEEDS.gpus
TRAINING_NODES = several_nodes(settings)
# The cluster profile reads these: a study without GPUs goes to the partition for CPUs.
os.environ.update(JUDGEMERGE_GPUS=str(settings["gpus"]), JUDGEMERGE_NODES=str(settings["nodes"]))


def needed(amount, step, *names):
    """Return a resource function: `mem_mb` or `runtime` of a step, from the sizes of its models, more at each attempt."""

    def resource(wildcards, attempt):
        need = getattr(NEEDS, step)(*(wildcards[name] for name in names))
        return getattr(need, amount) * attempt

    return resource


def results_file(pattern, **wildcards):
    """Return one path below this study's results."""
    return f"results/{study.name}/{pattern.format(**wildcards)}"


def study_results(wildcards):
    """Everything that `rule all` asks for."""
    judged = ("agreement", "items", *COMPARED) if study.judges else ()
    tables = [f"{name}.{kind}" for name in judged for kind in ("csv", "html")]
    published = ["published.csv", "published.html", "published.ok"] if EXPECTED else []
    overlap = ["overlap.csv", "overlap.html"] if study.overlap_pairs else []
    unified = ["unified.csv", "unified.html"] if settings["unified_table"] else []
    checks = [results_file("checks/{name}.export.json", name=name) for name in study.lora_experts]
    statements = ["statements.csv", "statements.html"] if stating_pairs() else []
    return [
        results_file("run.json"),
        *(results_file(f"tables/{name}") for name in [*tables, *published, *overlap, *statements, *unified]),
        *checks,
        *endpoint_results(),
        *quantization_results(),
        *ablation_results(),
        *search_results(),
        *model_comparison_results(),
        *screening_results(),
        *(results_file(f"figures/{name}.{kind}") for name in study_figures() for kind in ("svg", "png")),
        *merge_cards(),
        *(embedding_results() if "embedding" in settings else []),
    ]


def recorded_tables(wildcards):
    """The tables that the record of the run names."""
    judged = ["agreement", *COMPARED] if study.judges else []
    own = embedding_tables() if "embedding" in settings else []
    return [*(results_file(f"tables/{name}.csv") for name in judged), *own]


def study_figures():
    """The figures that this study has data for."""
    protocols = {study.protocol(benchmark) for benchmark in study.benchmarks}
    figures = ["accuracy", "consistency", "bias_position", "bias_length"] if "pairwise" in protocols else []
    figures += ["grading"] if "pointwise" in protocols else []
    figures += ["differences", "humans"] if study.judges else []
    figures += ["curves"] if study.experts else []
    figures += ["screening"] if "screening" in settings else []
    figures += [f"model_comparison_{name}" for name in settings["model_comparisons"]]
    figures += [f"search_{name}" for name in study.searches]
    return figures + (["merges"] if study.merges and len(protocols) == 2 else [])


def study_sources(wildcards):
    """The raw files that are fetched: of every benchmark and recorded judge that is run, and of training sets."""
    return [results_file("sources/{source}", source=key) for key in study.source_keys]


def source_sha256(wildcards):
    """The checksum that a raw file must have."""
    return study.catalogues.sources[wildcards.source].sha256


def benchmark_files(wildcards):
    """The raw files of one item set."""
    return raw_files(study.benchmark_sources(wildcards.benchmark))


def raw_files(by_role):
    """The files of sources given by role; what is no key of sources.yaml is the path of a file."""
    known = study.catalogues.sources
    return [results_file("sources/{source}", source=value) if value in known else value for value in by_role.values()]


def benchmark_limit(wildcards):
    """The number of items that a suite draws from one of its benchmarks, None for all."""
    return study.limit(wildcards.benchmark)


def benchmark_rubric(wildcards):
    """The rubric of the items of one set that have none of their own, None where there is none."""
    return study.rubric(wildcards.benchmark)


def benchmark_seed(wildcards):
    """The seed that a suite draws items with; none where all are taken, so that another seed changes nothing there."""
    return settings["seed"] if study.limit(wildcards.benchmark) is not None else None


def benchmark_is_drawn(wildcards):
    """Whether a benchmark is run on a sample of its items."""
    return study.limit(wildcards.benchmark) is not None


def adapter_digest(wildcards):
    """A digest of the code that makes one item set: editing another benchmark's adapter leaves it alone."""
    adapter = study.catalogues.benchmarks[wildcards.benchmark]["adapter"]
    generator = ["demo_tasks"] if adapter == "demo" else []
    return source_digest(
        f"benchmarks.{adapter}",
        "benchmarks.__init__",
        "benchmarks._rows",
        "benchmarks._explanations",
        "items",
        *generator,
    )


def benchmark_roles(wildcards):
    """The role that each raw file of one item set plays, in the order of `benchmark_files`."""
    return list(study.benchmark_sources(wildcards.benchmark))


def recorded_roles(wildcards):
    """The role that each raw file of a recorded judge plays, in the order of `recorded_files`."""
    return list(study.recorded_sources(wildcards.recorded, wildcards.benchmark))


def recorded_files(wildcards):
    """The raw files of one recorded judge on one benchmark."""
    return raw_files(study.recorded_sources(wildcards.recorded, wildcards.benchmark))


def stage_items(wildcards):
    """The item sets that a made model is pretrained on."""
    stages = settings["models"][wildcards.made]["make"]["stages"]
    names = [name for stage in stages if stage["data"] != "corpus" for name in stage["data"]]
    return [results_file("items/{name}.jsonl", name=name) for name in dict.fromkeys(names)]


def making_threads(wildcards):
    """The CPU threads that a made model is pretrained with."""
    return settings["models"][wildcards.made]["make"].get("threads", settings["threads"])


def training_items(wildcards):
    """The item sets that an expert is trained on."""
    names = settings["experts"][wildcards.expert]["train_on"]
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def leak_items(wildcards):
    """The benchmarks that are run whose prompts an expert must not be trained on."""
    return [results_file("items/{name}.jsonl", name=name) for name in study.leak_benchmarks(wildcards.expert)]


def leak_names(wildcards):
    """The names of those benchmarks, in the order of `leak_items`."""
    return study.leak_benchmarks(wildcards.expert)


def evaluation_items(wildcards):
    """The item sets that an expert's evaluation loss is taken on while it is trained."""
    names = settings["experts"][wildcards.expert]["evaluate_on"]
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def base_model(wildcards):
    """The folder of the model that an expert is trained from."""
    return results_file("models/{name}", name=study.base_of(wildcards.expert))


def base_manifest(wildcards):
    """The manifest of the model that an expert is trained from."""
    return results_file("models/{name}.json", name=study.base_of(wildcards.expert))


def parent_models(wildcards):
    """The folders of the models that a merge reads, the base first; its adapters are not among them."""
    return [results_file("models/{name}", name=name) for name in study.models_read(wildcards.merge)]


def parent_manifests(wildcards):
    """The manifests of the models that a merge reads."""
    return [results_file("models/{name}.json", name=name) for name in study.models_read(wildcards.merge)]


def compared_models():
    """Return the models that merges bring together, and the groups that they are compared in."""
    groups = [study.roots(name) for name in study.merges]
    groups = [list(group) for group in dict.fromkeys(tuple(sorted(group)) for group in groups) if len(group) > 1]
    return sorted({name for group in groups for name in group}), groups


def parents_compared(wildcards):
    """The comparison of models before anything is trained on them, if merges bring several together."""
    return [results_file("recipes/parents.json")] if compared_models()[1] else []


def suite_items(wildcards):
    """The benchmarks of one suite that one judge answers."""
    names = study.benchmarks_of(wildcards.judge, wildcards.suite)
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def suite_prompts(wildcards):
    """The prompt files of one judge for one suite."""
    return prompt_files(study.prompts_of(wildcards.judge, wildcards.suite))


def prompt_files(prompts):
    """The files of prompts given by protocol."""
    return [f"config/prompts/{name}.yaml" for name in dict.fromkeys(prompts.values())]


def prompt_texts(prompts):
    """The raw files that prompts given by protocol take texts from."""
    known = study.catalogues.sources
    names = [source for prompt in prompts.values() for source in study.prompt_sources(prompt)]
    return [results_file("sources/{source}", source=name) if name in known else name for name in dict.fromkeys(names)]


def expert_prompt_texts(wildcards):
    """The raw files that the prompts of one expert's training take texts from."""
    return prompt_texts(study.training_prompts(wildcards.expert))


def suite_prompt_texts(wildcards):
    """The raw files that one judge's prompts for one suite take texts from."""
    return prompt_texts(study.prompts_of(wildcards.judge, wildcards.suite))


def expert_prompts(wildcards):
    """The prompt files of one expert's training."""
    return prompt_files(study.training_prompts(wildcards.expert))


def training_prompt_names(wildcards):
    """The prompts of one expert's training, by protocol."""
    return study.training_prompts(wildcards.expert)


def stage_prompt_names(wildcards):
    """The prompts of a made model's pretraining by protocol, stage by stage."""
    return study.stage_prompts(wildcards.made)


def stage_prompts(wildcards):
    """The prompt files of a made model's pretraining on item sets."""
    return list(dict.fromkeys(path for prompts in stage_prompt_names(wildcards) for path in prompt_files(prompts)))


def stage_prompt_texts(wildcards):
    """The raw files that those prompts take texts from."""
    return [path for prompts in stage_prompt_names(wildcards) for path in prompt_texts(prompts)]


def judge_replies(wildcards):
    """The replies of one judge that hold one benchmark."""
    suite = study.suite_of(wildcards.benchmark)
    return results_file("replies/{judge}/{suite}.jsonl", judge=wildcards.judge, suite=suite)


def judge_prompt(wildcards):
    """The prompt file that one benchmark's replies are parsed with."""
    return f"config/prompts/{study.prompt(wildcards.judge, study.protocol(wildcards.benchmark))}.yaml"


def benchmark_verdicts(wildcards):
    """The verdicts of every judge on one benchmark."""
    judges = study.judges_of(wildcards.benchmark)
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=wildcards.benchmark) for judge in judges]


def benchmark_judges(wildcards):
    """The judges of one benchmark, in the order of `benchmark_verdicts`."""
    return study.judges_of(wildcards.benchmark)


def benchmark_own_models(wildcards):
    """The models that each judge of one benchmark is or was made from, where any is known."""
    own = {judge: study.own_models(judge) for judge in study.judges_of(wildcards.benchmark)}
    return {judge: models for judge, models in own.items() if models}


def study_scores(wildcards):
    """The scores of every benchmark that is run, then those counted as in the papers."""
    names = [*study.benchmarks, *(["published"] if published_protocols() else [])]
    return [results_file("scores/{name}.csv", name=name) for name in names]


def published_protocols():
    """Return how the papers count, by benchmark that is run and has a paper's protocol."""
    protocols = {name: study.published_protocol(name) for name in study.benchmarks}
    return {name: protocol for name, protocol in protocols.items() if protocol}


def published_pairs(kinds=("model", "derived", "baseline", "recorded")):
    """Return (benchmark, judge) for every judge of these kinds on the benchmarks of `published_protocols`."""
    return [
        (name, judge) for name in published_protocols() for judge in study.judges_of(name) if study.kind(judge) in kinds
    ]


def published_items(wildcards):
    """The items of the benchmarks that have a paper's protocol."""
    return [results_file("items/{name}.jsonl", name=name) for name in published_protocols()]


def published_verdicts(wildcards):
    """The verdicts of every judge on those benchmarks, in the order of `published_pairs`."""
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=name) for name, judge in published_pairs()]


def published_counts(wildcards):
    """What the files of recorded judges hold, in the order of `published_pairs(["recorded"])`."""
    pairs = published_pairs(["recorded"])
    return [results_file("verdicts/{judge}/{name}.counts.json", judge=judge, name=name) for name, judge in pairs]


def overlap_items(wildcards):
    """The item sets that are compared with each other, in the order of `study.overlap_sets`."""
    return [results_file("items/{name}.jsonl", name=name) for name in study.overlap_sets]


def overlap_table(wildcards):
    """The table of shared prompts, if the study has sets to compare."""
    return [results_file("tables/overlap.csv")] if study.overlap_pairs else []


def overlap_notes():
    """Return why no warning is needed, by pair of sets that come from one raw file and that nothing is trained on."""
    notes = {}
    for pair in study.overlap_pairs:
        first, second = (set(study.benchmark_sources(name).values()) for name in pair)
        if first & second and pair[0] not in study.training_sets:
            notes[pair] = f"both are read from {', '.join(sorted(first & second))}"
    return notes


def study_counts(wildcards):
    """The counts of every item set that is run, trained on or looked for."""
    names = [name for name in study.item_sets if name in study.benchmarks or name not in study.all_benchmarks]
    return [results_file("items/{name}.counts.json", name=name) for name in names]


def study_manifests(wildcards):
    """The manifests of every model that a judge or a merge of the study uses."""
    needed = [judge for judge in study.judges if study.kind(judge) == "model"]
    needed += [name for name in compared_in_answers() if name not in needed]
    own = embedding_manifests() if "embedding" in settings else []
    return [*(results_file("models/{name}.json", name=name) for name in needed), *own]


def judge_kinds():
    """Return what each judge is, in the order in which figures show them: base, experts, merges, others."""
    kinds = {judge: study.kind(judge) for judge in study.judges}
    bases = {settings.get("base"), *map(study.base_of, study.experts)}
    kinds |= {judge: "base" for judge in kinds if judge in bases}
    kinds |= {judge: "expert" for judge in kinds if judge in study.experts}
    kinds |= {judge: "merge" for judge in kinds if judge in study.merges}
    kinds |= {judge: "quantization" for judge in kinds if judge in study.quantizations}
    kinds |= {
        best: "merge" if "merge" in study.searches[search] else "expert"
        for best, search in study.searched.items()
        if best in kinds
    }
    return kinds


def skill_benchmarks():
    """Return the first benchmark of pairs and the first of grades: the two skills that merges are shown on."""
    by_protocol = {study.protocol(name): name for name in reversed(study.benchmarks)}
    return [by_protocol[protocol] for protocol in ("pairwise", "pointwise") if protocol in by_protocol]


def source_record():
    """Return what identifies every raw file that is read; a file given by its path gets its checksum in the job."""
    entries = [study.catalogues.sources[key] for key in study.source_keys]
    local = {path: {"url": path, "sha256": None, "licence": "not stated"} for path in study.local_files}
    return {
        **{entry.key: {"url": entry.url, "sha256": entry.sha256, "licence": entry.licence} for entry in entries},
        **local,
    }


def software_deployment():
    """Return how the software of the rules is deployed: conda, apptainer, or the environment of Snakemake itself."""
    methods = workflow.deployment_settings.deployment_method
    return ", ".join(sorted(method.name.lower() for method in methods)) or "the environment of Snakemake"

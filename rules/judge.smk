"""Models → replies → verdicts; baselines and recorded judges → verdicts. One job per judge and suite."""

from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.suites import Suites

suites = Suites(study)
SINGLY_PROMPTS = {"pointwise": study.singly_prompt} if study.singly else {}
ENDPOINTS = study.models_by_origin("endpoint")


def suite_items(wildcards):
    """The benchmarks of one suite that one judge answers, or the single responses of its pairs."""
    split = suites.split(wildcards.suite)
    return [paths.path(SIDES, split)] if split else each(ITEMS, study.benchmarks_of(wildcards.judge, wildcards.suite))


def suite_prompts(function):
    """Return an input function: `function` of the prompts that one judge is asked with about one suite."""

    def from_wildcards(wildcards):
        return function(suites.prompts(wildcards.judge, wildcards.suite))

    return from_wildcards


def prompt_formats(prompts):
    """What prompts given by protocol say of the reply, which is all that is parsed with them."""
    return {name: text["reply"] for name, text in prompt_contents(prompts).items() if "reply" in text}


def recorded_files(wildcards):
    """The raw files of one recorded judge on one suite."""
    return raw_files(suites.recorded_files(wildcards.recorded, wildcards.suite))


def recorded_digest(wildcards):
    """A digest of the code that reads one recorded judge: editing another format leaves it alone."""
    return script_digest(
        "judge/read_recorded", recorded_formats=study.catalogues.recorded[wildcards.recorded]["format"]
    )


rule split_pairs:
    """Each response of each pair of a suite as an item of its own, to be graded (study key `singly`)."""
    input:
        paths.inputs(ITEMS, suites.pairs, "suite"),
    output:
        SIDES,
    log:
        "results/{study}/logs/split_pairs/{suite}.log",
    benchmark:
        "results/{study}/timings/split_pairs/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        code=script_digest("judge/split_pairs"),
    script:
        "../scripts/judge/split_pairs.py"


rule judge_suite:
    """What one judge writes about one suite, both orders. Kept apart from parsing: it is the expensive part."""
    input:
        item_sets=suite_items,
        prompts=suite_prompts(prompt_files),
        texts=suite_prompts(prompt_texts),
        model=renamed(MODEL, model="judge"),
        manifest=renamed(MANIFEST, model="judge"),
    output:
        REPLIES,
        timing=TIMING,
    log:
        "results/{study}/logs/judge_suite/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/judge_suite/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(study.model_names - set(study.quantizations) - set(ENDPOINTS)),
        suite=one_of(suites.names),
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "judge", "judge", "suite"),
        runtime=needed("runtime", "judge", "judge", "suite"),
        gpu=judge_gpus,
        # Resources, not parameters: another batch size or number of GPUs must not judge everything again. The profile
        # may ask for GPUs in another way than `gpu`.
        judge_gpus=judge_gpus,
        batch_tokens=settings["judging"]["batch_tokens"],
    params:
        max_prompt_tokens=settings["judging"]["max_prompt_tokens"],
        dtype=settings["judging"]["dtype"],
        asked=suite_prompts(prompt_contents),
        backend=of(study.backend, "judge"),
        chat=of(study.chat, "judge"),
        store=STORE,
        sources=SOURCES,
        categories=settings["judging"]["categories"],
        drawing=of(suites.drawing, "suite"),
    message:
        "Judging {wildcards.suite} with {wildcards.judge}"
    script:
        "../scripts/judge/judge_suite.py"


# A rule of its own: the cluster profile sends its jobs, which may need no GPU, to another partition.
use rule judge_suite as judge_suite_gguf with:
    wildcard_constraints:
        judge=one_of(study.quantizations),
        suite=one_of(suites.names),
    conda:
        "../envs/quantize.yaml"


rule link_endpoint:
    """The identity of a model behind an endpoint: host, model name and settings. Nothing is asked."""
    output:
        renamed(MANIFEST, model="endpoint"),
    log:
        "results/{study}/logs/link_endpoint/{endpoint}.log",
    benchmark:
        "results/{study}/timings/link_endpoint/{endpoint}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        url=lookup(within=settings, dpath="models/{endpoint}/endpoint/url"),
        model=lookup(within=settings, dpath="models/{endpoint}/endpoint/model"),
        settings=lookup(within=settings, dpath="models/{endpoint}/endpoint/settings"),
        code=script_digest("judge/link_endpoint"),
    script:
        "../scripts/judge/link_endpoint.py"


rule judge_endpoint:
    """What one judge behind an endpoint writes about one suite, on the machine that runs Snakemake: it has the network."""
    input:
        item_sets=suite_items,
        prompts=suite_prompts(prompt_files),
        texts=suite_prompts(prompt_texts),
        manifest=renamed(MANIFEST, model="judge"),
    output:
        REPLIES,
    log:
        "results/{study}/logs/judge_endpoint/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/judge_endpoint/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(ENDPOINTS),
        suite=one_of(suites.names),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(600),
    params:
        asked=suite_prompts(prompt_contents),
        endpoint=lookup(within=settings, dpath="models/{judge}/endpoint"),
        store=STORE,
        sources=SOURCES,
        categories=settings["judging"]["categories"],
        usage=USAGE,
    message:
        "Asking {wildcards.judge} about {wildcards.suite}"
    script:
        "../scripts/judge/judge_endpoint.py"


rule parse_replies:
    """The verdicts in one judge's replies to one suite; an unreadable reply is an error with a reason."""
    input:
        replies=REPLIES,
        prompts=suite_prompts(prompt_files),
    output:
        VERDICTS,
    log:
        "results/{study}/logs/parse_replies/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/parse_replies/{judge}/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        protocols=of(suites.protocols, "judge", "suite"),
        asked=suite_prompts(prompt_formats),
        code=script_digest("judge/parse_replies"),
    message:
        "Parsing {wildcards.judge} on {wildcards.suite}"
    script:
        "../scripts/judge/parse_replies.py"


rule compare_grades:
    """The verdicts on pairs that follow from two grades: the higher one wins, equal grades are a tie."""
    input:
        replies=paths.inputs(REPLIES, suites.grades, "derived", "suite"),
        item_sets=paths.inputs(ITEMS, study.benchmarks_of, "derived", "suite"),
        prompt=prompt_files(SINGLY_PROMPTS),
    output:
        renamed(VERDICTS, judge="derived"),
    log:
        "results/{study}/logs/compare_grades/{derived}/{suite}.log",
    benchmark:
        "results/{study}/timings/compare_grades/{derived}/{suite}.tsv"
    wildcard_constraints:
        derived=one_of(study.singly),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(study.benchmarks_of, "derived", "suite"),
        asked=prompt_contents(SINGLY_PROMPTS),
        code=script_digest("judge/compare_grades"),
    script:
        "../scripts/judge/compare_grades.py"


rule answer_baselines:
    """The verdicts of the content-blind baselines, bundled into one job because job start-up dominates."""
    input:
        paths.inputs(ITEMS, suites.benchmarks, "suite"),
    output:
        collect(VERDICTS, judge=BASELINES, allow_missing=True),
    log:
        "results/{study}/logs/answer_baselines/{suite}.log",
    benchmark:
        "results/{study}/timings/answer_baselines/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(suites.benchmarks, "suite"),
        baselines=list(BASELINES),
        seed=settings["seed"],
        code=script_digest("judge/answer_baselines"),
    script:
        "../scripts/judge/answer_baselines.py"


rule read_recorded:
    """The verdicts that others published for one suite, and what their files hold."""
    input:
        item_sets=paths.inputs(ITEMS, study.benchmarks_of, "recorded", "suite"),
        files=recorded_files,
    output:
        verdicts=renamed(VERDICTS, judge="recorded"),
        counts=RECORDED_COUNTS,
    log:
        "results/{study}/logs/read_recorded/{recorded}/{suite}.log",
    benchmark:
        "results/{study}/timings/read_recorded/{recorded}/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(suites.recorded, "recorded", "suite"),
        roles=of(suites.recorded_roles, "recorded", "suite"),
        code=recorded_digest,
    script:
        "../scripts/judge/read_recorded.py"


localrules:
    split_pairs,
    link_endpoint,
    judge_endpoint,
    parse_replies,
    compare_grades,
    answer_baselines,
    read_recorded,

"""Models → replies → verdicts; baselines and recorded judges → verdicts. One job per judge and suite."""

from operator import attrgetter

from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.suites import Suites
from judgemerge.settings.models import Endpoint

suites = Suites(study)
ENDPOINTS = study.models_by_origin("endpoint")
# A parameter only where a study shortens replies: what others have judged stays as it is.
REPLY_LIMIT = {"reply_tokens": settings.judging.reply_tokens} if settings.judging.reply_tokens else {}


rule split_pairs:
    """Each response of each pair of a suite as an item of its own, to be graded (study key `pairs_from_grades`)."""
    input:
        paths.inputs(paths.ITEMS, suites.pairs, "suite"),
    output:
        paths.SIDES,
    log:
        "<logs>/split_pairs/{suite}.log",
    benchmark:
        "<benchmarks>/split_pairs/{suite}.tsv"
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
        item_sets=paths.inputs(paths.ITEMS, suites.item_sets, "judge", "suite"),
        prompts=of(chained(suites.prompts, prompt_files), "judge", "suite"),
        texts=of(chained(suites.prompts, prompt_texts), "judge", "suite"),
        model=renamed(paths.MODEL, model="judge"),
        manifest=renamed(paths.MANIFEST, model="judge"),
    output:
        paths.REPLIES,
        timing=paths.TIMING,
    log:
        "<logs>/judge_suite/{judge}/{suite}.log",
    benchmark:
        "<benchmarks>/judge_suite/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(study.model_names - set(study.quantizations) - set(ENDPOINTS)),
        suite=one_of(suites.names),
    conda:
        of(environments.of_replies, "judge")
    threads: settings.threads
    resources:
        **needed("judge_suite"),
        gpu=judge_gpus,
        # Resources, not parameters: another batch size or number of GPUs must not judge everything again. The profile
        # may ask for GPUs in another way than `gpu`.
        judge_gpus=judge_gpus,
        batch_tokens=settings.judging.batch_tokens,
    params:
        **REPLY_LIMIT,
        max_prompt_tokens=settings.judging.max_prompt_tokens,
        dtype=settings.judging.dtype,
        asked=of(chained(suites.prompts, prompt_contents), "judge", "suite"),
        backend=of(study.backend, "judge"),
        chat=of(study.chat, "judge"),
        store=paths.STORE,
        sources=paths.SOURCES,
        categories=settings.judging.categories,
        sampling=of(suites.sampling, "suite"),
    script:
        "../scripts/judge/judge_suite.py"


# A rule of its own: the cluster profile, which knows a job by its rule, sends these, which may need no GPU, elsewhere.
use rule judge_suite as judge_suite_gguf with:
    wildcard_constraints:
        judge=one_of(study.quantizations),
        suite=one_of(suites.names),


rule link_endpoint:
    """The identity of a model behind an endpoint: host, model name and settings. Nothing is asked."""
    output:
        renamed(paths.MANIFEST, model="endpoint"),
    log:
        "<logs>/link_endpoint/{endpoint}.log",
    benchmark:
        "<benchmarks>/link_endpoint/{endpoint}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        url=of(chained(suites.endpoint, attrgetter("url")), "endpoint"),
        model=of(chained(suites.endpoint, attrgetter("model")), "endpoint"),
        settings=of(chained(suites.endpoint, attrgetter("settings")), "endpoint"),
        code=script_digest("judge/link_endpoint"),
    script:
        "../scripts/judge/link_endpoint.py"


rule judge_endpoint:
    """What one judge behind an endpoint writes about one suite, on the machine that runs Snakemake: it has the network."""
    input:
        item_sets=paths.inputs(paths.ITEMS, suites.item_sets, "judge", "suite"),
        prompts=of(chained(suites.prompts, prompt_files), "judge", "suite"),
        texts=of(chained(suites.prompts, prompt_texts), "judge", "suite"),
        manifest=renamed(paths.MANIFEST, model="judge"),
    output:
        paths.REPLIES,
    log:
        "<logs>/judge_endpoint/{judge}/{suite}.log",
    benchmark:
        "<benchmarks>/judge_endpoint/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(ENDPOINTS),
        suite=one_of(suites.names),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(600),
    params:
        **REPLY_LIMIT,
        asked=of(chained(suites.prompts, prompt_contents), "judge", "suite"),
        endpoint=of(chained(suites.endpoint, Endpoint.plain), "judge"),
        store=paths.STORE,
        sources=paths.SOURCES,
        categories=settings.judging.categories,
        usage=paths.USAGE,
    script:
        "../scripts/judge/judge_endpoint.py"


rule parse_replies:
    """The verdicts in one judge's replies to one suite; an unreadable reply is an error with a reason."""
    input:
        replies=paths.REPLIES,
        prompts=of(chained(suites.prompts, prompt_files), "judge", "suite"),
    output:
        paths.VERDICTS,
    log:
        "<logs>/parse_replies/{judge}/{suite}.log",
    benchmark:
        "<benchmarks>/parse_replies/{judge}/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        protocols=of(suites.protocols, "judge", "suite"),
        asked=of(suites.reply_settings, "judge", "suite"),
        code=script_digest("judge/parse_replies"),
    script:
        "../scripts/judge/parse_replies.py"


rule compare_grades:
    """The verdicts on pairs that follow from two grades: the higher one wins, equal grades are a tie."""
    input:
        replies=paths.inputs(paths.REPLIES, suites.grades, "derived", "suite"),
        item_sets=paths.inputs(paths.ITEMS, study.benchmarks_of, "derived", "suite"),
        prompt=prompt_files(suites.grading_prompts),
    output:
        renamed(paths.VERDICTS, judge="derived"),
    log:
        "<logs>/compare_grades/{derived}/{suite}.log",
    benchmark:
        "<benchmarks>/compare_grades/{derived}/{suite}.tsv"
    wildcard_constraints:
        derived=one_of(study.judges_from_grades),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(study.benchmarks_of, "derived", "suite"),
        asked=prompt_contents(suites.grading_prompts),
        code=script_digest("judge/compare_grades"),
    script:
        "../scripts/judge/compare_grades.py"


rule answer_baselines:
    """The verdicts of the content-blind baselines, bundled into one job because job start-up dominates."""
    input:
        paths.inputs(paths.ITEMS, suites.benchmarks, "suite"),
    output:
        collect(paths.VERDICTS, judge=BASELINES, allow_missing=True),
    log:
        "<logs>/answer_baselines/{suite}.log",
    benchmark:
        "<benchmarks>/answer_baselines/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(suites.benchmarks, "suite"),
        baselines=list(BASELINES),
        seed=settings.seed,
        code=script_digest("judge/answer_baselines"),
    script:
        "../scripts/judge/answer_baselines.py"


rule read_recorded:
    """The verdicts that others published for one suite, and what their files hold."""
    input:
        item_sets=paths.inputs(paths.ITEMS, study.benchmarks_of, "recorded", "suite"),
        files=of(chained(suites.recorded_files, raw_files), "recorded", "suite"),
    output:
        verdicts=renamed(paths.VERDICTS, judge="recorded"),
        counts=paths.RECORDED_COUNTS,
    log:
        "<logs>/read_recorded/{recorded}/{suite}.log",
    benchmark:
        "<benchmarks>/read_recorded/{recorded}/{suite}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        benchmarks=of(suites.recorded, "recorded", "suite"),
        roles=of(suites.recorded_roles, "recorded", "suite"),
        code=of(suites.recorded_code, "recorded"),
    script:
        "../scripts/judge/read_recorded.py"


rule assemble_jury:
    """The verdicts of a jury or a cascade from those of its members; no model is asked."""
    input:
        item_sets=paths.inputs(paths.ITEMS, suites.panel_item_sets, "panel", "suite"),
        verdicts=paths.inputs(paths.VERDICTS, suites.panel_units, "panel", "suite"),
    output:
        renamed(paths.VERDICTS, judge="panel"),
        paths.PANEL_RECORD,
    log:
        "<logs>/assemble_jury/{panel}/{suite}.log",
    benchmark:
        "<benchmarks>/assemble_jury/{panel}/{suite}.tsv"
    wildcard_constraints:
        panel=one_of(study.panels),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        panel=of(suites.panel, "panel"),
        development=of(suites.panel_development, "panel", "suite"),
        suites=of(suites.panel_suites, "panel", "suite"),
        units=of(suites.panel_units, "panel", "suite"),
        seed=settings.seed,
        code=script_digest("judge/assemble_jury"),
    script:
        "../scripts/judge/assemble_jury.py"


localrules:
    split_pairs,
    link_endpoint,
    judge_endpoint,
    parse_replies,
    compare_grades,
    answer_baselines,
    read_recorded,
    assemble_jury,

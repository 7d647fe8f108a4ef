"""Input functions of rules/report.smk, and of `rule all`."""

from judgemerge.study.layout import ENCODER_MANIFEST

COMPARED = ("comparisons", "humans", "bias")  # tables made by rules/compare.smk


def study_results(wildcards):
    """Everything that `rule all` asks for."""
    return [results_file("run.json"), *everything_but_the_record()]


def failing_pairs():
    """Return (judge, benchmark) wherever verdicts may be missing because their judge failed; baselines' cannot."""
    pairs = [(judge, name) for name in study.benchmarks for judge in study.judges_of(name)]
    return [(judge, name) for judge, name in pairs if study.kind(judge) != "baseline"]


def failing_verdicts(wildcards):
    """The verdicts of `failing_pairs`, in that order."""
    return [ancient(path) for path in each(VERDICTS, study.in_suites(failing_pairs()))]


def other_results(wildcards):
    """What `rule all` asks for besides the record of the run, which waits for it and does not depend on it."""
    return [ancient(path) for path in everything_but_the_record()]


def everything_but_the_record():
    """Return the tables, figures and checks of the study."""
    judged = ("agreement", "items", *COMPARED) if study.judges else ()
    tables = [f"{name}.{kind}" for name in judged for kind in ("csv", "html")]
    recorded = ["recorded.csv", "recorded.html"] if recorded_pairs() else []
    published = ["published.csv", "published.html", "published.ok"] if EXPECTED else []
    overlap = ["overlap.csv", "overlap.html"] if study.overlap_pairs else []
    unified = ["unified.csv", "unified.html"] if settings["unified_table"] else []
    checks = [results_file("checks/{name}.export.json", name=name) for name in study.lora_experts]
    statements = ["statements.csv", "statements.html"] if stating_pairs() else []
    replies = ["replies.csv", "replies.html"] if written_pairs() else []
    return [
        *(
            results_file(f"tables/{name}")
            for name in [*tables, *recorded, *published, *overlap, *replies, *statements, *unified]
        ),
        *checks,
        *endpoint_results(),
        *quantization_results(),
        *ablation_results(),
        *(path for pattern in (TABLE, PAGE) for path in each(pattern, tables_of_studies())),
        *(results_file(f"figures/{name}.{kind}") for name in study_figures() for kind in ("svg", "png")),
        *merge_cards(),
        *(embedding_results() if study.embedding else []),
    ]


def tables_of_studies():
    """The tables of searches, comparisons of models and the screening."""
    compared = [f"model_comparison_{name}" for name in study.comparisons.comparisons]
    return [
        *(f"search_{name}" for name in study.searches),
        *compared,
        *(["screening"] if "screening" in settings else []),
    ]


def embedding_results():
    """The tables, the page and the figures of embedding models."""
    figures = ["retrieval", "forgetting"]
    tables = each(TABLE, ["retrieval", "retrieval_differences"])
    return [*tables, *each(PAGE, ["retrieval"]), *each(FIGURE, figures), *each(FIGURE_PNG, figures)]


def recorded_tables(wildcards):
    """The tables that the record of the run names."""
    judged = ["agreement", *COMPARED] if study.judges else []
    own = each(TABLE, ["retrieval", "retrieval_differences"]) if study.embedding else []
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


def study_manifests(wildcards):
    """The manifests of every model that a judge or a merge of the study uses."""
    needed = [judge for judge in study.judges if study.kind(judge) == "model"]
    needed += [name for name in study.comparisons.models_and_judges() if name not in needed]
    own = each(ENCODER_MANIFEST, study.embedding.final_models) if study.embedding else []
    return [*(results_file("models/{name}.json", name=name) for name in needed), *own]


def skill_benchmarks():
    """Return the first benchmark of pairs and the first of grades: the two skills that merges are shown on."""
    by_protocol = {study.protocol(name): name for name in reversed(study.benchmarks)}
    return [by_protocol[protocol] for protocol in ("pairwise", "pointwise") if protocol in by_protocol]


def asked_prompt_files():
    """The files of the prompts that judges are asked with: the page says whose words these are."""
    names = dict.fromkeys(name for prompts in study.asked_prompts.values() for name in prompts.values())
    return [f"config/prompts/{name}.yaml" for name in names]


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

"""Input functions of rules/report.smk, and of `rule all`."""

from judgemerge.study.layout import ENCODER_MANIFEST


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
    return [
        *CONTENTS.files(),
        *([results_file("tables/published.ok")] if EXPECTED else []),
        *(results_file("checks/{name}.export.json", name=name) for name in study.lora_experts),
        *each(CARD, study.merges),
    ]


def study_manifests(wildcards):
    """The manifests of every model that a judge or a merge of the study uses."""
    needed = [judge for judge in study.judges if study.kind(judge) == "model"]
    needed += [name for name in study.comparisons.models_and_judges() if name not in needed]
    own = each(ENCODER_MANIFEST, study.embedding.final_models) if study.embedding else []
    return [*(results_file("models/{name}.json", name=name) for name in needed), *own]


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

"""Foundation models → a table and a figure of what the same fine-tuning makes of them; training curves of experts."""


include: "inputs/screen.smk"


wildcard_constraints:
    screened=one_of(screening_bases()),


rule screen_base:
    """The loss of one foundation model on held-out answers after the screening's steps of fine-tuning."""
    input:
        item_sets=screening_items("train_on"),
        held_out=screening_items("evaluate_on"),
        prompt=screening_prompt,
        model="results/{study}/models/{screened}",
        manifest="results/{study}/models/{screened}.json",
    output:
        losses="results/{study}/screening/{screened}.json",
        curve="results/{study}/screening/{screened}.curve.csv",
    log:
        "results/{study}/logs/screen_base/{screened}.log",
    benchmark:
        "results/{study}/timings/screen_base/{screened}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "screen", "screened"),
        runtime=needed("runtime", "screen", "screened"),
        gpu=GPUS["judge_suite"],
    params:
        screening=settings.get("screening"),
        asked=screening_prompt_content(),
        common=settings["training"],
        judging=screening_judging,
        seed=settings["seed"],
        work="results/{study}/training/screening_{screened}",
    message:
        "Screening {wildcards.screened}"
    script:
        "../scripts/search/screen_base.py"


rule tabulate_screening:
    """The screened models side by side, with intervals."""
    input:
        screening_parts,
    output:
        table="results/{study}/tables/screening.csv",
    log:
        "results/{study}/logs/tabulate_screening.log",
    benchmark:
        "results/{study}/timings/tabulate_screening.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        bases=screening_bases(),
        steps=settings.get("screening", {}).get("steps"),
        statistics=settings["statistics"],
        code=script_digest("search/tabulate_screening"),
    message:
        "Tabulating the screening"
    script:
        "../scripts/search/tabulate_screening.py"


rule collect_curves:
    """training.csv: what was logged while the experts were trained, one below the other."""
    input:
        expert_curves,
    output:
        "results/{study}/tables/training.csv",
    log:
        "results/{study}/logs/collect_curves.log",
    benchmark:
        "results/{study}/timings/collect_curves.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        experts=list(study.experts),
        code=script_digest("search/collect_curves"),
    message:
        "Collecting the training curves"
    script:
        "../scripts/search/collect_curves.py"


localrules:
    tabulate_screening,
    collect_curves,

"""Tables → figures, pages of the report, and the record of the run."""


include: "inputs/report.smk"


report: "captions/study.rst"


rule draw_accuracy:
    """Accuracy of every judge on every benchmark of pairs, with intervals."""
    input:
        table="results/{study}/tables/agreement.csv",
    output:
        svg=report(
            "results/{study}/figures/accuracy.svg",
            caption="captions/accuracy.rst",
            category="Figures",
            labels={"figure": "Accuracy by judge and benchmark"},
        ),
        png="results/{study}/figures/accuracy.png",
    log:
        "results/{study}/logs/draw_figure/accuracy.log",
    benchmark:
        "results/{study}/timings/draw_figure/accuracy.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        figure="accuracy",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),
    message:
        "Drawing {params.figure}"
    script:
        "../scripts/report/draw_figure.py"


use rule draw_accuracy as draw_consistency with:
    output:
        svg=report(
            "results/{study}/figures/consistency.svg",
            caption="captions/consistency.rst",
            category="Figures",
            labels={"figure": "Position consistency and accuracy"},
        ),
        png="results/{study}/figures/consistency.png",
    log:
        "results/{study}/logs/draw_figure/consistency.log",
    benchmark:
        "results/{study}/timings/draw_figure/consistency.tsv"
    params:
        figure="consistency",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_grading with:
    output:
        svg=report(
            "results/{study}/figures/grading.svg",
            caption="captions/grading.rst",
            category="Figures",
            labels={"figure": "Grading: rank correlation by judge"},
        ),
        png="results/{study}/figures/grading.png",
    log:
        "results/{study}/logs/draw_figure/grading.log",
    benchmark:
        "results/{study}/timings/draw_figure/grading.tsv"
    params:
        figure="grading",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_merges with:
    output:
        svg=report(
            "results/{study}/figures/merges.svg",
            caption="captions/merges.rst",
            category="Figures",
            labels={"figure": "Merge methods on both skills"},
        ),
        png="results/{study}/figures/merges.png",
    log:
        "results/{study}/logs/draw_figure/merges.log",
    benchmark:
        "results/{study}/timings/draw_figure/merges.tsv"
    params:
        figure="merges",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=skill_benchmarks(),
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_differences with:
    input:
        table="results/{study}/tables/comparisons.csv",
    output:
        svg=report(
            "results/{study}/figures/differences.svg",
            caption="captions/differences.rst",
            category="Figures",
            labels={"figure": "Differences between judges"},
        ),
        png="results/{study}/figures/differences.png",
    log:
        "results/{study}/logs/draw_figure/differences.log",
    benchmark:
        "results/{study}/timings/draw_figure/differences.tsv"
    params:
        figure="differences",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_humans with:
    input:
        table="results/{study}/tables/humans.csv",
    output:
        svg=report(
            "results/{study}/figures/humans.svg",
            caption="captions/humans.rst",
            category="Figures",
            labels={"figure": "Judges among people"},
        ),
        png="results/{study}/figures/humans.png",
    log:
        "results/{study}/logs/draw_figure/humans.log",
    benchmark:
        "results/{study}/timings/draw_figure/humans.tsv"
    params:
        figure="humans",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_bias_position with:
    input:
        table="results/{study}/tables/bias.csv",
    output:
        svg=report(
            "results/{study}/figures/bias_position.svg",
            caption="captions/bias_position.rst",
            category="Figures",
            labels={"figure": "Bias: position"},
        ),
        png="results/{study}/figures/bias_position.png",
    log:
        "results/{study}/logs/draw_figure/bias_position.log",
    benchmark:
        "results/{study}/timings/draw_figure/bias_position.tsv"
    params:
        figure="bias_position",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


use rule draw_accuracy as draw_bias_length with:
    input:
        table="results/{study}/tables/bias.csv",
    output:
        svg=report(
            "results/{study}/figures/bias_length.svg",
            caption="captions/bias_length.rst",
            category="Figures",
            labels={"figure": "Bias: length"},
        ),
        png="results/{study}/figures/bias_length.png",
    log:
        "results/{study}/logs/draw_figure/bias_length.log",
    benchmark:
        "results/{study}/timings/draw_figure/bias_length.tsv"
    params:
        figure="bias_length",
        kinds=judge_kinds(),
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


rule render_tables:
    """The tables as pages of the report."""
    input:
        agreement="results/{study}/tables/agreement.csv",
        comparisons="results/{study}/tables/comparisons.csv",
        humans="results/{study}/tables/humans.csv",
        bias="results/{study}/tables/bias.csv",
        item_counts="results/{study}/tables/items.csv",
        overlap=overlap_table,
        prompts=asked_prompt_files(),
    output:
        agreement=report(
            "results/{study}/tables/agreement.html",
            caption="captions/agreement.rst",
            category="Tables",
            labels={"table": "Agreement with people"},
        ),
        comparisons=report(
            "results/{study}/tables/comparisons.html",
            caption="captions/comparisons.rst",
            category="Tables",
            labels={"table": "Which judge is better"},
        ),
        humans=report(
            "results/{study}/tables/humans.html",
            caption="captions/humans_table.rst",
            category="Tables",
            labels={"table": "People, and judges among them"},
        ),
        bias=report(
            "results/{study}/tables/bias.html",
            caption="captions/bias.rst",
            category="Tables",
            labels={"table": "What sways the judges"},
        ),
        item_counts=report(
            "results/{study}/tables/items.html",
            caption="captions/items.rst",
            category="Tables",
            labels={"table": "Items"},
        ),
    log:
        "results/{study}/logs/render_tables.log",
    benchmark:
        "results/{study}/timings/render_tables.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        labels=study.labels,
        left_out=study.left_out_suites,
        confidence=lookup(within=settings, dpath="statistics/confidence"),
        prompts=study.asked_prompts,
        code=script_digest("report/render_tables"),
    message:
        "Rendering the tables"
    script:
        "../scripts/report/render_tables.py"


rule write_run_record:
    """run.json: everything that a number of this study depends on. Made last; fails for judges that could not judge."""
    input:
        manifests=study_manifests,
        tables=recorded_tables,
        verdicts=failing_verdicts,
        others=other_results,
    output:
        "results/{study}/run.json",
    log:
        "results/{study}/logs/write_run_record.log",
    benchmark:
        "results/{study}/timings/write_run_record.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        settings={key: value for key, value in settings.items() if key != "mirror"},
        sources=source_record(),
        judged=failing_pairs(),
        checkout=workflow.basedir,
        timings="results/{study}/timings",
        software=software_deployment(),
        code=script_digest("report/write_run_record"),
    message:
        "Writing the record of the run"
    script:
        "../scripts/report/write_run_record.py"


localrules:
    draw_accuracy,
    draw_consistency,
    draw_grading,
    draw_merges,
    draw_differences,
    draw_humans,
    draw_bias_position,
    draw_bias_length,
    render_tables,
    write_run_record,

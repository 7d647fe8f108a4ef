"""Items, verdicts and replies → tables → pages and figures of the report, and the record of the run.

What a table is made of, how it looks and what it is called stands in its module in judgemerge/report/tables/.
"""

from judgemerge.core.provenance import deployment_words
from judgemerge.report import explorer
from judgemerge.report.contents import Contents
from judgemerge.report.inert import packed

CONTENTS = Contents(study)


report: "captions/study.rst"


wildcard_constraints:
    figure=one_of(CONTENTS.figures),


rule make_table:
    """One table, as its module computes it from items, verdicts and replies."""
    input:
        of(CONTENTS.table_inputs, "table"),
    output:
        paths.TABLE,
    log:
        "<logs>/make_table/{table}.log",
    benchmark:
        "<benchmarks>/make_table/{table}.tsv"
    wildcard_constraints:
        table=one_of(CONTENTS.tabulated),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        table=of(CONTENTS.table_parameters, "table"),
        code=CONTENTS.digest("report/make_table", "table"),
    script:
        "../scripts/report/make_table.py"


rule render_page:
    """One table as a page of the report."""
    input:
        of(CONTENTS.page_inputs, "table"),
        table=paths.TABLE,
    output:
        report(
            paths.PAGE,
            caption="captions/result.rst",
            category="Tables",
            labels=of(CONTENTS.table_labels, "table"),
        ),
    log:
        "<logs>/render_page/{table}.log",
    benchmark:
        "<benchmarks>/render_page/{table}.tsv"
    wildcard_constraints:
        table=one_of(CONTENTS.pages),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        caption=of(CONTENTS.caption, "table"),
        page=of(chained(CONTENTS.page_parameters, packed), "table"),
        code=CONTENTS.digest("report/render_page", "table"),
    script:
        "../scripts/report/render_page.py"


rule draw_figure:
    """One figure, from the one table that it belongs to."""
    input:
        table=of(CONTENTS.figure_table, "figure"),
    output:
        svg=report(
            paths.FIGURE,
            caption="captions/result.rst",
            category="Figures",
            labels=of(CONTENTS.figure_labels, "figure"),
        ),
        png=paths.FIGURE_PNG,
    log:
        "<logs>/draw_figure/{figure}.log",
    benchmark:
        "<benchmarks>/draw_figure/{figure}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        caption=of(CONTENTS.figure_caption_in_report, "figure"),
        figure=of(chained(CONTENTS.figure_parameters, packed), "figure"),
        code=CONTENTS.digest("report/draw_figure", "figure"),
    script:
        "../scripts/report/draw_figure.py"


rule write_first_page:
    """What came out of the study, in words, with the figures that matter: README.md, and the first page of the report."""
    input:
        tables=each(paths.TABLE, CONTENTS.telling),
        figures=each(paths.FIGURE, CONTENTS.first_figures),
    output:
        readme=paths.README,
        page=report(
            paths.FIRST_PAGE, caption="captions/result.rst", category="Answer", labels={"page": "What came out"}
        ),
    log:
        "<logs>/write_first_page.log",
    benchmark:
        "<benchmarks>/write_first_page.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        caption="What came out, from the tables of this study; figures and numbers below are the same as on their pages.",
        names=CONTENTS.telling,
        page=packed(CONTENTS.first_page_parameters()),
        code=CONTENTS.first_page_digest("report/write_first_page"),
    script:
        "../scripts/report/write_first_page.py"


rule write_explorer:
    """Every table and every judged item in one page that needs no server; the report has a smaller copy of it."""
    input:
        CONTENTS.explorer_inputs(),
    output:
        page=paths.EXPLORER,
        page_in_report=report(
            paths.EXPLORER_IN_REPORT, caption="captions/result.rst", category="Explorer", labels={"page": "Explorer"}
        ),
    log:
        "<logs>/write_explorer.log",
    benchmark:
        "<benchmarks>/write_explorer.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(20),
    params:
        caption="Tables that sort and filter, and the items behind them: texts, votes, verdicts, replies. ``explorer.html`` beside "
        "the report holds all of them; inside of the report browsers show two megabytes at most.",
        page=packed(CONTENTS.explorer_parameters()),
        web=explorer.digest(),
        code=script_digest("report/write_explorer"),
    script:
        "../scripts/report/write_explorer.py"


rule write_run_record:
    """run.json: everything that a number of this study depends on. Made last; fails for judges that could not judge."""
    input:
        manifests=CONTENTS.manifests(),
        tables=CONTENTS.recorded(),
        verdicts=ancient(each(paths.VERDICTS, study.in_suites(CONTENTS.fallible_pairs()))),
        others=ancient(CONTENTS.files()),  # the record of the run waits for them, and does not depend on them
    output:
        paths.RUN_RECORD,
    log:
        "<logs>/write_run_record.log",
    benchmark:
        "<benchmarks>/write_run_record.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        settings={key: value for key, value in settings.plain().items() if key != "mirror"},
        sources=CONTENTS.sources(),
        judged=CONTENTS.fallible_pairs(),
        checkout=os.path.relpath(workflow.basedir),
        timings=paths.TIMINGS,
        software=deployment_words(workflow.deployment_settings.deployment_method),
        code=script_digest("report/write_run_record"),
    script:
        "../scripts/report/write_run_record.py"


localrules:
    render_page,
    draw_figure,
    write_first_page,
    write_run_record,

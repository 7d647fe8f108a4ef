"""endpoints.csv: what the replies of every endpoint cost, in tokens and money, and how many prompts got none."""

from collections.abc import Sequence
from typing import Any

from judgemerge.report.markup import TEXT, formatted
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Frame, Inputs, Section, Study, Table

COLUMNS = {
    "judge": Column("name of the judge"),
    "model": Column("name of the model at the endpoint"),
    "host": Column("host of the endpoint"),
    "suite": Column("benchmark suite"),
    "replies": Column("number of different prompts with a reply", "d"),
    "errors": Column("number of prompts without a reply", "d"),
    "prompt_tokens": Column("tokens of these prompts, as the endpoint counted them", "d"),
    "reply_tokens": Column("tokens of the replies, as the endpoint counted them", "d"),
    "cost": Column("price of both at the study's price_per_million; empty where it has none", TEXT),
    "note": Column("what is missing from the sums"),
}


def endpoint_units(study: Study) -> list[tuple[str, str]]:
    """Return (judge, suite) for every suite that a judge behind an endpoint answers."""
    endpoints = study.models_by_origin("endpoint")
    judges = [judge for judge in study.judges if judge in endpoints]
    return [(judge, suite) for judge in judges for suite in study.suites if study.benchmarks_of(judge, suite)]


def units(study: Study) -> list[tuple[str, str, str]]:
    """Return (judge, suite, one benchmark of it)."""
    return [(judge, suite, study.benchmarks_of(judge, suite)[0]) for judge, suite in endpoint_units(study)]


def inputs(study: Study) -> Inputs:
    """Return the replies of every endpoint."""
    return Inputs(replies=[(judge, benchmark) for judge, _, benchmark in units(study)])


def parameters(study: Study) -> dict[str, Any]:
    """Return the suites, and what every endpoint is."""
    entries = {judge: study.models[judge].endpoint.plain() for judge, _ in endpoint_units(study)}
    return {"units": units(study), "entries": entries}


def rows(material: Material, units: list[tuple[str, str, str]], entries: dict[str, dict]) -> Frame:
    """Return one row per judge and suite; a judge that failed has none."""
    import pandas as pd

    from judgemerge.judge import endpoints
    from judgemerge.settings.models import Endpoint

    lines = [
        endpoints.table_row(judge, Endpoint.of(entries[judge]), suite, material.suite_replies(judge, benchmark))
        for judge, suite, benchmark in units
        if not material.reason(judge, benchmark, kind="replies")
    ]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return all rows."""
    return [("Replies and their cost", formatted(table, COLUMNS))]


TABLE = Table(
    title="API endpoints: tokens and cost",
    caption="What the replies of every model behind an endpoint cost: tokens as the endpoint counted them, and their "
    "price at the study's ``price_per_million``. Equal prompts are asked and paid once; discounts (for cached prompts, "
    "say) and attempts without a reply are not counted. ``errors`` are prompts without a reply: run again with "
    "``--forcerun judge_endpoint``, and only they are asked again. ``endpoints.csv`` has the same rows.",
    columns=COLUMNS,
    condition=endpoint_units,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro="Tokens as the endpoint counted them, and their price; equal prompts are paid once. Discounts and attempts "
    "without a reply are not counted. Errors are prompts without a reply.",
    sections=sections,
)

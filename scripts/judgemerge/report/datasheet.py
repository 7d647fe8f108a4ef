"""The datasheet of a study: what was judged, by whom it was labelled, where it comes from, and what may be handed on.

It answers, for every item set, the questions of Gebru et al. (2021, "Datasheets for Datasets") that the catalogue and
the counts can answer. It is the text of the card of an export, and DATASHEET.md in a crate.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.report import sharing
from judgemerge.report.tables.items import counted_sets
from judgemerge.study import layout
from judgemerge.study.study import Study


def datasheet(study: Study, record: Mapping[str, Any], results: Path) -> list[str]:
    """Return the lines of the datasheet; `record` is run.json, `results` the folder of the study."""
    return [
        *_about(study, record),
        "## Item sets",
        "",
        *(line for name in counted_sets(study) for line in _item_set(study, record, results, name)),
        "## Judges",
        "",
        *_judges(study),
    ]


def _about(study: Study, record: Mapping[str, Any]) -> Iterator[str]:
    about, git = study.settings.about, record["git"]
    yield study.settings.description or "Agreement of judges with people."
    yield ""
    names = [author.full_name for author in about.authors]
    said = {
        "Authors of the results": ", ".join(names),
        "Publisher": about.publisher,
        "Licence of the results": about.licence,
        "Where the study is published": about.source,
        "Made with": f"judgemerge, {'no git checkout' if git['commit'] is None else 'commit ' + git['commit']}"
        f"{', with uncommitted changes' if git['dirty'] else ''}",
    }
    yield from (f"- {label}: {text}" for label, text in said.items() if text)
    yield ""


def _item_set(study: Study, record: Mapping[str, Any], results: Path, name: str) -> Iterator[str]:
    entry = study.catalogues.benchmarks[name]
    permission = sharing.of_items(study, name)
    yield f"### {name}"
    yield ""
    yield f"{entry['description']}."
    yield ""
    said = {
        "Used for": _use(study, name),
        "What is judged": {"pairwise": "two responses to a prompt", "pointwise": "one response"}.get(entry["protocol"]),
        "Items": _counted(results, name),
        "Gold label": entry["truth"],
        "Labelled by": entry.get("truth_by", "people") + (f" ({entry['annotators']})" if "annotators" in entry else ""),
        "Categories": entry.get("category"),
        "Texts and votes may be handed on": f"{'yes' if permission.allowed else 'no'}, {permission.reason}",
    }
    yield from (f"- {label}: {text}" for label, text in said.items() if text)
    sources = sharing.addresses(record["sources"], study.benchmark_sources(name).values())
    for key, source in sources.items():
        place = source["url"] or "a file of the authors"
        yield f"- Raw file `{key}`: {place}, sha256 `{source['sha256']}`, {source['licence']}"
    yield ""


def _use(study: Study, name: str) -> str:
    uses = ["benchmark"] if name in study.benchmarks else []
    uses += [study.known_prompts[name]] if name in study.known_prompts else []
    return "; ".join(uses)


def _counted(results: Path, name: str) -> str:
    path = results / Path(*Path(layout.ITEM_COUNTS.format(study="study", benchmark=name)).parts[2:])
    if not path.is_file():
        return ""
    counts = files.read_json(path)
    drawn = f", drawn from {counts['drawn_from']}" if "drawn_from" in counts else ""
    truth = ", ".join(f"{label} {n}" for label, n in (counts.get("truth") or {}).items() if isinstance(n, int))
    votes = f"; {counts['votes_on_items']} votes" if counts.get("votes_on_items") else ""
    return f"{counts['items']}{drawn}, {counts['clusters']} prompts{votes}{f'; gold labels: {truth}' if truth else ''}"


def _judges(study: Study) -> Iterator[str]:
    yield "| judge | kind | called | on |"
    yield "|---|---|---|---|"
    for judge in study.judges:
        benchmarks = [name for name in study.benchmarks if study.answers(judge, name)]
        if benchmarks:
            yield f"| {judge} | {study.kind(judge)} | {study.labels[judge]} | {', '.join(benchmarks)} |"
    yield ""

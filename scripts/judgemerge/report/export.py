"""Results for others: items and verdicts as a data set with a card, and Every Eval Ever records.

The folder is laid out as the places that take it want it: README.md with its metadata is the card of a data set on the
Hugging Face hub, `every_eval_ever/data/` what the datastore of Every Eval Ever takes. Texts and votes of items are in
it where their licence allows that, else their ids and digests; verdicts of recorded judges likewise.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.card_metadata import head, licence_fields
from judgemerge.core.items import Item, Verdict
from judgemerge.report import every_eval, sharing
from judgemerge.report.datasheet import datasheet
from judgemerge.report.material import Material
from judgemerge.study.study import Study

MANIFEST = "export.json"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
DIGESTED = ("turns", "responses", "reference")
ABOUT_FILES = """\
Each benchmark has two tables. `items/` has the items: where texts may be handed on with texts, votes and gold labels,
else ids alone. `sha256` is that of the JSON list [turns, responses, reference] without blanks, in UTF-8, so that who
has the texts can check that they are the same; `source` and `row` (from 0) say where an item stands in the raw file.
`verdicts/` has what every judge said of every item, both orders: `outcome` in the benchmark's own order, or `score`;
`right` says whether it is the gold label, where that may be handed on, `reason` why a reply could not be read, `raw`
what was matched in it, `confidence` how likely the judge finds its verdict. `every_eval_ever/` has the agreement of
every judge with people as records of [Every Eval Ever](https://evalevalai.com), with intervals; `model_cards/` the
cards of merged models."""


def write(
    study: Study, record: Mapping[str, Any], results: Path, folder: Path, finished: float, version: str
) -> dict[str, Any]:
    """Write the export of a finished study to an empty folder and return what is in it: {file: sha256}, and counts.

    `record` is run.json, `finished` the time when the results were, `version` that of judgemerge.
    """
    material = Material(study.name, {name: study.suite_of(name) for name in study.benchmarks})
    n_rows = 0
    for benchmark in study.benchmarks:
        items = material.items(benchmark)
        verdicts = verdicts_to_share(study, material, benchmark)
        allowed = sharing.of_items(study, benchmark).allowed
        n_rows += files.write_jsonl(
            _new(folder / f"items/{benchmark}.jsonl"), (item_row(one, allowed) for one in items)
        )
        by_id = {item.id: item for item in items}
        rows = (
            verdict_row(judge, by_id[one.item], one, allowed)
            for judge, some in verdicts.items()
            for one in some
            if one.item in by_id
        )
        n_rows += files.write_jsonl(_new(folder / f"verdicts/{benchmark}.jsonl"), rows)
    every_eval.write(study, record, material, folder / "every_eval_ever", finished, version)
    for merge in study.merges:
        model_card = results / "cards" / f"{merge}.md"
        if model_card.is_file():
            shutil.copyfile(model_card, _new(folder / "model_cards" / model_card.name))
    with files.atomic_writer(folder / "README.md") as file:
        file.write(card(study, record, results, n_rows))
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    contents = {"study": study.name, "files": {name: files.sha256_file(folder / name) for name in names}}
    files.write_json(folder / MANIFEST, contents)
    return contents


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def verdicts_to_share(study: Study, material: Material, benchmark: str) -> dict[str, list[Verdict]]:
    """Return the verdicts on a benchmark that may be handed on, by judge; judges that could not judge have none."""
    judges = [judge for judge in study.judges_of(benchmark) if sharing.of_verdicts(study, judge, benchmark).allowed]
    return {judge: material.verdicts(judge, benchmark) for judge in judges if not material.reason(judge, benchmark)}


def digest_of(item: Item) -> str:
    """Return the sha256 of what an item asks, as ABOUT_FILES says."""
    return every_eval.sha256(
        json.dumps([getattr(item, name) for name in DIGESTED], ensure_ascii=False, separators=(",", ":"))
    )


def item_row(item: Item, allowed: bool) -> dict[str, Any]:
    """Return an item as a row; every row of a benchmark has the same columns, each of one type."""
    row = {
        "id": item.id,
        "benchmark": item.benchmark,
        "protocol": item.protocol,
        "sha256": digest_of(item),
        "source": str(item.origin.get("source")),
        "row": json.dumps(item.origin.get("row")),
    }
    if not allowed:
        return row
    return row | {
        "turns": list(item.turns),
        "responses": [list(response) for response in item.responses],
        "models": list(item.models),
        "reference": item.reference,
        "category": item.category,
        "truth": item.truth,
        "votes": [{"annotator": vote.annotator, "vote": vote.vote} for vote in item.votes],
        "cluster": item.cluster,
        "extra": json.dumps(item.extra, ensure_ascii=False, default=str),
    }


def verdict_row(judge: str, item: Item, verdict: Verdict, allowed: bool) -> dict[str, Any]:
    """Return a verdict as a row.

    Where texts and labels are not handed on, `right` would tell the label, and what was matched may be a text.
    """
    return {
        "judge": judge,
        "benchmark": item.benchmark,
        "item": verdict.item,
        "order": verdict.order,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "right": every_eval.is_right(item, verdict) if allowed else None,
        "reason": verdict.reason,
        "raw": every_eval.matched(verdict, allowed),
        "cut": verdict.cut,
        "confidence": verdict.confidence,
        "probabilities": json.dumps(verdict.probabilities) if verdict.probabilities else None,
    }


# ---- the card ----


def card(study: Study, record: Mapping[str, Any], results: Path, n_rows: int) -> str:
    """Return README.md: metadata for the hub, what the files hold, what was left out and why, the datasheet."""
    lines = [
        *head(metadata(study, n_rows)),
        f"# Judges and people: {study.name}",
        "",
        "## What is in it",
        "",
        ABOUT_FILES,
        "",
        *_left_out(study),
        *datasheet(study, record, results),
    ]
    return "\n".join(lines).rstrip() + "\n"


def metadata(study: Study, n_rows: int) -> dict[str, Any]:
    """Return what the hub reads: licences of the results and of what is handed on, a configuration per table."""
    licences = [study.settings.about.licence] if study.settings.about.licence else []
    for benchmark in study.benchmarks:
        permissions = [sharing.of_items(study, benchmark)]
        permissions += [sharing.of_verdicts(study, judge, benchmark) for judge in study.judges_of(benchmark)]
        licences += [licence for one in permissions if one.allowed for licence in one.licences]
    fields = [licence_fields(licence) for licence in dict.fromkeys(licences)]
    names = list(dict.fromkeys(entry["license"] for entry in fields))
    words = {name: text for entry in fields for name, text in entry.items()}
    words |= {"license": names if len(names) > 1 else names[0]} if names else {}
    return {
        "pretty_name": f"Judges and people: {study.name}",
        **(words if study.settings.about.licence else {}),
        "tags": ["llm-as-a-judge", "evaluation", "human-feedback", "judgemerge"],
        "size_categories": [next((name for limit, name in SIZES if n_rows < limit), "1M<n<10M")],
        "configs": [
            {"config_name": f"{benchmark}_{kind}", "data_files": f"{kind}/{benchmark}.jsonl"}
            for benchmark in study.benchmarks
            for kind in ("items", "verdicts")
        ],
    }


def _left_out(study: Study) -> Iterator[str]:
    texts = {name: sharing.of_items(study, name) for name in study.benchmarks}
    entries = [
        f"texts, votes and gold labels of {name} ({one.reason})" for name, one in texts.items() if not one.allowed
    ]
    for judge in study.judges:
        refused = {
            one.reason: None
            for name in study.benchmarks
            if study.answers(judge, name) and not (one := sharing.of_verdicts(study, judge, name)).allowed
        }
        entries += [f"verdicts of {judge} ({reason})" for reason in refused]
    if not study.settings.about.licence:
        entries.append(
            "a licence of the results: the study names none, so nobody may pass them on; set `about.licence`"
        )
    if entries:
        yield "Left out:"
        yield ""
        yield from (f"- {entry}" for entry in entries)
        yield ""

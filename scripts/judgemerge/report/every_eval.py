"""Agreement of judges as records of Every Eval Ever (schema 0.3.0, https://pypi.org/project/every-eval-ever/).

One record is one judge: its agreement on every benchmark in every metric of our own rules, with intervals. Beside it
lie its verdicts, one line per item and order, where they and the items may be handed on. What the schema wants and a
study does not know is `unknown`, never made up.
"""

import hashlib
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.items import NOT_ASKED, Item, Verdict
from judgemerge.core.provenance import SHARED_ENVIRONMENT
from judgemerge.evaluate.metrics import METRICS
from judgemerge.prompting.parsing import Reply
from judgemerge.report import sharing
from judgemerge.report.material import Material
from judgemerge.study.study import Study

SCHEMA = "0.3.0"
LONGEST_MATCH = 200  # characters
LIBRARY = "judgemerge"
INTERVALS = "by prompts: Wilson for proportions, Fisher's scale for correlations, else BCa bootstrap"
UNKNOWN = {"deployment_type": "unknown", "model_availability": "unknown"}
OPEN = {"deployment_type": "self_deployed", "model_availability": "open_weights"}


def write(
    study: Study, record: Mapping[str, Any], material: Material, folder: Path, finished: float, version: str
) -> list[Path]:
    """Write the records of a study and return them.

    `finished` is when its results were, in seconds since 1970, `version` that of judgemerge.
    """
    agreement = material.table("agreement")
    paths = []
    for judge in study.judges:
        rows = agreement[(agreement.judge == judge) & (agreement.rules == "house") & agreement.value.notna()]
        rows = rows[rows.benchmark.isin(study.benchmarks) & ~rows.metric.str.contains("[", regex=False)]
        if study.kind(judge) == "baseline" or rows.empty:
            continue
        made = _Made(int(finished), version, record["git"]["commit"] or "unknown")
        paths.append(_write_judge(study, record, material, folder, made, judge, rows.to_dict("records")))
    return paths


class _Made(NamedTuple):
    """When results were finished, and by which code."""

    finished: int
    version: str
    commit: str


def _write_judge(
    study: Study,
    record: Mapping[str, Any],
    material: Material,
    folder: Path,
    made: _Made,
    judge: str,
    rows: Sequence[Mapping[str, Any]],
) -> Path:
    about = model_info(study, record, judge)
    collection = f"{LIBRARY}_{study.name}"
    evaluation = f"{study.name}.{judge}/{about['id']}/{made.finished}"
    place = Path("data", collection, *about["id"].split("/", 1))
    name = str(uuid.UUID(bytes=hashlib.sha256(evaluation.encode()).digest()[:16], version=4))
    aggregate, samples = folder / place / f"{name}.json", folder / place / f"{name}_samples.jsonl"
    aggregate.parent.mkdir(parents=True, exist_ok=True)
    shared = {"schema_version": SCHEMA, "evaluation_id": evaluation}
    results = {f"{row['benchmark']}/{row['metric']}" for row in rows}
    lines = ({**shared, "model_id": about["id"], **line} for line in _samples(study, material, judge, results))
    n_lines = files.write_jsonl(samples, lines)
    detailed = {
        "format": "jsonl",
        "file_path": (place / samples.name).as_posix(),
        "hash_algorithm": "sha256",
        "checksum": files.sha256_file(samples),
        "total_rows": n_lines,
    }
    if not n_lines:
        samples.unlink()
    files.write_json(
        aggregate,
        {
            **shared,
            "evaluation_timestamp": str(made.finished),
            "retrieved_timestamp": str(made.finished),
            "source_metadata": _source_metadata(study, judge),
            "eval_library": {
                "name": LIBRARY,
                "version": made.version,
                "additional_details": {"commit": made.commit},
            },
            "model_info": about,
            "evaluation_results": [_result(study, record, judge, row) for row in rows],
            **({"detailed_evaluation_results": detailed} if n_lines else {}),
        },
    )
    return aggregate


# ---- who judged, and who says so ----


def slug(text: str) -> str:
    """Return a name that can be a folder anywhere."""
    return "".join(char if char.isalnum() and char.isascii() else "-" for char in text.lower()).strip("-") or "unnamed"


def namespace(study: Study) -> str:
    """Return whose models those of the study are: its publisher, its first author, where nobody is named its name."""
    about = study.settings.about
    first = about.authors[0] if about.authors else None
    return slug(about.publisher or (first and first.full_name) or study.name)


def model_info(study: Study, record: Mapping[str, Any], judge: str) -> dict[str, Any]:
    """Return what is known of the model behind a judge; models of the hub and endpoints have their own names."""
    model = study.model_of(judge)
    kind, entry = study.kind(judge), study.models.get(model)
    details = {**UNKNOWN, "judge": judge, "kind": kind}
    identity = f"{namespace(study)}/{study.name}-{judge}"
    engine = None
    if kind == "model":
        engine = study.backend_of(judge)
        details |= OPEN if entry and entry.repo else {"deployment_type": "self_deployed"}
        details |= {"digest": record["models"][model]} if isinstance(record.get("models", {}).get(model), str) else {}
        details |= {"made_from": ", ".join(study.made_from(judge))} if study.made_from(judge) else {}
    if entry and entry.repo:
        identity, details = entry.repo, details | {"revision": str(entry.revision)}
    elif entry and entry.endpoint:
        identity = entry.endpoint.model if "/" in entry.endpoint.model else f"endpoint/{slug(entry.endpoint.model)}"
        details |= {"deployment_type": "externally_managed"}
    elif kind == "recorded":
        identity = f"recorded/{judge}"
    if judge in study.panels:
        details |= {"members": ", ".join(study.panels[judge].members)}
    if judge in study.judges_from_grades:
        details |= {"grades_of": study.judges_from_grades[judge]}
    about = {"name": study.labels[judge], "id": identity, "additional_details": details}
    versions = record["versions"] if record.get("deployment") == SHARED_ENVIRONMENT else {}
    version = versions.get({"llama_cpp": "llama-cpp-python"}.get(engine or "", engine or ""))
    return about | (
        {"inference_engine": {"name": engine} | ({"version": version} if version else {})} if engine else {}
    )


def _source_metadata(study: Study, judge: str) -> dict[str, Any]:
    about = study.settings.about
    names = [author.full_name for author in about.authors]
    model = study.model_of(judge)
    is_own = model in study.model_names and model not in study.models
    said = {"source_name": f"judgemerge, study {study.name}", "source_type": "evaluation_run"}
    said |= {"source_organization_name": about.publisher or ", ".join(names) or "unknown"}
    said |= {"source_organization_url": about.source} if about.source else {}
    said |= {"evaluator_relationship": "first_party" if is_own else "third_party"}
    return said | ({"additional_details": {"licence": about.licence}} if about.licence else {})


# ---- agreement ----


def bounds(protocol: str, metric: str) -> tuple[float | str, float | str]:
    """Return between which numbers a metric lies, as the schema writes them."""
    entry = METRICS[protocol].get(metric)
    if entry is None or entry.correlation or entry.fisher or metric.startswith("kappa"):
        return -1, 1
    if entry.proportion or metric.startswith("macro_"):
        return 0, 1
    return (0, "Infinity") if entry.lower_is_better else ("-Infinity", "Infinity")


def _result(study: Study, record: Mapping[str, Any], judge: str, row: Mapping[str, Any]) -> dict[str, Any]:
    protocol, metric = row["protocol"], row["metric"]
    entry = METRICS[protocol].get(metric)
    low, high = bounds(protocol, metric)
    counted = {name: f"{row[name]:g}" for name in ("n", "errors", "clusters") if _is_number(row.get(name))}
    details = {"score": float(row["value"]), "details": counted}
    uncertainty: dict[str, Any] = {"num_samples": int(row["n"])} if _is_number(row["n"]) else {}
    if _is_number(row["ci_low"]) and _is_number(row["ci_high"]):
        uncertainty["confidence_interval"] = {
            "lower": float(row["ci_low"]),
            "upper": float(row["ci_high"]),
            "confidence_level": study.settings.statistics.confidence,
            "method": INTERVALS,
        }
    result = {
        "evaluation_result_id": f"{row['benchmark']}/{metric}",
        "evaluation_name": row["benchmark"],
        "source_data": _source_data(study, record, row["benchmark"]),
        "metric_config": {
            "evaluation_description": entry.description
            if entry
            else f"{metric}: correlation with people at this level",
            "metric_id": metric
            if metric in ("accuracy", "macro_f1", "pearson", "spearman", "mae")
            else f"{LIBRARY}.{metric}",
            "metric_name": metric,
            "lower_is_better": metric.startswith("error_rate") or bool(entry and entry.lower_is_better),
            "score_type": "continuous",
            "min_score": low,
            "max_score": high,
        },
        "score_details": details | ({"uncertainty": uncertainty} if uncertainty else {}),
    }
    settings = _generation(study, judge, row)
    return result | ({"generation_config": settings} if settings else {})


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _generation(study: Study, judge: str, row: Mapping[str, Any]) -> dict[str, Any]:
    if study.kind(judge) != "model":
        return {}
    name = study.prompt(judge, row["protocol"])
    arguments: dict[str, Any] = {}
    if name:
        arguments["max_tokens"] = study.template(name).max_new_tokens
    sampling = study.settings.judging.sampling
    arguments |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    return {"generation_args": arguments, "additional_details": {"prompt": name or "unknown"}}


def _source_data(study: Study, record: Mapping[str, Any], benchmark: str) -> dict[str, Any]:
    sources = sharing.addresses(record["sources"], study.benchmark_sources(benchmark).values())
    urls = [source["url"] for source in sources.values() if source["url"]]
    said = (
        {"dataset_name": benchmark, "source_type": "url", "url": urls}
        if urls
        else {"dataset_name": benchmark, "source_type": "other"}
    )
    return said | {"additional_details": {"description": study.catalogues.benchmarks[benchmark]["description"]}}


# ---- verdicts ----


def is_right(item: Item, verdict: Verdict) -> bool | None:
    """Return whether a verdict is the gold label; an error is not; None where there is no gold label."""
    if item.truth is None:
        return None
    return (verdict.outcome if isinstance(item.truth, str) else verdict.score) == item.truth


def matched(verdict: Verdict, allowed: bool) -> str | None:
    """Return what was matched in a reply; where texts are not handed on, only what is too short to be one."""
    return verdict.raw if allowed or len(verdict.raw or "") <= LONGEST_MATCH else None


def sha256(text: str) -> str:
    """Return the digest of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def _samples(study: Study, material: Material, judge: str, results: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield what a judge said of every item with a gold label, where that and the item may be handed on."""
    results = set(results)
    for benchmark in study.benchmarks:
        if not study.answers(judge, benchmark) or material.reason(judge, benchmark):
            continue
        if not sharing.of_verdicts(study, judge, benchmark).allowed:
            continue
        if not sharing.of_items(study, benchmark).allowed:  # whether a verdict is right would tell the label
            continue
        items = {item.id: item for item in material.items(benchmark)}
        replies = _replies(study, material, judge, benchmark)
        metric = next((name for name in ("accuracy", "accuracy_first") if f"{benchmark}/{name}" in results), None)
        for verdict in material.verdicts(judge, benchmark):
            item = items.get(verdict.item)
            if item is not None and item.truth is not None and verdict.reason not in NOT_ASKED:
                line = _sample(item, verdict, replies.get((verdict.item, verdict.order)))
                yield line | ({"evaluation_result_id": f"{benchmark}/{metric}"} if metric else {})


def _replies(study: Study, material: Material, judge: str, benchmark: str) -> dict[tuple[str, str], Reply]:
    """Return the first reply to each item in each order; only models of the study have any."""
    if study.kind(judge) != "model":
        return {}
    replies: dict[tuple[str, str], Reply] = {}
    for reply in material.replies(judge, benchmark):
        replies.setdefault((reply.item, reply.order), reply)
    return replies


def _sample(item: Item, verdict: Verdict, reply: Reply | None) -> dict[str, Any]:
    """Return one line: what was asked, what was answered, and whether that is the gold label."""
    asked, reference = asked_text(item, verdict.order), [str(item.truth)]
    written = (reply.reply if reply else None) or verdict.raw or ""
    right = bool(is_right(item, verdict))
    line = {
        "evaluation_name": item.benchmark,
        "sample_id": item.id,
        "sample_hash": sha256(asked + "".join(reference)),
        "interaction_type": "single_turn",
        "input": {"raw": asked, "reference": reference},
        "output": {"raw": [written]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": verdict.answer or "",
                "extraction_method": "parser of judgemerge",
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": float(right), "is_correct": right},
        "metadata": {"order": verdict.order},
    }
    if verdict.outcome == "error":
        line["error"] = verdict.reason
    if reply and reply.prompt_tokens is not None and reply.reply_tokens is not None:
        counts = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.reply_tokens}
        line["token_usage"] = counts | {"total_tokens": reply.prompt_tokens + reply.reply_tokens}
    return line


def asked_text(item: Item, order: str) -> str:
    """Return prompt and responses in the order in which the judge saw them."""
    responses = item.responses if order == "original" else item.responses[::-1]
    parts = ["\n\n".join(item.turns)]
    parts += [f"Response {place}:\n" + "\n\n".join(turns) for place, turns in enumerate(responses, 1)]
    return "\n\n".join(parts)

"""A study's results as an RO-Crate (RO-Crate 1.1, Process Run Crate 0.5): what others need to check and cite them.

In the crate are the first page, tables, figures, scores, the record of the run, settings and catalogues, recipes, model
manifests and cards, the datasheet, counts and decisions of the embedding stages, and the verdicts of models and
baselines unless they are large. Left out are models, replies and raw data; the verdicts of recorded judges, which are
raw data of others in another form; the explorer, and the report that it stands in, which repeat the texts of items. Raw
files are named by address and sha256.

Every job is one CreateAction with times and a tool of its own: the rule, and the packages that do its work. Its results
and objects are files of the crate, raw files, and files in between that are not packed (items, replies), which are
described and not included. What stands behind such a file is an object, too, so that a reader who passes over it finds
the same origins. The lineage is read from `snakemake --detailed-summary`.
"""

import datetime
import html
import mimetypes
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.model.person import Person
from rocrate.model.softwareapplication import SoftwareApplication
from rocrate.rocrate import ROCrate
from rocrate.utils import as_list

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.provenance import SHARED_ENVIRONMENT, seconds_of

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE = "https://spdx.org/licenses/"
VERDICTS_LIMIT = 20_000_000  # bytes of all verdicts together
PATTERNS = (
    "tables/*",
    "figures/*",
    "scores/*.csv",
    "recipes/*",
    "models/*.json",
    "cards/*.md",
    "checks/*.json",
    "weights/*.json",
    "embedding/**/*.counts.json",
    "embedding/**/decision.json",
    "embedding/models/*.json",
    "embedding/review/*.csv",
    "README.md",
    "index.html",
    "run.json",
)
CATALOGUES = ("sources.yaml", "benchmarks.yaml", "recorded.yaml", "expected.tsv", "study.schema.json")
STUDY = "config/study.yaml"
DATASHEET = "DATASHEET.md"
KEPT = "#"  # begins the name of a file that is described and not included
HASHED = 200_000_000  # bytes up to which such a file has its sha256
# The packages that do the work of a rule; those of other rules are what Python and judgemerge bring along.
TOOLS = {
    "make_model": ("llamafactory", "transformers", "torch"),
    "train_expert": ("llamafactory", "peft", "transformers", "torch"),
    "export_expert": ("llamafactory", "peft", "torch"),
    "judge_checkpoints": ("peft", "transformers", "torch"),
    "train_trial": ("llamafactory", "peft", "transformers", "torch"),
    "merge_models": ("mergekit", "safetensors", "torch"),
    "merge_trials": ("mergekit", "safetensors", "torch"),
    "quantize_model": ("llama-cpp-python", "gguf"),
    "judge_suite_gguf": ("llama-cpp-python",),
    "score_benchmark": ("numpy", "scipy"),
    "compare_judges": ("numpy", "scipy", "statsmodels"),
    "make_table": ("pandas", "scipy", "krippendorff"),
    "draw_figure": ("matplotlib", "seaborn"),
    "train_encoder": ("sentence-transformers", "transformers", "torch"),
    "mix_embedders": ("safetensors", "torch"),
    "score_pairs": ("sentence-transformers", "bm25s", "torch"),
}
BACKENDS = {"transformers": ("transformers", "torch"), "vllm": ("vllm",)}  # of the rule judge_suite
# The catalogue whose entry decides what a rule makes, beside the settings of the study.
DECIDED_BY = {
    "fetch_source": "config/sources.yaml",
    "write_items": "config/benchmarks.yaml",
    "read_recorded": "config/recorded.yaml",
}
KINDS = {
    ".csv": "text/csv",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".tsv": "text/tab-separated-values",
}


@dataclass(frozen=True)
class Made:
    """How Snakemake makes one file: the rule, the log of the job (no other has it), inputs, and what is to be done."""

    rule: str
    job: str
    inputs: tuple[str, ...]
    plan: str


@dataclass(frozen=True)
class Derivation:
    """One job: what it made, what that was made from, and when.

    Names are those of files of the crate, `source:` keys, or begin with KEPT. `start` is None where nothing says how
    long the job took.
    """

    rule: str
    results: tuple[str, ...]
    objects: tuple[str, ...]
    start: datetime.datetime | None = None
    end: datetime.datetime | None = None


def parse_summary(text: str) -> dict[str, Made]:
    """Return how every file is made, from what `snakemake --detailed-summary` prints."""
    lineage = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) < 8 or cells[0] == "output_file":
            continue
        path, _, rule, job, inputs, *_, plan = cells
        lineage[path] = Made(rule, job, tuple(part for part in inputs.split(",") if part), plan)
    return lineage


def check_finished(lineage: Mapping[str, Made], command: str) -> None:
    """Refuse results that a run would change: a crate of them would say more than is true."""
    stale = [path for path, how in lineage.items() if how.plan != "no update"]
    if not lineage or stale:
        what = f"{len(stale)} files are missing or out of date, first {stale[0]}" if stale else "nothing was made"
        raise JudgemergeError(f"{what}; run `{command}` first")


def files_to_pack(results: Path, judges: Iterable[str]) -> dict[str, Path]:
    """Return what of a study's results is packed: path in the crate → file; `judges` are no recorded ones."""
    packed = {
        path.relative_to(results).as_posix(): path
        for pattern in PATTERNS
        for path in sorted(results.glob(pattern))
        if path.is_file()
    }
    verdicts = [path for judge in judges for path in sorted(results.glob(f"verdicts/{judge}/*.jsonl"))]
    if sum(path.stat().st_size for path in verdicts) <= VERDICTS_LIMIT:
        packed |= {path.relative_to(results).as_posix(): path for path in verdicts}
    return packed


def derivations(
    lineage: Mapping[str, Made], packed: Mapping[str, str], sources: Mapping[str, str], configs: Iterable[str]
) -> list[Derivation]:
    """Return one derivation per job that a packed file comes from, first those that made one.

    `packed` maps paths as Snakemake knows them to paths in the crate, `sources` raw files to their keys; `configs` are
    the files of `config/` in the crate.
    """
    configs = set(configs)
    jobs: dict[str, list[str]] = {}
    for path in _needed(lineage, packed, sources):
        jobs.setdefault(lineage[path].job, []).append(path)
    results = []
    for paths in jobs.values():
        direct = (source for source in lineage[paths[0]].inputs if source in lineage and source not in sources)
        objects = dict.fromkeys(_origins(paths[0], lineage, packed, sources, set()))
        objects |= dict.fromkeys(_name(source, packed) for source in direct)
        rules = _rules(paths[0], lineage, packed, set())
        deciding = [STUDY, *(DECIDED_BY[rule] for rule in rules if rule in DECIDED_BY)]
        objects |= dict.fromkeys(name for name in deciding if name in configs)
        names = dict.fromkeys(_name(path, packed) for path in paths)
        job = lineage[paths[0]]
        results.append(Derivation(job.rule, tuple(names), tuple(objects), *_times(paths, job.job)))
    return results


def _needed(lineage: Mapping[str, Made], packed: Mapping[str, str], sources: Mapping[str, str]) -> list[str]:
    """Return the files that a rule made and that the packed ones come from, these first; raw files are none."""
    needed = dict.fromkeys(path for path in packed if path in lineage)
    waiting = list(needed)
    while waiting:
        inputs = [path for path in lineage[waiting.pop(0)].inputs if path in lineage and path not in sources]
        waiting += [path for path in inputs if path not in needed]
        needed |= dict.fromkeys(inputs)
    return list(needed)


def _name(path: str, packed: Mapping[str, str]) -> str:
    """Return what a file is called in the crate; a model stands for its manifest."""
    return packed.get(path) or packed.get(f"{path}.json") or f"{KEPT}{path}"


def _times(paths: Sequence[str], log: str) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """Return when a job began and ended: when its last file was written, less what its record of the time says."""
    times = [Path(path).stat().st_mtime for path in paths if Path(path).is_file()]
    if not times:
        return None, None
    end = datetime.datetime.fromtimestamp(max(times), datetime.UTC)
    timing = Path(log.replace("/logs/", "/timings/", 1)).with_suffix(".tsv")
    seconds = seconds_of(timing)
    return None if seconds is None else end - datetime.timedelta(seconds=seconds), end


def _origins(
    path: str, lineage: Mapping[str, Made], packed: Mapping[str, str], sources: Mapping[str, str], seen: set[str]
) -> Iterator[str]:
    """Yield what a file was made from, passing over files that are not packed; a model stands for its manifest.

    `seen` are the files that were passed before: rounds of a search use all earlier ones, on very many paths.
    """
    for source in _unseen(lineage[path].inputs, seen):
        if source in sources:
            yield f"source:{sources[source]}"
        elif source in packed:
            yield packed[source]
        elif f"{source}.json" in packed:
            yield packed[f"{source}.json"]
        elif source in lineage:
            yield from _origins(source, lineage, packed, sources, seen)


def _rules(path: str, lineage: Mapping[str, Made], packed: Mapping[str, str], seen: set[str]) -> Iterator[str]:
    """Yield the rules of the jobs that a derivation sums up; `seen` are the files that were passed before."""
    yield lineage[path].rule
    for source in _unseen(lineage[path].inputs, seen):
        if source in lineage and source not in packed:
            yield from _rules(source, lineage, packed, seen)


def _unseen(paths: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Yield the paths that are not in `seen`, and put them there."""
    for path in paths:
        if path not in seen:
            seen.add(path)
            yield path


def build(
    record: dict, packed: Mapping[str, Path], derived: Sequence[Derivation], citation: dict, date: datetime.datetime
) -> ROCrate:
    """Return the crate: `record` is run.json, `citation` CITATION.cff, `date` when the results were finished.

    Whose results these are and under which licence stands in the study (`about`); what is not said there is not in the
    crate. CITATION.cff speaks of the code alone. `bytes` of a raw file are given in `record["sources"]` where they are
    known.
    """
    crate = ROCrate(version="1.1", gen_preview=True)
    commit, dirty = record["git"]["commit"], record["git"]["dirty"]
    code = "no git checkout" if commit is None else f"commit {commit}{', with uncommitted changes' if dirty else ''}"
    root = crate.root_dataset
    root["name"] = f"judgemerge, study {record['study']}"
    root["description"] = (
        f"{record['settings'].get('description') or 'Agreement of judges with people.'} Tables, figures and the record "
        f"of the run, made with judgemerge ({code}). Models, replies and raw data are not included; raw files are "
        "named by address and sha256, each with its own licence."
    )
    root["datePublished"] = date.date().isoformat()
    root["keywords"] = ", ".join(citation.get("keywords", []))
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    root["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, profile))
    about = record["settings"].get("about", {})
    authors = [_author(crate, f"#author-{number}", entry) for number, entry in enumerate(about.get("authors", []), 1)]
    if authors:
        root.append_to("author", authors, compact=True)
    if "publisher" in about:
        root["publisher"] = _author(crate, "#publisher", {"name": about["publisher"]})
    if "licence" in about:
        root["license"] = _licence(crate, about["licence"])
    if "source" in about:
        root["isBasedOn"] = crate.add(ContextEntity(crate, about["source"], _published(about["source"])))
    software = _software(crate, record, citation, f"{citation['version']}, {code}")
    software["license"] = _licence(crate, citation["license"])
    developers = [_author(crate, f"#developer-{n}", entry) for n, entry in enumerate(citation["authors"], 1)]
    software.append_to("author", developers, compact=True)
    instruments: dict[str, Entity] = {}
    entities = {name: _packed(crate, name, path) for name, path in packed.items()}
    for key, source in record["sources"].items():
        entities[f"source:{key}"] = _source(crate, key, source, date)
    between = [name for one in derived for name in (*one.results, *one.objects) if name.startswith(KEPT)]
    entities |= {name: _kept(crate, name) for name in dict.fromkeys(between)}
    for number, one in enumerate(derived, 1):
        properties = {
            "name": f"{one.rule}: {', '.join(name.removeprefix(KEPT) for name in one.results)}",
            "description": f"A job of the Snakemake rule {one.rule}",
            "endTime": (one.end or date).isoformat(timespec="seconds"),
        }
        if one.start is not None:
            properties["startTime"] = one.start.isoformat(timespec="seconds")
        if one.rule not in instruments:
            instruments[one.rule] = _rule(crate, one.rule, software, tools_of(one.rule, record))
        action = crate.add_action(instruments[one.rule], f"#job-{number}", properties=properties)
        for role, names in (("object", one.objects), ("result", one.results)):
            if names:  # RO-Crate 1.1 wants no lists of one, and no empty ones
                action.append_to(role, [entities[name] for name in names], compact=True)
        if authors:
            action["agent"] = authors[0]
        root.append_to("mentions", action)
    return crate


def _software(crate: ROCrate, record: dict, citation: dict, version: str) -> SoftwareApplication:
    """Return the code; a git commit is its intrinsic identifier (that of Software Heritage)."""
    commit = record["git"]["commit"]
    properties = {
        "name": citation["title"],
        "description": citation["abstract"].strip(),
        "softwareVersion": version,
        "softwareRequirements": [f"{name} {version}" for name, version in record["versions"].items()],
    }
    if "repository-code" in citation:
        properties["url"] = citation["repository-code"]
    return crate.add(SoftwareApplication(crate, f"swh:1:rev:{commit}" if commit else "#judgemerge", properties))


def _published(source: str) -> dict[str, str]:
    return {"@type": "CreativeWork", "name": "Where the study is published", "url": source}


def tools_of(rule: str, record: Mapping[str, Any]) -> dict[str, str]:
    """Return the packages that do the work of a rule with their versions, as far as the record of the run knows them.

    Where every rule has an environment of its own, the record has the versions of its own rule's alone.
    """
    if record.get("deployment", SHARED_ENVIRONMENT) != SHARED_ENVIRONMENT:
        return {}
    judging = record["settings"].get("judging", {})
    backends = [judging.get("backend"), *(entry.get("backend") for entry in judging.get("judges", {}).values())]
    of_backends = [name for backend in backends if backend for name in BACKENDS.get(backend, ())]
    names = of_backends if rule == "judge_suite" else TOOLS.get(rule, ())
    return {name: record["versions"][name] for name in names if name in record["versions"]}


def _rule(crate: ROCrate, rule: str, software: SoftwareApplication, versions: Mapping[str, str]) -> Entity:
    """Return the rule that made some files, a part of the code, with the packages that do its work."""
    properties = {
        "name": f"Snakemake rule {rule} of judgemerge",
        "softwareVersion": software["softwareVersion"],
        "isPartOf": software,
    }
    if software.url:
        properties["url"] = software.url
    entity = crate.add(SoftwareApplication(crate, f"#rule-{rule}", properties))
    tools = [_tool(crate, name, version) for name, version in versions.items()]
    if tools:
        entity.append_to("softwareRequirements", tools, compact=True)
    return entity


def _tool(crate: ROCrate, name: str, version: str) -> Entity:
    address = f"https://pypi.org/project/{name}/{version.partition('+')[0]}/"
    properties = {"name": name, "softwareVersion": version, "url": address}
    return crate.add(SoftwareApplication(crate, f"#tool-{name}", properties))


def _licence(crate: ROCrate, name: str) -> Entity:
    """Return a licence by its SPDX name or its address."""
    address = name if "://" in name else LICENCE + name
    return crate.add(
        ContextEntity(crate, address, {"@type": "CreativeWork", "name": name, "identifier": address, "url": address})
    )


def _author(crate: ROCrate, identifier: str, entry: dict) -> Entity:
    """Return an author as in CITATION.cff: a person (family-names, given-names, orcid) or an entity (name, website)."""
    if "name" in entry:
        properties = {"@type": "Organization", "name": entry["name"]}
        return crate.add(ContextEntity(crate, entry.get("website") or identifier, properties))
    person = {"name": " ".join(filter(None, (entry.get("given-names"), entry.get("family-names"))))}
    if "affiliation" in entry:
        person["affiliation"] = entry["affiliation"]
    return crate.add(Person(crate, entry.get("orcid") or identifier, person))


def _kind(name: str) -> str:
    return KINDS.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _packed(crate: ROCrate, name: str, path: Path) -> Entity:
    properties = {"name": name, "encodingFormat": _kind(path.name), "sha256": files.sha256_file(path)}
    return crate.add_file(path, name, properties=properties, record_size=True)


def _kept(crate: ROCrate, name: str) -> Entity:
    """Return a file between others that is not included: its name, and size and digest where it is still there."""
    path = Path(name.removeprefix(KEPT))
    properties = {"@type": "CreativeWork", "name": path.as_posix(), "description": "Not included in the crate"}
    if path.is_file():
        properties["contentSize"] = str(path.stat().st_size)
        if path.stat().st_size <= HASHED:
            properties["sha256"] = files.sha256_file(path)
    return crate.add(ContextEntity(crate, name, properties))


def _source(crate: ROCrate, key: str, source: dict, date: datetime.datetime) -> Entity:
    """Return a raw file: by its address, or, when it came from a path of somebody's machine, by its name and digest."""
    properties = {
        "name": key,
        "sha256": source["sha256"],
        "description": f"Raw file, not included; licence: {source['licence']}",
        "sdDatePublished": date.date().isoformat(),
    }
    if "bytes" in source:
        properties["contentSize"] = str(source["bytes"])
    if "://" not in source["url"]:
        named = {"@type": "CreativeWork", **properties, "name": Path(source["url"]).name}
        return crate.add(ContextEntity(crate, f"#source-{key}", named))
    properties["encodingFormat"] = _kind(source["url"])
    return crate.add_file(source["url"], fetch_remote=False, validate_url=False, properties=properties)


def write(crate: ROCrate, folder: str | Path) -> None:
    """Write the crate with its page, on which the licence is a link: rocrate prints the entity, which browsers hide."""
    crate.write(folder)
    licence = crate.root_dataset.get("license")
    if licence is None:
        return
    page = Path(folder, "ro-crate-preview.html")
    text = page.read_text(encoding="utf-8")
    link = f"<dd><a href='{html.escape(licence.id, quote=True)}'>{html.escape(licence['name'])}</a></dd>"
    text, n_mended = re.subn(r"(<dt>License</dt>\s*)<dd>.*?</dd>", lambda match: match[1] + link, text, flags=re.DOTALL)
    if n_mended:
        page.write_text(text, encoding="utf-8")


def problems(folder: str | Path) -> list[str]:
    """Return what is wrong with a crate, as sentences: it is read again, and what a reader relies on is looked up."""
    folder = Path(folder)
    try:
        crate = ROCrate(folder)
    except (ValueError, KeyError, AssertionError, OSError) as error:
        return [f"{folder}: is no RO-Crate ({error})"]
    names = ("name", "description", "datePublished")
    sentences = [f"{folder}: the crate has no {name}" for name in names if not crate.root_dataset.get(name)]
    described = set()
    for part in crate.data_entities:
        if "://" in part.id:
            sentences += [f"{part.id}: has no {name}" for name in ("name", "sha256") if not part.get(name)]
            continue
        described.add(part.id)
        path = folder / part.id
        if not path.is_file():
            sentences.append(f"{path}: is described, but it is not there")
        elif files.sha256_file(path) != part.get("sha256"):
            sentences.append(f"{path}: is not the file that is described")
    metadata = {"ro-crate-metadata.json", "ro-crate-preview.html"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - metadata
    sentences += [f"{folder / name}: is not described" for name in sorted(there - described)]
    return sentences + _dangling(crate) + _underived(crate)


def _dangling(crate: ROCrate) -> list[str]:
    ids = {"./", *(entity.id for entity in crate.get_entities())}
    named = [
        (entity.id, value["@id"])
        for entity in crate.get_entities()
        for values in entity.properties().values()
        for value in (values if isinstance(values, list) else [values])
        if isinstance(value, dict) and "@id" in value
    ]
    return [
        f"{one}: names {other}, which is not described"
        for one, other in named
        if other not in ids and not other.startswith("https://")
    ]


def _underived(crate: ROCrate) -> list[str]:
    """Return the tables and figures that are not the result of exactly one action with objects."""
    actions = crate.get_by_type("CreateAction")
    n_actions = Counter(result.id for action in actions for result in as_list(action.get("result", [])))
    sentences = [f"{action.id}: has no object" for action in actions if not action.get("object")]
    for name in sorted(part.id for part in crate.data_entities):
        if name.startswith(("tables/", "figures/", "scores/")) and n_actions[name] != 1:
            sentences.append(f"{name}: is the result of {n_actions[name]} actions, not of one")
    return sentences

"""A study's results as an RO-Crate (RO-Crate 1.1, Process Run Crate 0.5): what others need to check and cite them.

In the crate are tables, figures, the report, scores, the record of the run, settings and catalogues, recipes, model
manifests, and the verdicts of models and baselines unless they are large. Left out are models, replies and raw data,
and with them the verdicts of recorded judges, which are raw data of others in another form. Raw files are named by
address and sha256.

Every file that a rule made is the result of one CreateAction, whose objects are what it was made from: files of the
crate, or raw files. What lies between and is not packed (items, replies) is passed over. Which file was made from which
tells Snakemake (`--detailed-summary`).
"""

import datetime
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from judgemerge import files
from judgemerge.errors import JudgemergeError

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE = "https://spdx.org/licenses/"
VERDICTS_LIMIT = 20_000_000  # bytes of all verdicts together
PATTERNS = ("tables/*", "figures/*", "scores/*.csv", "recipes/*", "models/*.json", "report.html", "run.json")
CATALOGUES = ("sources.yaml", "benchmarks.yaml", "recorded.yaml", "expected.tsv", "config.schema.yaml")
STUDY = "config/study.yaml"
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
    """One job: the files of the crate it made, and what they were made from (files of the crate, or `source:` keys)."""

    rule: str
    results: tuple[str, ...]
    objects: tuple[str, ...]


def parse_summary(text: str) -> dict[str, Made]:
    """Return how every file is made, from what `snakemake --detailed-summary` prints."""
    made = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) < 8 or cells[0] == "output_file":
            continue
        path, _, rule, job, inputs, *_, plan = cells
        made[path] = Made(rule, job, tuple(part for part in inputs.split(",") if part), plan)
    return made


def check_finished(made: Mapping[str, Made], command: str) -> None:
    """Refuse results that a run would change: a crate of them would say more than is true."""
    stale = [path for path, how in made.items() if how.plan != "no update"]
    if not made or stale:
        what = f"{len(stale)} files are missing or out of date, first {stale[0]}" if stale else "nothing was made"
        raise JudgemergeError(f"{what}; run `{command}` first")


def chosen_files(results: Path, own_judges: Iterable[str]) -> dict[str, Path]:
    """Return what of a study's results is packed: path in the crate → file; `own_judges` are no recorded ones."""
    chosen = {
        path.relative_to(results).as_posix(): path
        for pattern in PATTERNS
        for path in sorted(results.glob(pattern))
        if path.is_file()
    }
    verdicts = [path for judge in own_judges for path in sorted(results.glob(f"verdicts/{judge}/*.jsonl"))]
    if sum(path.stat().st_size for path in verdicts) <= VERDICTS_LIMIT:
        chosen |= {path.relative_to(results).as_posix(): path for path in verdicts}
    return chosen


def derivations(
    made: Mapping[str, Made], packed: Mapping[str, str], sources: Mapping[str, str], configs: Iterable[str]
) -> list[Derivation]:
    """Return one derivation per job that made a packed file.

    `packed` maps paths as Snakemake knows them to paths in the crate, `sources` raw files to their keys; `configs` are
    the files of `config/` in the crate.
    """
    configs = set(configs)
    jobs: dict[str, list[str]] = {}
    for path in packed:
        if path in made:
            jobs.setdefault(made[path].job, []).append(path)
    found = []
    for paths in jobs.values():
        objects = dict.fromkeys(_origins(paths[0], made, packed, sources))
        deciding = [STUDY, *(DECIDED_BY[rule] for rule in _rules(paths[0], made, packed) if rule in DECIDED_BY)]
        objects |= dict.fromkeys(name for name in deciding if name in configs)
        found.append(Derivation(made[paths[0]].rule, tuple(packed[path] for path in paths), tuple(objects)))
    return found


def _origins(
    path: str, made: Mapping[str, Made], packed: Mapping[str, str], sources: Mapping[str, str]
) -> Iterator[str]:
    """Yield what a file was made from, passing over files that are not packed; a model stands for its manifest."""
    for given in made[path].inputs:
        if given in sources:
            yield f"source:{sources[given]}"
        elif given in packed:
            yield packed[given]
        elif f"{given}.json" in packed:
            yield packed[f"{given}.json"]
        elif given in made:
            yield from _origins(given, made, packed, sources)


def _rules(path: str, made: Mapping[str, Made], packed: Mapping[str, str]) -> Iterator[str]:
    """Yield the rules of the jobs that a derivation sums up."""
    yield made[path].rule
    for given in made[path].inputs:
        if given in made and given not in packed:
            yield from _rules(given, made, packed)


def build(
    record: dict, chosen: Mapping[str, Path], derived: Sequence[Derivation], citation: dict, date: datetime.datetime
) -> ROCrate:
    """Return the crate: `record` is run.json, `citation` CITATION.cff, `date` when the results were finished.

    `bytes` of a raw file are given in `record["sources"]` where they are known.
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
    root["license"] = licence = _licence(crate, citation["license"])
    authors = [_author(crate, number, entry) for number, entry in enumerate(citation["authors"], 1)]
    root["author"], root["publisher"] = _one_or_list(authors), authors[0]
    software = _software(crate, record, citation, f"{citation['version']}, {code}")
    software["license"], software["author"] = licence, _one_or_list(authors)
    entities = {name: _packed(crate, name, path) for name, path in chosen.items()}
    for key, source in record["sources"].items():
        entities[f"source:{key}"] = _source(crate, key, source, date)
    for number, one in enumerate(derived, 1):
        properties = {
            "name": f"{one.rule}: {', '.join(one.results)}",
            "description": f"A job of the Snakemake rule {one.rule}",
            "endTime": date.isoformat(timespec="seconds"),
        }
        objects, results = ([entities[name] for name in names] for names in (one.objects, one.results))
        action = crate.add_action(
            software, f"#job-{number}", _one_or_list(objects), _one_or_list(results), properties=properties
        )
        action["agent"] = authors[0]
        root.append_to("mentions", action)
    return crate


def _one_or_list(values: list) -> object:
    """Return a single value as it is: RO-Crate 1.1 wants no lists of one."""
    return values[0] if len(values) == 1 else values


def _software(crate: ROCrate, record: dict, citation: dict, version: str) -> Entity:
    """Return the code; a git commit is its intrinsic identifier (that of Software Heritage)."""
    commit = record["git"]["commit"]
    properties = {
        "@type": "SoftwareApplication",
        "name": citation["title"],
        "description": citation["abstract"].strip(),
        "softwareVersion": version,
        "softwareRequirements": [f"{name} {version}" for name, version in record["versions"].items()],
    }
    if "repository-code" in citation:
        properties["url"] = citation["repository-code"]
    return crate.add(ContextEntity(crate, f"swh:1:rev:{commit}" if commit else "#judgemerge", properties))


def _licence(crate: ROCrate, name: str) -> Entity:
    return crate.add(
        ContextEntity(crate, f"{LICENCE}{name}", {"@type": "CreativeWork", "name": name, "identifier": LICENCE + name})
    )


def _author(crate: ROCrate, number: int, entry: dict) -> Entity:
    """Return an author of CITATION.cff, which knows persons (family-names, given-names, orcid) and entities (name)."""
    if "name" in entry:
        identifier = entry.get("website") or f"#author-{number}"
        return crate.add(ContextEntity(crate, identifier, {"@type": "Organization", "name": entry["name"]}))
    name = " ".join(filter(None, (entry.get("given-names"), entry.get("family-names"))))
    return crate.add(ContextEntity(crate, entry.get("orcid") or f"#author-{number}", {"@type": "Person", "name": name}))


def _kind(name: str) -> str:
    return KINDS.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _packed(crate: ROCrate, name: str, path: Path) -> Entity:
    properties = {
        "name": name,
        "encodingFormat": _kind(path.name),
        "contentSize": str(path.stat().st_size),
        "sha256": files.sha256_file(path),
    }
    return crate.add_file(path, name, properties=properties)


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


def problems(folder: str | Path) -> list[str]:
    """Return what is wrong with a crate, as sentences: it is read again, and what a reader relies on is looked up."""
    folder = Path(folder)
    try:
        crate = ROCrate(folder)
    except (ValueError, KeyError, AssertionError, OSError) as error:
        return [f"{folder}: is no RO-Crate ({error})"]
    wanted = ("name", "description", "datePublished", "license", "author")
    found = [f"{folder}: the crate has no {name}" for name in wanted if not crate.root_dataset.get(name)]
    described = set()
    for part in crate.data_entities:
        if "://" in part.id:
            found += [f"{part.id}: has no {name}" for name in ("name", "sha256") if not part.get(name)]
            continue
        described.add(part.id)
        path = folder / part.id
        if not path.is_file():
            found.append(f"{path}: is described, but it is not there")
        elif files.sha256_file(path) != part.get("sha256"):
            found.append(f"{path}: is not the file that is described")
    metadata = {"ro-crate-metadata.json", "ro-crate-preview.html"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - metadata
    found += [f"{folder / name}: is not described" for name in sorted(there - described)]
    return found + _dangling(crate) + _underived(crate)


def _dangling(crate: ROCrate) -> list[str]:
    known = {"./", *(entity.id for entity in crate.get_entities())}
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
        if other not in known and not other.startswith("https://")
    ]


def _underived(crate: ROCrate) -> list[str]:
    """Return the tables and figures that are not the result of exactly one action with objects."""
    actions = [entity for entity in crate.get_entities() if entity.type == "CreateAction"]
    made_by: dict[str, list[Entity]] = {}
    for action in actions:
        for result in _as_list(action.get("result")):
            made_by.setdefault(result.id, []).append(action)
    found = [f"{action.id}: has no object" for action in actions if not _as_list(action.get("object"))]
    for part in sorted(crate.data_entities, key=lambda part: part.id):
        n_actions = len(made_by.get(part.id, []))
        if part.id.startswith(("tables/", "figures/", "scores/")) and n_actions != 1:
            found.append(f"{part.id}: is the result of {n_actions} actions, not of one")
    return found


def _as_list(value) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]

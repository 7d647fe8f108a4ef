"""What one push puts into a repository of the Hugging Face hub: the files of one model, adapter, card or export.

Named is what is pushed, and nothing else goes with it: no optimizer, no log, no recipe with paths of a machine. What a
study did not make, and what no licence is stated for, is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from judgemerge.core import files, models
from judgemerge.core.card_metadata import head, licence_fields
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.frames import read_table
from judgemerge.evaluate.metrics import PROTOCOLS, metrics_for
from judgemerge.merge import cards
from judgemerge.report import export
from judgemerge.settings.models import HubModel
from judgemerge.study import layout
from judgemerge.study.study import Study

CARD = "README.md"
EXPORT = "export"
ADAPTERS, CARDS = "adapters/", "cards/"
ADAPTER_FILES = ("adapter_config.json", models.ADAPTER, *models.SETTINGS[2:])
# Fields of settings in which libraries write where a model lay on the machine that made it.
PATH_FIELDS = {"config.json": "_name_or_path", "tokenizer_config.json": "name_or_path"}
SEARCHED_BYTES = 1_000_000  # of a file that is looked through for paths of this machine
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt")  # where a path would be a word like others


class File(NamedTuple):
    """One file of a push: its name in the repository, and the file here or its content."""

    name: str
    content: Path | bytes

    @property
    def size(self) -> int:
        """Its size in bytes."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


class Push(NamedTuple):
    """What goes into a repository: of models, or of data sets."""

    what: str
    kind: str
    files: list[File]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)


def of_study(study: Study, results: Path, what: str, study_file: str) -> Push:
    """Return what a name of a study stands for: a model that it made, `adapters/…`, `cards/…`, or `export`."""
    about = study.settings.about
    if what == EXPORT:
        _require_licence(about.licence, study_file, "licence", what)
        return _checked(Push(what, "dataset", _export(results)))
    kind, name = next(((kind, what[len(kind) :]) for kind in (ADAPTERS, CARDS) if what.startswith(kind)), ("", what))
    _check_made_here(study, kind, name, study_file)
    _require_licence(about.model_licence, study_file, "model_licence", what)
    card = _card(study, results, kind, name)
    if kind == CARDS:
        return _checked(Push(what, "model", [card]))
    contents = _adapter(study, name) if kind == ADAPTERS else _model(study, name)
    return _checked(Push(what, "model", [card, *contents]))


def of_folder(folder: str | Path, licence: str | None) -> Push:
    """Return the files of a model that was merged outside a study, with its card; `licence` is its own."""
    folder, manifest_file = Path(folder), Path(f"{folder}.json")
    if not manifest_file.is_file():
        raise JudgemergeError(f"{manifest_file} is missing; give a folder that `merge` or `mix` has written")
    if not licence:
        raise JudgemergeError(f"{folder}: its licence is not stated; name it with --licence")
    manifest = files.read_json(manifest_file)
    models.check_digest(folder, manifest)
    card = cards.card(folder.name, manifest, about={"licence": licence})
    return _checked(Push(str(folder), "model", [File(CARD, card.encode()), *_files_of(folder)]))


def _check_made_here(study: Study, kind: str, name: str, study_file: str) -> None:
    own_models = {*study.merges, *study.experts, *study.quantizations, *study.searched}
    names = {ADAPTERS: set(study.lora_experts), CARDS: set(study.merges)}.get(kind, own_models)
    if not kind and name in study.models:
        raise JudgemergeError(
            f"{study_file}: '{name}' was not made by this study; who made it decides where it may be had"
        )
    if name not in names:
        whole = [*(f"{kind}{one}" for one in names), *([EXPORT] if not kind else [])]
        raise JudgemergeError(f"{study_file}: there is no '{kind}{name}' to push{did_you_mean(f'{kind}{name}', whole)}")


def _require_licence(licence: str | None, study_file: str, key: str, what: str) -> None:
    if not licence:
        raise JudgemergeError(
            f"{study_file}: about.{key} is not set, so nobody may use '{what}'; name the licence that it may be handed "
            "on under, which follows from those of what it was made from"
        )


def _model(study: Study, name: str) -> list[File]:
    """Return the files of a model that are what its manifest says."""
    folder, manifest = (pattern.format(study=study.name, model=name) for pattern in (layout.MODEL, layout.MANIFEST))
    if not Path(manifest).is_file():
        raise JudgemergeError(f"{manifest} is missing; run the study first")
    models.check_digest(folder, files.read_json(manifest))
    return _files_of(Path(folder))


def _files_of(folder: Path) -> list[File]:
    paths = [*models.model_files(folder), folder / models.QUANTIZATION_RECORD]
    return [_without_path(folder, path) for path in paths if path.is_file()]


def _without_path(folder: Path, path: Path) -> File:
    """Return a file of a model; one that says where the model lay on this machine goes out without that."""
    name = path.relative_to(folder).as_posix()
    field = PATH_FIELDS.get(name)
    settings = files.read_json(path) if field else {}
    if field not in settings:
        return File(name, path)
    return File(name, _json({key: value for key, value in settings.items() if key != field}))


def _adapter(study: Study, expert: str) -> list[File]:
    """Return the files of an adapter; its base is called what others know it by."""
    folder = Path(layout.ADAPTER.format(study=study.name, expert=expert))
    if not (folder / models.ADAPTER).is_file():
        raise JudgemergeError(f"{folder / models.ADAPTER} is missing; run the study first")
    settings = {**files.read_json(folder / ADAPTER_FILES[0]), "base_model_name_or_path": _known_as(study, expert)}
    others = [folder / name for name in ADAPTER_FILES[1:] if (folder / name).is_file()]
    return [File(ADAPTER_FILES[0], _json(settings)), *(_without_path(folder, path) for path in others)]


def _known_as(study: Study, expert: str) -> str:
    """Return the hub id of an expert's base, or its name in the study."""
    base = study.base_of(expert)
    entry = study.models.get(base)
    return entry.repo if isinstance(entry, HubModel) else base


def _export(results: Path) -> list[File]:
    """Return the files that the manifest of an export names, as they were when it was written."""
    folder = results / EXPORT
    if not (folder / export.MANIFEST).is_file():
        raise JudgemergeError(f"{folder / export.MANIFEST} is missing; write the export first: make export STUDY=…")
    listed = files.read_json(folder / export.MANIFEST)["files"]
    for name, digest in listed.items():
        if not (folder / name).is_file() or files.sha256_file(folder / name) != digest:
            raise JudgemergeError(f"{folder / name}: has changed since the export was written; write it again")
    return [File(name, folder / name) for name in (*listed, export.MANIFEST)]


# ---- cards ----


def _card(study: Study, results: Path, kind: str, name: str) -> File:
    """Return the card: of a merge the one that the study wrote, of others one that says how they were made."""
    if name in study.merges and kind != ADAPTERS:
        path = results / CARDS / f"{name}.md"
        if not path.is_file():
            raise JudgemergeError(f"{path} is missing; run the study first")
        if "\nlicense: " not in path.read_text(encoding="utf-8").partition("\n---\n")[0]:
            raise JudgemergeError(f"{path}: was written before about.model_licence was set; run the study again")
        return File(CARD, path)
    return File(CARD, made_card(study, results, kind, name).encode())


def made_card(study: Study, results: Path, kind: str, name: str) -> str:
    """Return the card of an expert, an adapter, a quantization or the best of a search, as Markdown."""
    manifest_file = Path(layout.MANIFEST.format(study=study.name, model=name))
    manifest = files.read_json(manifest_file) if manifest_file.is_file() else {}
    parents = study.made_from(name)
    entries = {parent: study.models.get(parent) for parent in parents}
    bases = [entry.repo if isinstance(entry, HubModel) else parent for parent, entry in entries.items()]
    lines = [
        *head(_metadata(study, kind, name, bases)),
        f"# {name}",
        "",
        f"{_about(study, kind, name)} Study: {study.name}.",
        "",
        *([f"Digest: `{manifest['digest']}`", ""] if manifest and not kind else []),
        *_recipe(study, name),
        *_agreement(results, name, parents),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metadata(study: Study, kind: str, name: str, bases: list[str]) -> dict[str, Any]:
    quantized = name in study.quantizations
    relation = "adapter" if kind else "quantized" if quantized else "finetune"
    return {
        "library_name": "peft" if kind else "gguf" if quantized else "transformers",
        **licence_fields(study.settings.about.model_licence),
        "base_model": bases,
        "base_model_relation": relation,
        "tags": ["llm-as-a-judge", "judgemerge", *(["lora"] if kind else [])],
    }


def _about(study: Study, kind: str, name: str) -> str:
    if kind:
        return f"A LoRA adapter of {study.base_of(name)}, trained to judge."
    if name in study.quantizations:
        return f"{study.quantizations[name].model} in {study.quantizations[name].type}, for llama.cpp."
    if name in study.experts:
        return f"{study.base_of(name)}, trained to judge."
    return "The best model of a search."


def _recipe(study: Study, name: str) -> list[str]:
    """Return how an expert was trained: its entry of the study."""
    if name not in study.experts:
        return []
    entry = study.experts[name].plain()
    text = yaml.safe_dump({name: entry}, sort_keys=False, allow_unicode=True).rstrip()
    return ["## Training", "", "```yaml", text, "```", ""]


def _agreement(results: Path, name: str, parents: list[str]) -> list[str]:
    table = results / "tables" / "agreement.csv"
    if not table.is_file():
        return []
    metrics = {metric for protocol in PROTOCOLS for metric in metrics_for(protocol, "card")}
    return cards.agreement_lines(name, dict.fromkeys(parents, ""), cards.shown_rows(read_table(table), metrics))


# ---- nothing of this machine ----


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _checked(push: Push) -> Push:
    """Return a push that says nothing of the machine that it was made on; else name the file that does."""
    for file in push.files:
        if file.size > SEARCHED_BYTES or file.name.rpartition("/")[2] in VOCABULARIES:
            continue
        content = file.content if isinstance(file.content, bytes) else file.content.read_bytes()
        for place in {str(Path.cwd()), str(Path.home())} - {"/"}:
            if place.encode() in content:
                raise JudgemergeError(
                    f"{file.name}: names the folder {place} of this machine; take it out before it is handed on"
                )
    return push

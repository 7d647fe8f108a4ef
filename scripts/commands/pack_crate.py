"""Pack the results of a study as an RO-Crate: tables, figures, report, record and settings; no models, no raw data.

Example: python scripts/commands/pack_crate.py --study config/studies/replay.yaml --dir replay_crate
"""

import datetime
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

import _package  # noqa: F401
from finished_study import check_replaceable, finished_study, replace
from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting import chat_templates
from judgemerge.report import crate
from judgemerge.report.datasheet import datasheet
from judgemerge.study.study import Study
from study_options import run_command

ROOT = Path(__file__).resolve().parents[2]
METADATA, PREVIEW = "ro-crate-metadata.json", "ro-crate-preview.html"


def main(study_file: str, config: Sequence[str] = (), directory: str | None = None) -> str:
    """Write and check the crate; return a sentence saying where it is and what is in it."""
    study, results, record, lineage = finished_study(study_file, config)
    target = Path(directory or results / "crate")
    check_replaceable(target, METADATA, "crate", [PREVIEW])
    with tempfile.TemporaryDirectory(dir=results, prefix=".crate.") as folder:
        fresh = Path(folder, "crate")
        files_to_pack = _chosen(study, record, lineage, results, Path(folder))
        _derive_and_write(record, lineage, files_to_pack, results, fresh)
        problems = crate.problems(fresh)
        if problems:
            raise JudgemergeError("; ".join(problems))
        files.make_group_readable(fresh)
        replace(Path(os.path.realpath(target)), fresh)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    dirty = "" if record["git"]["dirty"] is False else "; made from code that is not a clean commit"
    about = study.settings.about
    unsaid = [name for name, value in (("authors", about.authors), ("licence", about.licence)) if not value]
    hint = f"; no {' and no '.join(unsaid)}, say them in `about` of the study" if unsaid else ""
    return f"{target}: {len(files_to_pack)} files, {size / 1e6:.1f} MB, checked{dirty}{hint}"


def _chosen(
    study: Study, record: dict, lineage: Mapping[str, crate.Made], results: Path, scratch: Path
) -> dict[str, Path]:
    """Return all files of the crate: results, resolved settings, catalogues, prompts that are used, licence."""
    own_judges = [judge for judge in study.judges if study.kind(judge) != "recorded"]
    candidates = crate.files_to_pack(results, own_judges)
    # What an earlier version of the study left behind is no result of this one; the report is made beside the workflow.
    files_to_pack = {
        name: path for name, path in candidates.items() if path.as_posix() in lineage or name == "report.html"
    }
    files_to_pack[crate.STUDY] = scratch / "study.yaml"
    files_to_pack[crate.STUDY].write_text(yaml.safe_dump(record["settings"], sort_keys=False), encoding="utf-8")
    files_to_pack[crate.DATASHEET] = scratch / crate.DATASHEET
    lines = [f"# Datasheet of the study {study.name}", "", *datasheet(study, record, results)]
    files_to_pack[crate.DATASHEET].write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    files_to_pack |= {f"config/{name}": ROOT / "config" / name for name in crate.CATALOGUES}
    files_to_pack |= {f"config/prompts/{name}.yaml": study.catalogues.prompts[name] for name in study.prompts_used}
    chat_template_files = [chat_templates.file_of(name) for name in study.chat_templates]
    files_to_pack |= {f"config/chat_templates/{path.name}": path for path in chat_template_files}
    # Those of the code, not of the results: apart from them.
    return files_to_pack | {f"judgemerge/{name}": ROOT / name for name in ("CITATION.cff", "LICENSE")}


def _derive_and_write(
    record: dict, lineage: Mapping[str, crate.Made], files_to_pack: dict[str, Path], results: Path, fresh: Path
) -> None:
    """Write the crate, with one derivation per job that made a file of it."""
    packed = {path.as_posix(): name for name, path in files_to_pack.items() if path.is_relative_to(results)}
    packed |= {name: name for name in files_to_pack if name.startswith("config/") and name != crate.STUDY}
    raw_files = record["sources"]
    # Keys of the catalogue, or files that are given by their path.
    sources = {f"{results}/sources/{key}": key for key in raw_files} | {key: key for key in raw_files}
    derived = crate.derivations(
        lineage, packed, sources, [name for name in files_to_pack if name.startswith("config/")]
    )
    sizes = {key: Path(path).stat().st_size for path, key in sources.items() if Path(path).is_file()}
    held = {key: entry | ({"bytes": sizes[key]} if key in sizes else {}) for key, entry in raw_files.items()}
    finished = datetime.datetime.fromtimestamp((results / "run.json").stat().st_mtime, datetime.UTC)
    packed_crate = crate.build(
        record | {"sources": held}, files_to_pack, derived, load_yaml(ROOT / "CITATION.cff"), finished
    )
    crate.write(packed_crate, fresh)


if __name__ == "__main__":
    run_command(__doc__, main, directory={"flag": "--dir", "help": "folder of the crate (results/<study>/crate)"})

"""Write the results of a finished study for others: items and verdicts as a data set, and Every Eval Ever records.

Example: python scripts/commands/export_study.py --study config/studies/replay.yaml --dir replay_export
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import _package  # noqa: F401
from finished_study import check_replaceable, finished_study, replace
from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.report import export, sharing
from study_options import run_command

ROOT = Path(__file__).resolve().parents[2]


def main(study_file: str, config: Sequence[str] = (), directory: str | None = None) -> str:
    """Write the export; return a sentence saying where it is, what is in it, and what is not."""
    study, results, record, _ = finished_study(study_file, config)
    target = Path(directory or results / "export")
    check_replaceable(target, export.MANIFEST, "export")
    finished = (results / "run.json").stat().st_mtime
    with tempfile.TemporaryDirectory(dir=results, prefix=".export.") as folder:
        fresh = Path(folder, "export")
        fresh.mkdir()
        version = load_yaml(ROOT / "CITATION.cff")["version"]
        written = export.write(study, record, results, fresh, finished, version)
        files.make_group_readable(fresh)
        replace(Path(os.path.realpath(target)), fresh)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    about = study.settings.about
    hints = [f"no {name}, say it in `about` of the study" for name in ("licence",) if not about.licence]
    without = [name for name in study.benchmarks if not sharing.of_items(study, name).allowed]
    hints += [f"ids and digests alone of {', '.join(without)}, whose licences allow no more"] if without else []
    return f"{target}: {len(written['files']) + 1} files, {size / 1e6:.1f} MB{''.join(f'; {hint}' for hint in hints)}"


if __name__ == "__main__":
    run_command(__doc__, main, directory={"flag": "--dir", "help": "folder of the export (results/<study>/export)"})

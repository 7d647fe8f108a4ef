"""Lay out a mirror folder (owner/repo/commit/path) of the raw files that a study needs, for machines without internet.

Example: python scripts/build_mirror.py --study config/config.yaml --dir .mirror
"""

import argparse
import sys
from pathlib import Path

from judgemerge.catalogues import load_yaml
from judgemerge.errors import JudgemergeError
from judgemerge.fetching import build_mirror
from judgemerge.study import load_study

CONFIG = Path(__file__).resolve().parent.parent / "config"


def main(study_file: str, directory: str, mirror: str | None = None) -> str:
    """Fetch every raw file that the study can ask for, optional suites too; return a sentence saying what was done."""
    study = load_study({**load_yaml(study_file), "downloads": True}, study_file, CONFIG)
    chosen = [study.catalogues.sources[key] for key in study.source_keys]
    written, kept = build_mirror(chosen, directory, mirror)
    return f"{directory}: {len(written)} files written, {len(kept)} were right already"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="study file: fetch what its benchmarks and judges need")
    parser.add_argument("--dir", required=True, help="folder to lay the mirror out in")
    parser.add_argument("--mirror", help="take the files from this mirror instead of the network")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    try:
        print(main(arguments.study, arguments.dir, arguments.mirror))
    except JudgemergeError as error:
        sys.exit(str(error))

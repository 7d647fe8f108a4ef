"""Lay out a mirror folder (owner/repo/commit/path) of the raw files that a study needs, for machines without internet.

Example: python scripts/build_mirror.py --study config/config.yaml --dir .mirror
"""

import argparse
import sys
from collections.abc import Sequence

from judgemerge.errors import JudgemergeError
from judgemerge.fetching import build_mirror
from study_options import add_study_options, read_study


def main(study_file: str, directory: str, mirror: str | None = None, config: Sequence[str] = ()) -> str:
    """Fetch every raw file that the study can ask for, optional suites too; return a sentence saying what was done."""
    study = read_study(study_file, config, downloads=True)
    chosen = [study.catalogues.sources[key] for key in study.source_keys]
    written, kept = build_mirror(chosen, directory, mirror)
    return f"{directory}: {len(written)} files written, {len(kept)} were right already"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_study_options(parser)
    parser.add_argument("--dir", required=True, help="folder to lay the mirror out in")
    parser.add_argument("--mirror", help="take the files from this mirror instead of the network")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    try:
        print(main(arguments.study, arguments.dir, arguments.mirror, arguments.config))
    except JudgemergeError as error:
        sys.exit(str(error))

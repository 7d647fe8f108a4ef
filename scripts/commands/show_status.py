"""Say how far a study is: what is done, running, failed (with the log's last line) and left. Starts nothing.

Example: python scripts/commands/show_status.py --study config/studies/meld.yaml --config scale=tiny
"""

import argparse
import sys
from collections.abc import Sequence

import _package  # noqa: F401
from judgemerge.core.errors import JudgemergeError
from judgemerge.study import progress
from study_options import add_study_options, list_jobs


def main(study_file: str, config: Sequence[str] = ()) -> list[str]:
    """Return the report."""
    return progress.report(*list_jobs(study_file, config))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_study_options(parser)
    arguments = parser.parse_args()
    try:
        print(*main(arguments.study, arguments.config), sep="\n")
    except JudgemergeError as error:
        sys.exit(str(error))

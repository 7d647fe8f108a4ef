"""Say how far a study is: what is done, running, failed (with the log's last line) and left. Starts nothing.

Example: python scripts/commands/show_status.py --study config/studies/meld.yaml --config scale=tiny
"""

from collections.abc import Sequence

import _package  # noqa: F401
from judgemerge.study import progress
from study_options import list_jobs, run_command


def main(study_file: str, config: Sequence[str] = ()) -> str:
    """Return the report."""
    return "\n".join(progress.report(*list_jobs(study_file, config)))


if __name__ == "__main__":
    run_command(__doc__, main)

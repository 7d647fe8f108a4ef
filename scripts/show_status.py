"""Say how far a study is: what is done, running, failed (with the log's last line) and left. Starts nothing.

Example: python scripts/show_status.py --study config/config.yaml
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from judgemerge import files, progress
from judgemerge.catalogues import load_yaml
from judgemerge.errors import JudgemergeError


def main(study_file: str, *arguments: str) -> list[str]:
    """Return the report; the plan comes from a dry run of the workflow, with further arguments for Snakemake."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder, "jobs.json")
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--rerun-incomplete"]
        command += ["--configfile", study_file, *arguments]
        environment = os.environ | {"JUDGEMERGE_JOBS": str(listing)}
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        if run.returncode != 0 or not listing.exists():
            raise JudgemergeError((run.stderr or run.stdout).strip() or f"{study_file}: the workflow cannot be planned")
        plan = files.read_json(listing)
    jobs = [progress.Job(**job) for job in plan["jobs"]]
    return progress.report(load_yaml(study_file)["study"], jobs, plan["locked"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="study file")
    known, further = parser.parse_known_args()
    try:
        print(*main(known.study, *further), sep="\n")
    except JudgemergeError as error:
        sys.exit(str(error))

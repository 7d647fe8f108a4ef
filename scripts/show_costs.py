"""Say what a study has cost: hours per rule, as reserved on CPUs and GPUs, from its timings.

Example: python scripts/show_costs.py --study config/config.yaml
"""

import argparse
import sys
from pathlib import Path

from judgemerge import provenance, resources
from judgemerge.catalogues import load_yaml
from judgemerge.errors import JudgemergeError
from judgemerge.study import load_study

CONFIG = Path(__file__).resolve().parent.parent / "config"


def main(study_file: str, results: str = "results") -> list[str]:
    """Return the table, the most expensive rule first."""
    study = load_study(load_yaml(study_file), study_file, CONFIG)
    folder = Path(results, study.name, "timings")
    timings = provenance.timings(folder)
    if not timings:
        raise JudgemergeError(f"{folder}: nothing has run yet; start the study first")
    lines = [f"{study.name}: what its results took (last successful run of each job)"]
    lines.append(f"  {'rule':<18}{'jobs':>6}{'hours':>10}{'CPU hours':>11}{'GPU hours':>11}")
    for row in resources.costs(timings, study.settings):
        hours = f"{row['hours']:>10.3f}{row['cpu_hours']:>11.3f}{row['gpu_hours']:>11.3f}"
        lines.append(f"  {row['rule']:<18}{row['jobs']:>6}{hours}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, help="study file")
    try:
        print(*main(parser.parse_args().study), sep="\n")
    except JudgemergeError as error:
        sys.exit(str(error))

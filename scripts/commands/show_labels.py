"""Say who has labelled how much and how far people agree, and write what they labelled as a benchmark of one's own.

Example: python scripts/commands/show_labels.py --study config/config.yaml --of demo_pairwise
"""

from collections.abc import Sequence

import yaml

import _package  # noqa: F401
from judgemerge.compare.answer_judging import PAIRS
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.label.agreement import agreements
from judgemerge.label.desk import Desk, counts_of, finished
from judgemerge.label.drawing import LabelFiles, corrected_entry, with_writers
from judgemerge.label.opening import Part, Wish, open_desk
from judgemerge.label.own import catalogue_entry, own_rows
from label import DIRECTORY, METRIC, NO_TIES, OF, SCALE
from study_options import read_study, run_command


def main(
    study_file: str,
    of: str,
    metric: str = PAIRS,
    scale: str | None = None,
    no_ties: bool = False,
    directory: str = "labels",
    config: Sequence[str] = (),
) -> str:
    """Write the benchmark; return what is there, and what a study says to use it."""
    study = read_study(study_file, config)
    paths = LabelFiles.of(directory, of, metric)
    desk = open_desk(study, Part(of, metric, scale, not no_ties), paths, Wish())
    votes = desk.votes.votes()
    if not votes:
        raise JudgemergeError(f"{paths.votes} has no vote yet; label some: make label STUDY={study_file} OF={of}")
    rows = list(own_rows(with_writers(study, of, metric, desk.items), votes))
    files.write_jsonl(paths.items, rows)
    entry = catalogue_entry(f"{of}_labelled" if metric == PAIRS else f"{of}_{metric}_labelled", paths.items, of, rows)
    return "\n\n".join(
        (
            people(desk),
            f"To correct the judges by these votes, add to the study:\n"
            f"{corrected_entry(of, paths.votes, paths, metric)}",
            f"As a benchmark of your own ({paths.items}), add to config/benchmarks.yaml:\n"
            + yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000).strip(),
        )
    )


def people(desk: Desk) -> str:
    """Return who has labelled how many, and the agreement of those who have labelled all."""
    votes, n = desk.votes.votes(), len(desk.items)
    counts = counts_of(votes)
    width = max(map(len, counts))
    lines = [f"{name:{width}}  {done} of {n} labelled{left_share(desk, name)}" for name, done in counts.items()]
    rows = agreements(desk.items, finished(votes, n), desk.settings)
    if not rows:
        return "\n".join([*lines, "How far people agree is said when two have labelled everything."])
    level = f"{100 * desk.settings.confidence:g} % interval"
    told = [f"{row.one} and {row.other}: {row.metric} {row.words}, n {row.n}" for row in rows]
    return "\n".join([*lines, f"Agreement [{level}]", *told])


def left_share(desk: Desk, name: str) -> str:
    """Return how often somebody preferred the answer on the left, which says nothing of the answers."""
    own = [vote for vote in desk.votes.votes() if vote.annotator == name and vote.turned is not None]
    chosen = [(vote.vote == "second") == vote.turned for vote in own if vote.vote != "tie"]
    return f", the left answer better in {sum(chosen)} of {len(chosen)} without ties" if chosen else ""


if __name__ == "__main__":
    run_command(__doc__, main, of=OF, metric=METRIC, scale=SCALE, no_ties=NO_TIES, directory=DIRECTORY)

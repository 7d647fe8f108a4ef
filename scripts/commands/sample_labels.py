"""Draw what people are to label of what a study judges: a sheet to fill in, and the record of what was drawn.

Example: python scripts/commands/sample_labels.py --study config/config.yaml --of demo_pairwise --labels 60
"""

from collections.abc import Sequence

import _package  # noqa: F401
from judgemerge.compare.answer_judging import PAIRS
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.labels import sheet
from judgemerge.label.drawing import LabelFiles, corrected_entry, draw_units, read_shown
from study_options import read_study, run_command


def main(
    study_file: str,
    of: str,
    labels: int,
    seed: int | None = None,
    by: str = "",
    equal: bool = False,
    metric: str = PAIRS,
    directory: str = "labels",
    config: Sequence[str] = (),
) -> str:
    """Write the sheet and the record; return what to do with them. A sheet that is there is never written over."""
    study = read_study(study_file, config)
    items = read_shown(study, of, metric)
    paths = LabelFiles.of(directory, of, metric)
    for path in (paths.sheet, paths.draw):
        if path.exists():
            raise JudgemergeError(f"{path} is there already, and may hold votes; move it away, or name another --dir")
    drawn = draw_units(study, of, items, labels, seed, by, equal, metric)
    files.write_json(paths.draw, drawn.plain())
    with files.atomic_writer(paths.sheet) as file:
        file.write(sheet(drawn, items))
    words = "A, B or tie" if drawn.protocol == "pairwise" else "a grade"
    return (
        f"{paths.sheet}: {len(drawn.drawn)} of {len(items)} to label; fill in `vote` ({words}), then add to the study\n"
        f"{corrected_entry(of, paths.sheet, paths, metric)}"
    )


if __name__ == "__main__":
    run_command(
        __doc__,
        main,
        of={"required": True, "help": "benchmark of the suites, or comparison of models"},
        labels={"required": True, "type": int, "help": "how many to label"},
        seed={"type": int, "help": "seed of the draw (the study's)"},
        by={"default": "", "help": "strata: category, or a judge whose verdicts divide the items"},
        equal={"action": "store_true", "help": "as many from every stratum, not in proportion to its size"},
        metric={"default": PAIRS, "help": "of a comparison: grade single answers by this metric instead of pairs"},
        directory={"flag": "--dir", "default": "labels", "help": "folder for sheet and record (labels)"},
    )

"""Stand-ins for raw files that nobody here can fetch: made on the spot, in the shape of the real ones.

A rehearsal of a study (`--config scale=twins`, docs/rehearsing.md) reads them where a file is `unseen` in
config/sources.yaml and no mirror has it. Columns, types and nesting are the real file's, and so are the odd rows that
its loader's docstring names; the texts are nonsense of our own. What a study finds on them says nothing.

A maker is a function of `rows` or `python_files` that returns the rows or the text of one file; FILES names it, and the
form in which the file is written.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.data.stand_ins import python_files, rows

N_FILES = 6  # of the Preference Collection


class StandIn(NamedTuple):
    """How one file is made: what returns its content, and what writes that."""

    make: Callable[[], object]
    write: Callable[[str | Path, object], object]


def _write_json(path: str | Path, content: object) -> None:
    files.write_json(path, content)


def _write_jsonl(path: str | Path, content: object) -> None:
    files.write_jsonl(path, content)


def _write_parquet(path: str | Path, content: object) -> None:
    import pyarrow
    import pyarrow.parquet

    with files.atomic_writer(path, "wb") as file:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), file)


def _write_text(path: str | Path, content: object) -> None:
    with files.atomic_writer(path) as file:
        file.write(str(content))


FILES: dict[str, StandIn] = {
    "autoj_pairwise_train": StandIn(rows.autoj_pairs, _write_jsonl),
    "pandalm_train": StandIn(rows.pandalm_training, _write_json),
    "lmsys_gpt4_pair": StandIn(rows.gpt4_pairs, _write_jsonl),
    "meld_training_pairwise": StandIn(partial(rows.meld_training, "pairwise"), _write_json),
    "meld_training_pointwise": StandIn(partial(rows.meld_training, "pointwise"), _write_json),
    "prometheus_feedback_bench": StandIn(rows.feedback_bench, _write_json),
    "prometheus_preference_bench": StandIn(partial(rows.request_pairs, "bench"), _write_json),
    "prometheus_mtbench_human": StandIn(partial(rows.request_pairs, "votes", ties=True), _write_json),
    "prometheus_flask": StandIn(rows.flask, _write_json),
    "biggen_people": StandIn(rows.biggen, _write_parquet),
    "feedback_collection": StandIn(rows.feedback_collection, _write_json),
    **{
        f"preference_collection_{number}": StandIn(partial(rows.preference_collection, number, N_FILES), _write_parquet)
        for number in range(N_FILES)
    },
    "orpo_dpo_mix": StandIn(partial(rows.preferences, "mix", "question"), _write_parquet),
    "capybara_preferences": StandIn(partial(rows.preferences, "capybara", "instruction"), _write_parquet),
    "finetome": StandIn(rows.conversations, _write_parquet),
    "meld_infer_pairwise": StandIn(partial(python_files.meld_inference, "pairwise"), _write_text),
    "meld_infer_pointwise": StandIn(partial(python_files.meld_inference, "pointwise"), _write_text),
    "prometheus_prompts": StandIn(python_files.prometheus_library, _write_text),
    "prometheus_eval_prompts": StandIn(python_files.prometheus_evaluation, _write_text),
    "autoj_prompts": StandIn(python_files.autoj, _write_text),
    "pandalm_prompts": StandIn(python_files.pandalm, _write_text),
    "flow_judge_prompts": StandIn(python_files.flow_judge_prompts, _write_text),
    "flow_judge_metrics": StandIn(python_files.flow_judge_metrics, _write_text),
}


def write(source: str, path: str | Path) -> None:
    """Write the stand-in of a source; the same bytes on every machine but for Parquet's version of its writer."""
    made = FILES[source]
    made.write(path, made.make())

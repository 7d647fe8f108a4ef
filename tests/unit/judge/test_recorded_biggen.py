"""Recorded grades of BiGGen-Bench: means over runs, unread replies, and files of its own evaluation script."""

import json

from judgemerge.data import stand_ins
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.data.stand_ins.rows import biggen_row
from judgemerge.judge.recorded import load_recorded
from judgemerge.judge.recorded_formats import recorded_format


def test_every_judge_of_the_results_is_read(tmp_path, repository):
    stand_ins.write("biggen_people", tmp_path / "rows")
    stand_ins.write("prometheus_prompts", tmp_path / "words")
    spec = load_catalogue(repository / "config/benchmarks.yaml")["biggen_human"]
    items, _ = load_items("biggen_human", spec, {"rows": tmp_path / "rows", "words": tmp_path / "words"})
    judges = {
        name: one for name, one in load_recorded(repository / "config/recorded.yaml").items() if one.format == "biggen"
    }
    assert len(judges) == 5
    grades = {
        name: [
            one.verdict.score
            for one in recorded_format("biggen").read({"grades": tmp_path / "rows"}, items, one_judge.options)
        ]
        for name, one_judge in judges.items()
    }
    truth = [item.truth for item in items]
    assert grades["gpt4_turbo_biggen"] == grades["prometheus2_bgb_biggen"] == truth
    assert grades["prometheus2_8x7b_biggen"] == [(grade + 1) / 2 for grade in truth]
    assert [grade is None for grade in grades["claude3_biggen"]] == ["task_3-" in item.id for item in items]


def test_a_file_of_its_evaluation_script_is_read_by_instance(tmp_path):
    row = biggen_row(1) | {"score": 4, "feedback": "Right.", "eval_model_name": "mine"}
    (tmp_path / "evaluated.json").write_text(json.dumps({row["id"]: row}, indent=1))
    spec = {
        "loader": "biggen",
        "protocol": "pointwise",
        "sources": {"rows": "r"},
        "options": {"form": "answers", "unlabelled": True},
    }
    items, _ = load_items("own", spec, {"rows": tmp_path / "evaluated.json"})
    (one,) = recorded_format("biggen").read({"grades": tmp_path / "evaluated.json"}, items, {})
    assert (one.verdict.score, one.reply, one.verdict.order) == (4.0, "Right.", "original")

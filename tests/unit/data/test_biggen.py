"""BiGGen-Bench: instances with their own rubrics, answers that people or judges graded, the published placeholders."""

import json

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Vote
from judgemerge.data import stand_ins
from judgemerge.data.benchmarks import _rubric_prompt, load_catalogue, load_items
from judgemerge.data.sources import load_sources
from judgemerge.data.stand_ins.rows import biggen, biggen_row
from judgemerge.prompting.prompts import load_template, render


def load(tmp_path, rows, protocol="pointwise", **options):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    spec = {"loader": "biggen", "protocol": protocol, "sources": {"rows": "key"}, "options": options}
    return load_items("bgb", spec, {"rows": str(path)})


def test_the_published_instances_have_their_rubrics_and_no_placeholder(mirror, repository):
    config = repository / "config"
    spec = load_catalogue(config / "benchmarks.yaml")["biggen_prompts"]
    source = load_sources(config / "sources.yaml")[spec["sources"]["rows"]]
    items, _ = load_items("biggen_prompts", spec, {"rows": mirror / source.mirror_path})
    assert len({item.extra["task"] for item in items}) == 77
    assert len({item.category for item in items}) == 9
    assert all(item.extra["rubric"].count("\nScore ") == 5 and item.reference for item in items)
    assert not any("Hello World!" in str((item.responses, item.models)) for item in items)
    assert items[0].turns[0].startswith("You are a travel agent that can design travel plans.\n\nDesign a travel plan")


def test_answers_have_the_truth_that_the_entry_names(tmp_path):
    rows = [
        biggen_row(1, "alpha", human_score=4, gpt4_score=[2, None, 4]),
        biggen_row(1, "beta", human_score=-1, gpt4_score=1),
    ]
    (item,), counts = load(tmp_path, rows, form="answers", truth="human_score")
    assert (item.id, item.models, item.truth) == ("reasoning_task_1-alpha", ("alpha",), 4.0)
    assert (item.votes, item.cluster, counts["without_score"]) == ((Vote("person_1", 4.0),), "reasoning_task_1", 1)
    assert (item.extra["criterion"], item.extra["system_prompt"]) == ("Is it right?", "Be brief.")
    by_gpt4, _ = load(tmp_path, rows, form="answers", truth="gpt4_score")
    assert [(item.truth, item.votes) for item in by_gpt4] == [(3.0, ()), (1.0, ())]


def test_the_whole_request_is_in_the_papers_words(tmp_path):
    stand_ins.write("prometheus_prompts", tmp_path / "words")
    (tmp_path / "rows.json").write_text(json.dumps([biggen_row(1, human_score=4)]))
    spec = {"loader": "biggen", "protocol": "pointwise", "sources": {"rows": "r", "words": "w"},
            "options": {"form": "answers", "truth": "human_score"}}  # fmt: skip
    (item,), _ = load_items("bgb", spec, {"rows": tmp_path / "rows.json", "words": tmp_path / "words"})
    request = _rubric_prompt.split(item.extra["published_prompt"])
    assert (request.instruction, request.response) == (item.turns[0], item.responses[0][0])
    assert (request.reference, request.rubric) == ("Best.", item.extra["rubric"])


def test_a_file_of_ones_own_answers_needs_no_grades(tmp_path):
    own = biggen_row(1) | {"response_model_name": "mine"}
    del own["model_name"]
    (item,), _ = load(tmp_path, {own["id"]: own}, form="answers", unlabelled=True)
    assert (item.truth, item.models, item.responses) == (None, ("mine",), ((own["response"],),))


def test_a_judge_sees_the_rubric_of_the_instance_and_not_the_system_prompt(tmp_path, repository):
    (item, *_), _ = load(tmp_path, biggen(), form="answers", truth="gpt4_score")
    shown = render(load_template(repository / "config/prompts/prometheus_absolute_reference.yaml"), item, "original")[
        -1
    ]
    assert item.extra["rubric"] in shown["content"] and item.reference in shown["content"]
    assert "Be brief." not in shown["content"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"human_score": 6}, "'human_score' is 6, not one or several scores from 1 to 5"),
        ({"human_score": True}, "human_score"),
        ({"score_rubric": {"criteria": "Right?"}}, "no field 'score1_description'"),
    ],
)
def test_a_broken_row_is_named(tmp_path, change, problem):
    with pytest.raises(JudgemergeError, match=f"row 0.*{problem}"):
        load(tmp_path, [biggen_row(0, human_score=3) | change], form="answers", truth="human_score")

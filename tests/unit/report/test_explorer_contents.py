"""What goes into the explorer: the index that is filtered by, the texts, the tables, and no more than fits."""

import base64
import csv
import gzip
import hashlib
import json
import re
from types import SimpleNamespace

import explorer_cases as cases
import pytest

import vendor_web
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.items import Verdict, write_items, write_verdicts
from judgemerge.judge import failures
from judgemerge.prompting.parsing import Reply, write_replies
from judgemerge.report import explorer
from judgemerge.report.contents import Contents
from judgemerge.report.explorer import FLAGS, differ, fitting, flags_of, plain_cell
from judgemerge.study.load import load_study


def unpacked(page, name="index"):
    """Return what a block of a page holds."""
    (letters,) = re.findall(f'<script type="application/gzip" id="{name}">(.*?)</script>', page)
    return json.loads(gzip.decompress(base64.b64decode(letters)))


def names(flags):
    return {name for name, bit in FLAGS.items() if flags & bit}


def pair_of(*outcomes):
    """Return the verdicts on a pair in both orders, or in the first."""
    return [Verdict("i", order, outcome) for order, outcome in zip(explorer.ORDERS, outcomes, strict=False)]


@pytest.mark.parametrize(
    ("outcomes", "truth", "expected"),
    [
        (("first", "first"), "first", {"right"}),
        (("first",), "first", {"right"}),
        (("first", "second"), "first", {"wrong", "flip"}),
        (("second", "tie"), "first", {"wrong", "wrong_always", "flip"}),
        (("first", "error"), "first", {"unreadable"}),
        (("second", "error"), "first", {"wrong", "unreadable"}),
        (("error", "error"), "first", {"unreadable"}),
        (("first", "second"), None, {"flip"}),
        ((), "first", set()),
    ],
)
def test_what_verdicts_on_a_pair_are(outcomes, truth, expected):
    assert names(flags_of(pair_of(*outcomes), truth)) == expected


@pytest.mark.parametrize(
    ("score", "expected"), [(3.5, {"right"}), (4.0, {"wrong", "wrong_always"}), (2, {"wrong", "wrong_always"})]
)
def test_a_grade_is_wrong_when_it_is_a_point_off(score, expected):
    assert names(flags_of([Verdict("i", "original", "score", score=score)], 3)) == expected


def test_answers_differ_by_class_or_by_a_whole_point():
    assert differ(["first", "tie"]) and not differ(["first", "first"]) and not differ([])
    assert differ([1, 2.0]) and not differ([1.5, 2.0]) and not differ([None, 4])


def test_the_index_says_of_every_item_what_it_is_filtered_by():
    pairs = cases.study().benchmarks[0]
    index = explorer.index_of(pairs, ["longer"])
    assert index["ids"] == [f"pair {n}" for n in range(4)]
    assert index["categories"] == ["colours", "tools"] and index["category"] == [0, 1, 0, 1]
    assert index["gap"] == [-4, -4, -19, -4]
    assert index["people_split"] == [0, 1, 0, 0]
    assert index["judges_split"] == [0, 1, 1, 1]  # the baseline, which always says second, has no voice
    assert index["judges"]["gpt"]["codes"] == "1-1-1-1-"
    assert index["judges"]["small"]["codes"] == "1122" + "11!="
    assert "scores" not in index["judges"]["big"] and "confidence" not in index["judges"]["big"]


def test_grades_have_scores_and_a_judge_that_failed_its_reason():
    index = explorer.index_of(cases.study().benchmarks[1], [])
    assert index["judges"]["big"]["scores"] == [3.5, 2.0] and index["truth"] == [3.0, 5.0]
    assert index["gap"] == [5, 10]
    assert index["failed"] == {"small": "no memory"}


def test_the_confidence_of_a_judge_is_shown_where_verdicts_have_one():
    verdicts = [SimpleNamespace(confidence=0.9), SimpleNamespace(confidence=0.6), SimpleNamespace(confidence=None)]
    assert explorer.confidence(verdicts) == 0.75
    assert explorer.confidence(pair_of("first")) is None


def test_texts_votes_verdicts_and_replies_stand_together():
    (text, *_) = explorer.texts_of(cases.study().benchmarks[0])
    assert text["turns"] == ["Name a colour."] and text["responses"] == [["red"], ["a spoon"]]
    assert text["votes"] == [["annotator 0", "first"], ["annotator 1", "first"]]
    assert text["judges"]["gpt"] == {
        "verdicts": [{"order": "original", "outcome": "first", "raw": "Verdict first"}],
        "replies": [],
    }
    assert [reply["order"] for reply in text["judges"]["big"]["replies"]] == ["original", "swapped"]


def test_grades_that_are_compared_are_shown_with_their_pair():
    item = cases.pair(0)
    replies = [
        Reply("pairs", f"pair 0/{side}", "original", "key", f"[RESULT] {grade}")
        for side, grade in (("first", 4), ("second", 2))
    ]
    judged = explorer.Judged(
        "pairs",
        "pairwise",
        [item],
        {"big_from_grades": cases.verdicts([item], ["first"], ["first"])},
        {"big_from_grades": replies},
        {},
    )
    (text,) = explorer.texts_of(judged)
    assert [(reply["side"], reply["reply"]) for reply in text["judges"]["big_from_grades"]["replies"]] == [
        ("first", "[RESULT] 4"),
        ("second", "[RESULT] 2"),
    ]


def test_cells_are_numbers_where_they_are_written_as_numbers():
    cells = ["0.25", "1e-3", "-3", "007", "1_0", "nan", "inf", "1e999", "", "null"]
    assert [plain_cell(cell) for cell in cells] == [0.25, 0.001, -3, "007", "1_0", "nan", "inf", "1e999", None, "null"]


def test_a_page_holds_everything_where_there_is_room(tmp_path):
    page = fitting(cases.study(), explorer.WHOLE)
    index = unpacked(page)
    assert [table["name"] for table in index["tables"]] == ["agreement", "comparisons"]
    assert len(unpacked(page, f"block-{index['tables'][0]['block']}")) == 5
    assert index["standings"]["pairs"]["judges"]["big"]["accuracy"]["mark"] == "best"
    assert '<p id="shortcomings"></p>' in page
    assert page == fitting(cases.study(), explorer.WHOLE)  # the same bytes again


def test_the_same_policy_allows_our_script_and_style_alone():
    page = fitting(cases.study(), explorer.WHOLE)
    policy = re.search('Content-Security-Policy" content="([^"]*)"', page).group(1)
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    for name, text in (("script-src", script), ("style-src", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "http" not in policy
    assert "sourceMappingURL" not in page and "Copyright (c) 2015-present Jason Miller" in page


def test_long_texts_lose_their_middle_before_items_are_left_out():
    items = [cases.pair(n, prompt=hashlib.sha256(str(n).encode()).hexdigest() * 200) for n in range(40)]
    contents = cases.study(items, "".join(hashlib.sha256(str(n).encode()).hexdigest() for n in range(200)))
    whole = fitting(contents, explorer.WHOLE)
    shorter = fitting(contents, len(whole) - 1, "explorer.html")
    words = re.search('id="shortcomings">(.*?)<', shorter).group(1)
    assert words == (
        "This page holds texts of more than 4,000 characters without their middle. "
        "More is in explorer.html, beside the report."
    )
    assert "characters are left out here" in unpacked(shorter, "block-0")[0]["turns"][0]
    bare = len(fitting(cases.study(), explorer.WHOLE))
    few = fitting(contents, bare + 4000)
    assert len(few) <= bare + 4000
    index = unpacked(few)
    assert 0 < len(index["benchmarks"][0]["ids"]) < 40
    assert "drawn at random" in few and index["benchmarks"][0]["ids"] == sorted(
        index["benchmarks"][0]["ids"], key=lambda name: int(name.split()[1])
    )


def test_the_largest_tables_are_left_out_by_name():
    rows = [[hashlib.sha256(str(n).encode()).hexdigest()] for n in range(2000)]
    contents = cases.study(more_tables=[cases.table("big", ["x"], rows)])
    page = fitting(contents, 150_000)
    assert [table["name"] for table in unpacked(page)["tables"]] == ["agreement", "comparisons"]
    assert "without the tables big, which lie in the folder tables/" in page


def test_foreign_texts_cannot_end_an_element():
    hostile = "</script><!-- \ud800 \u202e"
    page = fitting(
        cases.study([cases.pair(0, prompt=hostile, first=hostile)], hostile, description=hostile), explorer.WHOLE
    )
    page.encode()
    assert page.count("</script>") == page.count("<script")
    assert unpacked(page, "block-0")[0]["turns"] == [hostile]


def test_files_of_a_study_become_a_page(tmp_path, monkeypatch):
    """The whole way: files as rules write them in, both pages out."""
    monkeypatch.chdir(tmp_path)
    contents = cases.study()
    pairs = contents.benchmarks[0]
    folder = tmp_path / "results" / "mine"
    write_items(folder / "items" / "pairs.jsonl", pairs.items)
    for judge, verdicts in pairs.verdicts.items():
        write_verdicts(folder / "verdicts" / judge / "suite.jsonl", {"pairs": verdicts})
    for judge, replies in pairs.replies.items():
        write_replies(folder / "replies" / judge / "suite.jsonl", replies)
    failures.mark([folder / "verdicts" / "lost" / "suite.jsonl"], "no memory")
    paths = {}
    for table in contents.tables:
        paths[table.name] = (str(folder / f"{table.name}.csv"), table.title, table.columns)
        with open(paths[table.name][0], "w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([table.head, *table.rows])
    explorer.write(
        study="mine",
        description="Words.",
        suites={"pairs": "suite"},
        protocols={"pairs": "pairwise"},
        judges=contents.judges,
        pairs=[(judge, "pairs") for judge in (*pairs.verdicts, "lost")],
        writers=[("big", "pairs"), ("small", "pairs"), ("lost", "pairs")],
        tables=paths,
        page=str(folder / "explorer.html"),
        page_in_report=str(folder / "inside.html"),
    )
    page = (folder / "explorer.html").read_text(encoding="utf-8")
    assert (folder / "inside.html").read_text(encoding="utf-8") == page
    index = unpacked(page)
    assert index["benchmarks"][0]["failed"] == {"lost": "no memory"}
    assert index["standings"] == unpacked(fitting(contents, explorer.WHOLE))["standings"]
    assert unpacked(page, "block-0") == unpacked(fitting(contents, explorer.WHOLE), "block-0")


def test_every_study_that_judges_knows_the_files_of_its_explorer(repository, monkeypatch):
    monkeypatch.chdir(repository)
    for name in ("config/config.yaml", "config/studies/replay.yaml", "config/studies/prometheus.yaml"):
        contents = Contents(load_study(load_yaml(name), name, "config"))
        inputs = contents.explorer_inputs()
        assert len(inputs) == len(set(inputs)) and f"results/{contents.study.name}/tables/agreement.csv" in inputs
        parameters = contents.explorer_parameters()
        assert json.dumps(parameters)  # plain values: they are parameters of a job
        assert {judge for judge, *_ in parameters["judges"]} == {judge for judge, _ in parameters["pairs"]}
        assert any(path.endswith("explorer.html") for path in contents.files())


def test_the_libraries_are_those_that_the_manifest_names():
    assert vendor_web.differences() == []
    versions = {entry["name"]: entry["version"] for entry in explorer.libraries()}
    assert versions == {name: version for name, (version, _) in vendor_web.LIBRARIES.items()}
    assert {entry["licence"] for entry in explorer.libraries()} <= vendor_web.ALLOWED
    assert sum(path.stat().st_size for path in vendor_web.FOLDER.iterdir()) < 300_000

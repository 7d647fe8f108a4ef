"""Samples of lm-evaluation-harness and logs of inspect_ai as recorded judges.

The files in tests/data have the form that lm-eval 0.4.13 and inspect_ai 0.3.285 wrote for six pairs and grades of the
demo study; replies are made up.
"""

import json
import struct
import zipfile
import zlib

import pytest
import yaml

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.judge.recorded import count_recorded, load_recorded, read_recorded
from judgemerge.judge.recorded_formats import inspect_ai

LABELS = {"A": "first", "B": "second", "C": "tie", "tie": "tie"}
FIELDS = {"item": "doc.id", "verdict": "answer", "reply": "reply"}
LOGGED = {"item": "id", "verdict": "answer", "reply": "reply"}


def items(protocol="pairwise", n=6):
    responses = (("x",), ("y",))[: 2 if protocol == "pairwise" else 1]
    return [
        Item(
            id=f"{protocol}-test-1-{number:05}", benchmark="bench", protocol=protocol, turns=("q",), truth=None,
            responses=responses, cluster="c", origin={"source": "s", "row": number},
        )
        for number in range(n)
    ]  # fmt: skip


def read(name, path, options, role="original", protocol="pairwise"):
    return list(read_recorded(name, {role: path}, items(protocol), options))


def said(recorded):
    return [one.verdict.reason or one.verdict.score or one.verdict.outcome for one in recorded]


# ---- lm-evaluation-harness ----


def test_what_a_filter_left_of_the_reply_is_the_verdict(data):
    recorded = read(
        "lm_eval", data / "lm_eval_filters.jsonl", {"fields": FIELDS, "labels": LABELS, "filter": "verdict"}
    )
    assert said(recorded) == ["second", "tie", "unparsed", "first", "second", "first"]
    assert [one.reply for one in recorded][2:4] == ["I think so", "Verdict: A"]
    assert all(one.value is None for one in recorded)  # `[invalid]` is no label that the catalogue has to explain


def test_without_an_id_documents_belong_to_rows_of_the_benchmark(data):
    options = {"fields": {"verdict": "answer"}, "labels": LABELS, "filter": "verdict"}
    assert said(read("lm_eval", data / "lm_eval_filters.jsonl", options))[:2] == ["second", "tie"]


def test_a_swapped_task_shows_the_pair_the_other_way_round(data):
    options = {"fields": FIELDS, "labels": LABELS, "filter": "verdict", "positions": "shown"}
    recorded = read("lm_eval", data / "lm_eval_filters.jsonl", options, role="swapped")
    assert said(recorded) == ["first", "tie", "unparsed", "second", "first", "second"]


def test_several_filters_have_to_be_chosen_from(data):
    for options, sentence in (
        ({}, r"has the samples of several filters, verdict, whole …; name one in options.filter"),
        ({"filter": "other"}, r"has no samples of the filter 'other', only of verdict, whole; correct"),
    ):
        with pytest.raises(JudgemergeError, match=sentence):
            read("lm_eval", data / "lm_eval_filters.jsonl", {"fields": FIELDS, "labels": LABELS, **options})


def test_the_likeliest_choice_is_the_verdict_with_its_probability(data):
    likely = {"first": "likely_of.A", "second": "likely_of.B", "tie": "likely_of.tie"}
    fields = {"item": "doc.id", "verdict": "answer", "probability": likely}
    recorded = read("lm_eval", data / "lm_eval_choice.jsonl", {"fields": fields, "labels": LABELS})
    assert said(recorded) == ["tie", "second", "tie", "first", "second", "tie"]
    assert recorded[3].verdict.probabilities == pytest.approx(
        {"first": 0.88457, "second": 0.007, "tie": 0.10843}, abs=1e-5
    )
    assert recorded[3].reply is None
    fields["probability"] = "likely"
    (*_, last) = read("lm_eval", data / "lm_eval_choice.jsonl", {"fields": fields, "labels": LABELS})
    assert last.verdict.probabilities == pytest.approx({"tie": 0.44998}, abs=1e-5)


def test_two_choices_that_are_equally_likely_are_no_verdict(data, tmp_path):
    rows = [json.loads(line) for line in (data / "lm_eval_choice.jsonl").read_text().splitlines()]
    rows[0]["filtered_resps"] = [["-1.5", "False"], ["-1.5", "False"], ["-3.0", "False"]]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    fields = {"item": "doc.id", "verdict": "answer"}
    assert said(read("lm_eval", path, {"fields": fields, "labels": LABELS}))[0] == "unparsed"


def test_grades_are_read_from_text_and_rows_are_counted(data, tmp_path):
    rows = [
        {"doc_id": n, "doc": {"key": f"pointwise-test-1-{n:05}"}, "resps": [[f"I say {n}"]], "filtered_resps": [str(n)]}
        for n in range(1, 8)
    ]
    path = tmp_path / "samples.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    options = {"fields": {"item": "doc.key", "score": "answer", "reply": "reply"}}
    recorded = read("lm_eval", path, options, protocol="pointwise")
    assert said(recorded) == ["not_recorded", 1.0, 2.0, 3.0, 4.0, 5.0]
    counts = count_recorded("lm_eval", {"original": path}, recorded, items("pointwise"), options)
    assert (counts["rows"], counts["not_joined"]) == ({"original": 7}, {"original": 2})
    assert counts["unknown_ids"] == {"original": ["pointwise-test-1-00006", "pointwise-test-1-00007"]}


def test_a_part_of_the_samples_can_be_named(data):
    options = {"fields": FIELDS, "labels": LABELS, "filter": "verdict", "rows": {"where": {"doc.label": "B"}}}
    recorded = read("lm_eval", data / "lm_eval_filters.jsonl", options)
    assert said(recorded) == ["second", "tie", "not_recorded", "not_recorded", "second", "first"]


# ---- inspect_ai ----


def archived(log, path, method=zipfile.ZIP_DEFLATED):
    """Write the samples of a JSON log as inspect_ai's archive has them."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("header.json", json.dumps({"version": 2}))
        for sample in reversed(json.loads(log.read_text(encoding="utf-8"))["samples"]):
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    return path


def with_zstd(plain, path):
    """Write an archive again with its entries compressed as newer versions of inspect_ai compress them."""
    import pyarrow

    body, directory, n = b"", b"", 0
    with zipfile.ZipFile(plain) as archive:
        for name in archive.namelist():
            content, encoded = archive.read(name), name.encode()
            packed = pyarrow.compress(content, codec="zstd", asbytes=True)
            sizes = struct.pack("<HHIIIHH", 0, 0, zlib.crc32(content), len(packed), len(content), len(encoded), 0)
            place, n = len(body), n + 1
            body += struct.pack("<IHHH", 0x04034B50, 63, 0, inspect_ai.ZSTD) + sizes + encoded + packed
            directory += struct.pack("<IHHHH", 0x02014B50, 63, 63, 0, inspect_ai.ZSTD) + sizes
            directory += struct.pack("<HHHII", 0, 0, 0, 0, place) + encoded
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, n, n, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


@pytest.mark.parametrize("form", ["json", "deflated", "zstd"])
def test_what_the_scorer_took_from_the_reply_is_the_verdict(data, tmp_path, form):
    path = data / "inspect_pairs.json"
    if form != "json":
        path = archived(path, tmp_path / "log.eval")
    if form == "zstd":
        pytest.importorskip("pyarrow")
        path = with_zstd(path, tmp_path / "newer.eval")
    recorded = read("inspect_ai", path, {"fields": LOGGED, "labels": LABELS})
    assert said(recorded) == ["second", "second", "unparsed", "first", "tie", "first"]
    assert recorded[2].reply == "I think so"
    counts = count_recorded("inspect_ai", {"original": path}, recorded, items(), {"fields": LOGGED, "labels": LABELS})
    assert counts["rows"] == {"original": 6} and "not_joined" not in counts


def test_a_scorer_can_be_the_judge_and_epochs_are_chosen(data):
    options = {"fields": {"item": "id", "score": "value", "reply": "explanation"}, "epoch": 2}
    recorded = read("inspect_ai", data / "inspect_grades.json", options, protocol="pointwise")
    assert said(recorded) == [1.0, 2.0, 3.0, 4.0, 5.0, 4.0] and recorded[0].reply == "seen"
    with pytest.raises(JudgemergeError, match=r"has no samples of epoch 3, only of 1, 2; correct options.epoch"):
        read("inspect_ai", data / "inspect_grades.json", options | {"epoch": 3}, protocol="pointwise")


def edited(data, tmp_path, change):
    log = json.loads((data / "inspect_pairs.json").read_text(encoding="utf-8"))
    change(log)
    path = tmp_path / "log.json"
    path.write_text(json.dumps(log), encoding="utf-8")
    return path


def test_a_sample_that_ended_with_an_error_has_no_verdict(data, tmp_path):
    def change(log):
        log["samples"][0] |= {"scores": None, "error": {"message": "too long"}}
        log["samples"][1]["output"]["completion"] = "attachment://abc"
        log["samples"][1]["attachments"] = {"abc": "a long reply"}

    recorded = read("inspect_ai", edited(data, tmp_path, change), {"fields": LOGGED, "labels": LABELS})
    assert said(recorded)[:2] == ["unparsed", "second"] and recorded[1].reply == "a long reply"


def test_several_scorers_have_to_be_chosen_from(data, tmp_path):
    def change(log):
        for sample in log["samples"]:
            sample["scores"]["other"] = {"value": 1, "answer": "A"}

    path = edited(data, tmp_path, change)
    assert said(read("inspect_ai", path, {"fields": LOGGED, "labels": LABELS, "scorer": "other"})) == ["first"] * 6
    for options, sentence in (
        ({}, "has the scores of pattern, other; name one in options.scorer"),
        ({"scorer": "third"}, "has no score of 'third', only of pattern, other; correct options.scorer"),
    ):
        with pytest.raises(JudgemergeError, match=sentence):
            read("inspect_ai", path, {"fields": LOGGED, "labels": LABELS, **options})


def test_what_is_no_log_is_refused(data, tmp_path):
    (tmp_path / "a.json").write_text('{"version": 2, "eval": {}}')
    with zipfile.ZipFile(tmp_path / "b.eval", "w") as archive:
        archive.writestr("notes.txt", "")
    for name, sentence in (
        ("a.json", "is no log of inspect_ai with samples"),
        ("b.eval", "is an archive without samples"),
    ):
        with pytest.raises(JudgemergeError, match=sentence):
            read("inspect_ai", tmp_path / name, {"fields": LOGGED, "labels": LABELS})


def test_a_log_that_cannot_be_decompressed_says_what_to_do(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(JudgemergeError, match="inspect log convert --to json"):
        inspect_ai._decompressed_by_pyarrow(b"", 1, "x.eval")


# ---- the catalogue ----


@pytest.mark.parametrize(
    ("form", "options", "sentence"),
    [
        ("lm_eval", {"fields": FIELDS, "filters": "a"}, "options has the unknown key 'filters'"),
        ("lm_eval", {"fields": FIELDS, "filter": 3}, "options: filter"),
        ("lm_eval", {"fields": FIELDS, "rows": {"list": "samples"}}, "rows has the unknown key 'list'"),
        ("lm_eval", {"fields": {"item": "doc.id"}}, "options.fields needs either verdict"),
        ("inspect_ai", {"fields": {"verdict": "answer"}}, "options.fields has no item; logs of inspect_ai keep"),
        ("inspect_ai", {"fields": LOGGED, "epoch": "1"}, "options: epoch"),
        ("inspect_ai", {"fields": LOGGED, "filter": "a"}, "options has the unknown key 'filter'"),
    ],
)
def test_entries_that_cannot_be_right_are_refused(tmp_path, form, options, sentence):
    entry = {"label": "Mine", "format": form, "benchmarks": {"bench": {"original": "a.json"}}, "options": options}
    path = tmp_path / "recorded.yaml"
    path.write_text(yaml.safe_dump({"mine": entry}), encoding="utf-8")
    with pytest.raises(JudgemergeError, match=sentence):
        load_recorded(path)


@pytest.mark.parametrize("form", ["lm_eval", "inspect_ai"])
def test_an_entry_for_both_orders_is_taken(tmp_path, form):
    roles = {"original": "a.jsonl", "swapped": {"file": "b.jsonl", "labels": {"B": "first", "A": "second"}}}
    options = {"fields": {"item": "id", "verdict": "answer"}, "labels": LABELS, "positions": "shown"}
    path = tmp_path / "recorded.yaml"
    entry = {"label": "Mine", "format": form, "benchmarks": {"bench": roles}, "options": options}
    path.write_text(yaml.safe_dump({"mine": entry}), encoding="utf-8")
    assert load_recorded(path)["mine"].sources("bench") == {"original": "a.jsonl", "swapped": "b.jsonl"}
    assert not load_recorded(path)["mine"].gives_probabilities("bench")

"""How replies ended: counted per judge and benchmark, those that were read included."""

from report_cases import make
from rule_scripts import rule_script

from judgemerge.core import files
from judgemerge.core.frames import read_table
from judgemerge.core.items import Verdict, read_verdicts, write_verdicts
from judgemerge.evaluate.reply_counts import table_row
from judgemerge.judge import failures

parse_replies = rule_script("judge/parse_replies")


def row(item, reply, finish_reason, **others):
    base = {"benchmark": "b", "item": item, "order": "original", "prompt": "k", "reply": reply, "reason": None}
    return base | {"prompt_tokens": 1, "reply_tokens": 1, "finish_reason": finish_reason} | others


def test_replies_are_counted_with_their_ends_and_reasons(tmp_path, repository):
    rows = [
        row("1", "Verdict: A", "stop"),
        row("2", "Verdict: A\n", "length"),  # cut, but the line is closed
        row("3", "Verdict: A", "length"),
        row("4", "<think>\nVerdict: A", "length"),
        row("5", "Verdict: A\nVerdict: B\nVerdict: tie\nVer", "length"),
        row("6", "Both are fine.", "stop"),
        row("7", None, None, reason="prompt_too_long"),
        {key: value for key, value in row("8", "Verdict: B", None).items() if key != "finish_reason"},  # an old store's
    ]
    files.write_jsonl(tmp_path / "replies.jsonl", rows)
    prompt = repository / "config" / "prompts" / "brief_pairwise.yaml"
    parse_replies.main(tmp_path / "replies.jsonl", [prompt], {"b": "pairwise"}, tmp_path / "verdicts.jsonl")
    found = list(read_verdicts(tmp_path / "verdicts.jsonl", "b"))
    assert [(one.outcome, one.reason, one.cut) for one in found] == [
        ("first", None, False),
        ("first", None, True),
        ("error", "cut", True),
        ("error", "unfinished_thought", True),
        ("error", "contradictory", True),
        ("error", "no_verdict", False),
        ("error", "prompt_too_long", None),
        ("second", None, None),
    ]
    assert [one.raw for one in found[:3]] == ["Verdict: A"] * 3
    assert table_row("j", "b", found) == {
        "judge": "j",
        "benchmark": "b",
        "verdicts": 8,
        "cut": 4,
        "cut_share": "0.6667",
        "errors": 5,
        "reasons": "contradictory 1, cut 1, no_verdict 1, prompt_too_long 1, unfinished_thought 1",
        "note": "how 1 replies ended is not known",
    }


def test_the_page_shows_what_the_table_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "mine" / "verdicts"
    for judge in "abc":
        (folder / judge).mkdir(parents=True)
    write_verdicts(folder / "a" / "s.jsonl", {"pairs": [Verdict("1", "original", "first", cut=False)]})
    cut = Verdict("1", "original", "error", reason="cut", cut=True)
    write_verdicts(folder / "b" / "s.jsonl", {"pairs": [cut] * 3, "others": [cut]})
    failures.mark([folder / "c" / "s.jsonl"], "nobody answers")
    pairs = [(judge, "pairs") for judge in "abc"]
    table, page = make("replies", tmp_path, {"pairs": "s"}, {"pairs": pairs})
    rows = read_table(table).to_dict("records")
    assert [(one["judge"], one["cut"], one["errors"]) for one in rows] == [("a", 0, 0), ("b", 3, 3), ("c", 0, 0)]
    text = page.read_text(encoding="utf-8")
    assert "cut 3" in text and "Missing, because they could not judge: c on pairs (nobody answers)" in text


def test_what_was_matched_is_kept_beside_what_it_means(tmp_path, repository):
    """The raw words are those of the reply, the outcome is in the benchmark's order."""
    files.write_jsonl(tmp_path / "r.jsonl", [row("1", "Long.\n**Verdict:** A", "stop", order="swapped")])
    prompt = repository / "config" / "prompts" / "brief_pairwise.yaml"
    parse_replies.main(tmp_path / "r.jsonl", [prompt], {"b": "pairwise"}, tmp_path / "v.jsonl")
    (stored,) = files.read_jsonl(tmp_path / "v.jsonl")
    assert (stored["outcome"], stored["raw"]) == ("second", "Verdict: A")

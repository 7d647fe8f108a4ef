"""RO-Crates: what is packed, what each file is said to come from, and that a wrong crate is noticed."""

import datetime
import json
import os
import re

import pytest

import finished_study
from judgemerge.core import provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.files import sha256_file, sha256_text
from judgemerge.report import crate
from judgemerge.report.crate import (
    Derivation,
    Made,
    build,
    check_finished,
    derivations,
    files_to_pack,
    parse_summary,
    problems,
)

HEAD = "output_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan"
CITATION = {
    "title": "judgemerge: judges",
    "abstract": "A workflow.\n",
    "version": "0.1.0",
    "license": "MIT",
    "keywords": ["a", "b"],
    "authors": [{"name": "The developers"}],
}
CRATE = ("ro-crate-metadata.json", "crate", ["ro-crate-preview.html"])
URL = "https://example.org/rows.jsonl"
DATE = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


ABOUT = {
    "authors": [
        {"given-names": "Ada", "family-names": "Lovelace", "orcid": "https://orcid.org/0000-0000-0000-0001"},
        {"name": "A laboratory"},
    ],
    "publisher": "A library",
    "licence": "CC-BY-4.0",
    "source": "https://example.org/study",
}


def record(commit="a" * 40, dirty=False, about=None):
    digest = sha256_text("rows")
    return {
        "study": "few",
        "git": {"commit": commit, "dirty": dirty},
        "settings": {
            "study": "few",
            "description": "Two judges.",
            "about": about or {},
            "judging": {"backend": "transformers", "judges": {"other": {"backend": "openai"}}},
        },
        "versions": {"python": "3.11.7", "torch": "2.13.0+cpu", "scipy": "1.17.1"},
        "sources": {
            "rows": {"url": URL, "sha256": digest, "licence": "MIT", "bytes": 12},
            "data/mine.jsonl": {"url": "data/mine.jsonl", "sha256": digest, "licence": "not stated"},
        },
    }


# ---- what was made from what ----

DONE = "no update"
SUMMARY = f"""{HEAD}
r/scores/b.csv\tdate\tscore_benchmark\tr/logs/s.log\tr/items/b.jsonl,r/verdicts/m/b.jsonl,r/verdicts/x/b.jsonl\t-\tok\t{DONE}
r/items/b.jsonl\tdate\twrite_items\tr/logs/i.log\tr/sources/rows\t-\tok\t{DONE}
r/items/b.counts.json\tdate\twrite_items\tr/logs/i.log\tr/sources/rows\t-\tok\t{DONE}
r/sources/rows\tdate\tfetch_source\tr/logs/f.log\t\t-\tok\t{DONE}
r/verdicts/m/b.jsonl\tdate\tparse_replies\tr/logs/p.log\tr/replies/m/b.jsonl,config/prompts/p.yaml\t-\tok\t{DONE}
r/replies/m/b.jsonl\tdate\tjudge_suite\tr/logs/j.log\tr/items/b.jsonl,r/models/m,r/models/m.json\t-\tok\t{DONE}
r/models/m\tdate\tlink_model\tr/logs/l.log\t\t-\tok\t{DONE}
r/models/m.json\tdate\tlink_model\tr/logs/l.log\t\t-\tok\t{DONE}
r/verdicts/x/b.jsonl\tdate\tread_recorded\tr/logs/x.log\tr/items/b.jsonl,data/mine.jsonl\t-\tok\t{DONE}
r/tables/a.csv\tdate\tcollect\tr/logs/c.log\tr/scores/b.csv\t-\tok\t{DONE}
r/tables/a.html\tdate\tcollect\tr/logs/c.log\tr/scores/b.csv\t-\tok\t{DONE}
"""
PACKED = {
    name: name.removeprefix("r/")
    for name in ("r/tables/a.csv", "r/tables/a.html", "r/scores/b.csv", "r/verdicts/m/b.jsonl", "r/models/m.json")
} | {"config/prompts/p.yaml": "config/prompts/p.yaml"}
SOURCES = {"r/sources/rows": "rows", "data/mine.jsonl": "data/mine.jsonl"}
CONFIGS = ["config/study.yaml", "config/benchmarks.yaml", "config/recorded.yaml", "config/sources.yaml"]


def test_a_summary_is_read():
    made = parse_summary(SUMMARY)
    assert made["r/items/b.jsonl"] == Made("write_items", "r/logs/i.log", ("r/sources/rows",), "no update")
    assert made["r/sources/rows"].inputs == ()
    assert len(made) == SUMMARY.count("\n") - 1


def test_a_file_that_many_others_use_is_passed_once():
    """Rounds of a search use all earlier ones: there are more paths from the first to the last than can be walked."""
    lineage = {"r/0": Made("train_trial", "r/logs/0.log", ("r/sources/rows",), "ok")}
    for n in range(1, 40):
        lineage[f"r/{n}"] = Made("train_trial", f"r/logs/{n}.log", tuple(f"r/{before}" for before in range(n)), "ok")
    steps = derivations(lineage, {"r/39": "best.json"}, SOURCES, CONFIGS)
    assert len(steps) == 40 and all("source:rows" in step.objects for step in steps)


def test_what_lies_between_is_named_with_what_is_behind_it():
    derived = {one.results: one for one in derivations(parse_summary(SUMMARY), PACKED, SOURCES, CONFIGS)}
    both = derived["tables/a.csv", "tables/a.html"]
    assert both == Derivation("collect", both.results, ("scores/b.csv", "config/study.yaml"))
    scores = derived[("scores/b.csv",)]
    assert scores.objects == (
        "source:rows",
        "verdicts/m/b.jsonl",
        "source:data/mine.jsonl",
        "#r/items/b.jsonl",
        "#r/verdicts/x/b.jsonl",
        "config/study.yaml",
        "config/benchmarks.yaml",
        "config/sources.yaml",
        "config/recorded.yaml",
    )
    verdicts = derived[("verdicts/m/b.jsonl",)]
    assert verdicts.objects[:4] == ("source:rows", "models/m.json", "config/prompts/p.yaml", "#r/replies/m/b.jsonl")
    assert derived[("models/m.json",)].objects == ("config/study.yaml",)


def test_a_job_whose_files_are_not_packed_is_a_step_of_its_own():
    derived = {one.results: one for one in derivations(parse_summary(SUMMARY), PACKED, SOURCES, CONFIGS)}
    judged = derived[("#r/replies/m/b.jsonl",)]
    assert judged.rule == "judge_suite"
    assert judged.objects[:3] == ("source:rows", "models/m.json", "#r/items/b.jsonl")
    assert derived[("#r/items/b.jsonl",)].objects[0] == "source:rows"
    assert derived[("#r/verdicts/x/b.jsonl",)].rule == "read_recorded"
    assert not any("sources" in name for names in derived for name in names)
    assert len(derived) == 7


def test_results_that_a_run_would_change_are_refused():
    made = parse_summary(SUMMARY)
    check_finished(made, "snakemake")
    stale = parse_summary(
        SUMMARY.replace(
            "\tcollect\tr/logs/c.log\tr/scores/b.csv\t-\tok\tno update",
            "\tcollect\tr/logs/c.log\tr/scores/b.csv\t-\tmissing\tupdate pending",
        )
    )
    with pytest.raises(JudgemergeError, match=r"2 files are missing or out of date, first r/tables/a.csv; run `snake`"):
        check_finished(stale, "snake")
    with pytest.raises(JudgemergeError, match="nothing was made; run `snake` first"):
        check_finished({}, "snake")


# ---- what is packed ----


@pytest.fixture
def results(tmp_path):
    """Return a folder of results with a bit of everything."""
    folder = tmp_path / "results"
    for name in (
        "tables/a.csv",
        "figures/f.svg",
        "scores/b.csv",
        "recipes/m.merge.yaml",
        "models/m.json",
        "models/m/model.safetensors",
        "run.json",
        "report.html",
        "explorer.html",
        "explorer_in_report.html",
        "README.md",
        "index.html",
        "items/b.jsonl",
        "replies/m/b.jsonl",
        "sources/rows",
        "store/d/b.jsonl",
        "verdicts/m/b.jsonl",
        "verdicts/x/b.jsonl",
        "verdicts/x/b.counts.json",
        "cards/m.md",
        "checks/e.export.json",
        "embedding/models/base.json",
        "embedding/models/base/config.json",
        "embedding/chunks/target.jsonl",
        "embedding/chunks/target.counts.json",
        "embedding/iterations/1/questions.jsonl",
        "embedding/iterations/1/questions.counts.json",
        "embedding/iterations/1/decision.json",
        "embedding/review/target.csv",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


SMALL = [
    "README.md",
    "cards/m.md",
    "checks/e.export.json",
    "embedding/chunks/target.counts.json",
    "embedding/iterations/1/decision.json",
    "embedding/iterations/1/questions.counts.json",
    "embedding/models/base.json",
    "embedding/review/target.csv",
    "figures/f.svg",
    "models/m.json",
    "recipes/m.merge.yaml",
    "index.html",
    "run.json",
    "scores/b.csv",
    "tables/a.csv",
]


def test_no_model_no_reply_no_raw_file_and_no_recorded_verdict_is_packed(results):
    assert sorted(files_to_pack(results, ["m"])) == sorted([*SMALL, "verdicts/m/b.jsonl"])


def test_large_verdicts_stay_behind(results, monkeypatch):
    monkeypatch.setattr(crate, "VERDICTS_LIMIT", 10)
    assert sorted(files_to_pack(results, ["m"])) == sorted(SMALL)


# ---- the crate ----

DERIVED = [
    Derivation("score_benchmark", ("scores/b.csv",), ("source:rows", "source:data/mine.jsonl", "verdicts/m/b.jsonl")),
    Derivation("collect", ("tables/a.csv", "figures/f.svg"), ("scores/b.csv",)),
]


def graph(folder):
    with open(folder / "ro-crate-metadata.json", encoding="utf-8") as file:
        return {entity["@id"]: entity for entity in json.load(file)["@graph"]}


@pytest.fixture
def packed(results, tmp_path):
    """Write a right crate and return its folder."""
    folder = tmp_path / "crate"
    crate.write(build(record(about=ABOUT), files_to_pack(results, ["m"]), DERIVED, CITATION, DATE), folder)
    return folder


def test_a_crate_has_no_problems(packed):
    assert problems(packed) == []
    assert (packed / "ro-crate-preview.html").is_file()


def test_who_made_it_when_and_under_which_licence(packed):
    entities = graph(packed)
    root = entities["./"]
    assert root["name"] == "judgemerge, study few"
    assert root["description"].startswith("Two judges. Tables,") and "a" * 40 in root["description"]
    assert root["datePublished"] == "2026-01-02"
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert entities[root["publisher"]["@id"]]["name"] == "A library"
    assert root["isBasedOn"] == {"@id": "https://example.org/study"}
    page = (packed / "ro-crate-preview.html").read_text(encoding="utf-8")
    assert "<a href='https://spdx.org/licenses/CC-BY-4.0'>CC-BY-4.0</a>" in page
    assert [entities[author["@id"]]["name"] for author in root["author"]] == ["Ada Lovelace", "A laboratory"]
    assert entities["https://orcid.org/0000-0000-0000-0001"]["@type"] == "Person"
    assert root["conformsTo"] == {"@id": crate.PROFILE}
    assert entities["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}


def test_what_the_study_does_not_say_is_not_in_the_crate(results, tmp_path):
    crate.write(build(record(), files_to_pack(results, ["m"]), DERIVED, CITATION, DATE), tmp_path / "crate")
    entities = graph(tmp_path / "crate")
    assert not {"author", "publisher", "license", "isBasedOn"} & entities["./"].keys()
    assert "agent" not in entities["#job-1"]
    assert problems(tmp_path / "crate") == []
    software = entities[f"swh:1:rev:{'a' * 40}"]
    assert software["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert entities[software["author"]["@id"]]["name"] == "The developers"


def test_every_job_has_its_own_times(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, text in (("r/tables/a.csv", "1"), ("r/timings/c.tsv", "s\tmax_rss\n12.5\t3\n"), ("r/scores/b.csv", "2")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        os.utime(tmp_path / path, (DATE.timestamp(), DATE.timestamp()))
    derived = {one.rule: one for one in derivations(parse_summary(SUMMARY), PACKED, SOURCES, CONFIGS)}
    assert (derived["collect"].end, derived["collect"].start) == (DATE, DATE - datetime.timedelta(seconds=12.5))
    assert (derived["score_benchmark"].end, derived["score_benchmark"].start) == (DATE, None)
    assert derived["parse_replies"].end is None


def test_every_step_has_a_tool_with_its_version(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "replies.jsonl").write_text("{}", encoding="utf-8")
    derived = [*DERIVED, Derivation("judge_suite", ("#r/replies.jsonl", "#r/gone"), ("models/m.json",), DATE, DATE)]
    crate.write(build(record(), files_to_pack(results, ["m"]), derived, CITATION, DATE), tmp_path / "crate")
    assert problems(tmp_path / "crate") == []
    entities = graph(tmp_path / "crate")
    rules = {one["name"]: one for one in entities.values() if one["@id"].startswith("#rule-")}
    scored, judged = (rules[f"Snakemake rule {name} of judgemerge"] for name in ("score_benchmark", "judge_suite"))
    assert scored["softwareRequirements"] == {"@id": "#tool-scipy"}
    torch = entities[judged["softwareRequirements"]["@id"]]
    assert (torch["name"], torch["softwareVersion"]) == ("torch", "2.13.0+cpu")
    assert torch["url"] == "https://pypi.org/project/torch/2.13.0/"
    assert "softwareRequirements" not in rules["Snakemake rule collect of judgemerge"]
    replies = entities["#r/replies.jsonl"]
    assert (replies["sha256"], replies["contentSize"]) == (sha256_file(tmp_path / "r" / "replies.jsonl"), "2")
    assert not {"sha256", "contentSize"} & entities["#r/gone"].keys()
    assert entities["#job-3"]["name"] == "judge_suite: r/replies.jsonl, r/gone"
    assert entities["#job-3"]["startTime"] == entities["#job-3"]["endTime"] == DATE.isoformat()


def test_versions_of_other_environments_are_not_made_up():
    of_conda = record() | {"deployment": "conda"}
    assert crate.tools_of("score_benchmark", record()) == {"scipy": "1.17.1"}
    assert crate.tools_of("score_benchmark", of_conda) == {}
    of_vllm = record()
    of_vllm["settings"]["judging"] = {"backend": "vllm"}
    assert crate.tools_of("judge_suite", of_vllm) == {}  # it is in an environment of its own, and not in the record


def test_tools_are_named_for_rules_that_there_are(repository):
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "rules").glob("*.smk"))
    rules = set(re.findall(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)", text, re.MULTILINE))
    assert crate.TOOLS.keys() <= rules
    assert {name for names in crate.TOOLS.values() for name in names} <= set(provenance.PACKAGES)


def test_every_table_names_code_and_sources(packed):
    entities = graph(packed)
    actions = [entities[action["@id"]] for action in entities["./"]["mentions"]]
    assert [action["name"] for action in actions] == [
        "score_benchmark: scores/b.csv",
        "collect: tables/a.csv, figures/f.svg",
    ]
    assert actions[1]["object"] == {"@id": "scores/b.csv"}
    assert {"@id": URL} in actions[0]["object"]
    instruments = [entities[action["instrument"]["@id"]] for action in actions]
    assert [one["name"] for one in instruments] == [
        "Snakemake rule score_benchmark of judgemerge",
        "Snakemake rule collect of judgemerge",
    ]
    software = entities[instruments[0]["isPartOf"]["@id"]]
    assert software["@id"] == f"swh:1:rev:{'a' * 40}"
    assert software["softwareVersion"] == f"0.1.0, commit {'a' * 40}"
    source = entities[URL]
    assert (source["sha256"], source["contentSize"]) == (sha256_text("rows"), "12")
    assert source["description"] == "Raw file, not included; licence: MIT"
    local = entities["#source-data/mine.jsonl"]
    assert (local["@type"], local["name"], local["sha256"]) == ("CreativeWork", "mine.jsonl", sha256_text("rows"))


@pytest.mark.parametrize(
    ("commit", "dirty", "said"),
    [("b" * 40, True, f"commit {'b' * 40}, with uncommitted changes"), (None, None, "no git checkout")],
)
def test_code_that_is_no_clean_commit_is_said(results, tmp_path, commit, dirty, said):
    build(record(commit, dirty), files_to_pack(results, []), DERIVED[1:], CITATION, DATE).write(tmp_path / "crate")
    assert f"({said})" in graph(tmp_path / "crate")["./"]["description"]


def edit(folder, change):
    path = folder / "ro-crate-metadata.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    value["@graph"] = [entity for entity in value["@graph"] if change(entity) is not False]
    path.write_text(json.dumps(value), encoding="utf-8")


def test_another_file_is_noticed(packed):
    (packed / "tables" / "a.csv").write_text("0.99", encoding="utf-8")
    assert problems(packed) == [f"{packed}/tables/a.csv: is not the file that is described"]


def test_a_lost_and_an_extra_file_are_noticed(packed):
    (packed / "run.json").rename(packed / "walk.json")
    assert problems(packed) == [
        f"{packed}/run.json: is described, but it is not there",
        f"{packed}/walk.json: is not described",
    ]


def test_missing_metadata_is_noticed(packed):
    edit(packed, lambda entity: entity.pop("description", None) and None if entity["@id"] == "./" else None)
    assert problems(packed) == [f"{packed}: the crate has no description"]


def test_a_table_from_nowhere_is_noticed(packed):
    edit(packed, lambda entity: entity["@id"] != "#job-2")
    assert problems(packed) == [
        "./: names #job-2, which is not described",
        "figures/f.svg: is the result of 0 actions, not of one",
        "tables/a.csv: is the result of 0 actions, not of one",
    ]


def test_a_source_without_a_digest_is_noticed(packed):
    edit(packed, lambda entity: entity.pop("sha256", None) and None if entity["@id"] == URL else None)
    assert problems(packed) == [f"{URL}: has no sha256"]


def test_what_is_no_crate_is_noticed(tmp_path):
    assert problems(tmp_path)[0].startswith(f"{tmp_path}: is no RO-Crate (Not a valid RO-Crate")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, None),
        ({"thesis.tex": ""}, "is not empty and no crate"),
        ({"ro-crate-metadata.json": '{"@graph": [{"@id": "run.json"}]}', "run.json": ""}, None),
        ({"ro-crate-metadata.json": '{"@graph": [{"@id": "./"}]}', "a/notes.md": ""}, "holds a/notes.md"),
    ],
)
def test_a_crate_replaces_nothing_but_a_crate(tmp_path, files, sentence):
    target = tmp_path / "target"
    target.mkdir()
    for name, content in files.items():
        (target / name).parent.mkdir(exist_ok=True)
        (target / name).write_text(content)
    if sentence:
        with pytest.raises(JudgemergeError, match=sentence):
            finished_study.check_replaceable(target, *CRATE)
    else:
        finished_study.check_replaceable(target, *CRATE)


def test_an_export_replaces_nothing_but_an_export(tmp_path):
    (tmp_path / "export.json").write_text('{"files": {"README.md": ""}}')
    (tmp_path / "README.md").touch()
    finished_study.check_replaceable(tmp_path, "export.json", "export")
    (tmp_path / "mine.txt").touch()
    with pytest.raises(
        JudgemergeError, match=r"holds mine.txt, which is no part of its export; give another folder as DIR"
    ):
        finished_study.check_replaceable(tmp_path, "export.json", "export")


def test_a_crate_behind_a_link_is_replaced_where_it_lies(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "earlier").touch()
    (tmp_path / "fresh").mkdir()
    (tmp_path / "link").symlink_to("there")
    finished_study.replace((tmp_path / "link").resolve(), tmp_path / "fresh")
    assert (tmp_path / "link").is_symlink() and list((tmp_path / "there").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there"]

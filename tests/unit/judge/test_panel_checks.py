"""What is refused of juries and cascades when a study is read, and what those that are right answer."""

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.suites import Suites
from judgemerge.study.load import load_study

SETTINGS = {
    "study": "voting",
    "models": {"near": {"path": "near"}, "far": {"path": "far"}},
    "suites": {
        "demo": {"benchmarks": ["demo_pairwise", "demo_pointwise"]},
        "pandalm": {"benchmarks": ["pandalm"]},
        "llmbar": {"benchmarks": ["llmbar_natural"]},
    },
    "judges": ["near", "far", "pandalm_7b", "longer", "gpt4_llmbar_cot", "vote"],
    "judging": {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}},
}
SUITES = SETTINGS["suites"]


@pytest.fixture(scope="module")
def study(repository):
    def load(jury=None, cascade=None, **changes):
        sections = {"juries": {"vote": jury} if jury else {}, "cascades": {"vote": cascade} if cascade else {}}
        return load_study({**SETTINGS, **sections, **changes}, "study.yaml", repository / "config")

    return load


REFUSED = {
    "unknown member": (
        {"jury": {"members": ["near", "fra"]}},
        "juries.vote.members names the unknown judge 'fra'; did you mean 'far'?",
    ),
    "member that does not judge": (
        {"jury": {"members": ["near", "gpt4_mtbench"]}},
        "juries.vote.members names 'gpt4_mtbench', which `judges` does not list; add it there",
    ),
    "jury of itself": (
        {"jury": {"members": ["near", "vote"]}},
        "juries.vote.members names the jury itself; remove 'vote'",
    ),
    "cascade of itself": (
        {"cascade": {"members": ["near", "vote"]}},
        "cascades.vote.members names the cascade itself; remove 'vote'",
    ),
    "jury of a jury": (
        {"jury": {"members": ["near", "far"]}, "cascades": {"more": {"members": ["near", "vote"]}}},
        "cascades.more.members names 'vote', a jury, which says nothing of its own; name its members",
    ),
    "one member": ({"jury": {"members": ["near"]}}, "juries.vote.members has one member ('near'); name at least two"),
    "no member": ({"jury": {"members": []}}, "juries.vote.members has no member; name at least two judges"),
    "baseline": (
        {"jury": {"members": ["near", "longer"]}},
        "juries.vote.members names the baseline 'longer', which reads nothing; remove it, or set baselines",
    ),
    "name of a model": (
        {"juries": {"near": {"members": ["near", "far"]}}, "judges": ["near", "far"]},
        "juries.near has the name of another judge; rename it",
    ),
    "name in both": (
        {
            "juries": {"vote": {"members": ["near", "far"]}},
            "cascades": {"vote": {"members": ["near", "far"]}},
        },
        "'vote' stands in juries and in cascades; rename one",
    ),
    "nothing in common": (
        {"jury": {"members": ["pandalm_7b", "gpt4_llmbar_cot"]}},
        "juries.vote: its members judge no benchmark together; member 'gpt4_llmbar_cot' is not asked about pandalm of "
        "suite 'pandalm'",
    ),
    "development of a majority": (
        {"jury": {"members": ["near", "far"], "development": ["demo_pairwise"]}},
        "juries.vote.development is for rule 'weighted', not 'majority'; remove it or change the rule",
    ),
    "unknown development set": (
        {"jury": {"members": ["near", "far"], "rule": "weighted", "development": ["demo_pairwse"]}},
        "juries.vote.development names 'demo_pairwse', which stands in no suite; did you mean 'demo_pairwise'?",
    ),
    "development set that a member does not judge": (
        {"jury": {"members": ["near", "pandalm_7b"], "rule": "weighted", "development": ["llmbar_natural"]}},
        "juries.vote.development names 'llmbar_natural', which its member 'pandalm_7b' does not judge",
    ),
    "cascade fitted on grades": (
        {"cascade": {"members": ["near", "far"], "development": ["demo_pointwise"]}},
        "cascades.vote.development names 'demo_pointwise', which has grades; a cascade judges pairs",
    ),
    "everything is development": (
        {
            "cascade": {"members": ["near", "far"], "development": ["demo_pairwise"]},
            "suites": {"demo": {"benchmarks": ["demo_pairwise", "demo_pointwise"]}},
            "judges": ["near", "far", "vote"],
        },
        "cascades.vote: no benchmark is left for it to judge; add one to a suite",
    ),
    "unknown judge beside a jury": (
        {"jury": {"members": ["near", "far"]}, "judges": ["near", "far", "voet"]},
        "judges names the unknown judge 'voet'; did you mean 'vote'?",
    ),
}


@pytest.mark.parametrize(("changes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_panel_that_cannot_judge_is_one_sentence(study, changes, sentence):
    with pytest.raises(JudgemergeError) as error:
        study(**changes)
    assert str(error.value).startswith("study.yaml: ") and sentence in str(error.value)


def test_a_jury_judges_what_all_of_its_members_judge(study):
    voting = study(jury={"members": ["near", "far", "pandalm_7b"]})
    assert voting.kind("vote") == "jury"
    assert [name for name in voting.benchmarks if voting.answers("vote", name)] == ["pandalm"]
    assert voting.judges_of("pandalm")[-1] == "vote" and "vote" not in voting.judges_of("demo_pairwise")
    assert voting.own_models("vote") == ["near", "far", "llama-7b"]


def test_a_cascade_judges_pairs_alone_and_not_what_it_is_fitted_on(study):
    changes = {"members": ["near", "far"], "development": ["pandalm"], "target": 0.75}
    careful = study(cascade=changes)
    assert careful.kind("vote") == "cascade"
    assert [name for name in careful.benchmarks if careful.answers("vote", name)] == ["demo_pairwise", "llmbar_natural"]
    suites = Suites(careful)
    assert suites.panel("vote") == {
        "kind": "cascade", "members": ["near", "far"], "development": ["pandalm"], "target": 0.75, "confidence": 0.9,
    }  # fmt: skip
    assert suites.panel_item_sets("vote", "demo") == ["demo_pairwise", "pandalm"]
    assert suites.panel_units("vote", "demo") == [
        ("near", "demo"), ("near", "pandalm"), ("far", "demo"), ("far", "pandalm"),
    ]  # fmt: skip


def test_nothing_is_judged_while_what_it_is_fitted_on_is_not_run(study):
    optional = {**SUITES, "pandalm": {"benchmarks": ["pandalm"], "optional": True}}
    members = {"members": ["near", "far"], "rule": "weighted", "development": ["pandalm"]}
    waiting = study(jury=members, suites=optional)
    assert not any(waiting.answers("vote", name) for name in waiting.benchmarks)
    assert study(jury=members, suites=optional, downloads=True).answers("vote", "demo_pairwise")


def test_baselines_may_vote_where_a_study_says_so(study):
    assert study(jury={"members": ["near", "longer"], "baselines": True}).answers("vote", "demo_pairwise")

"""Overlap of prompts: by hand, against a slow count over random texts, and the known leaks with a mirror."""

import random

import pytest

from judgemerge.core.items import Item
from judgemerge.data import overlap
from judgemerge.data.benchmarks import load_catalogue, load_items
from judgemerge.data.overlap import KINDS, RUN, affected, normalise, overlap_rows, prepare, shared_prompts, warnings
from judgemerge.data.sources import load_sources

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def items(*prompts):
    return [
        Item(str(number), "bench", "prompts", (prompt,), (), None, prompt, {"source": "x", "row": number})
        for number, prompt in enumerate(prompts)
    ]


def compare(training, benchmark):
    """Return n_overlap by kind for two lists of prompts."""
    vocabulary = {}
    sets = {"there": prepare(items(*training), vocabulary), "here": prepare(items(*benchmark), vocabulary)}
    rows = overlap_rows(sets, [("there", "here")], {}, {})
    return {row.kind: row for row in rows}


def counts(training, benchmark):
    return [row.n_overlap for row in compare(training, benchmark).values()]


# ---- what is equal ----


@pytest.mark.parametrize(
    ("there", "here", "expected"),
    [
        ("Name a colour.", "Name a colour.", [1, 1, 1, 0]),
        ("name  a\nCOLOUR. ", "Name a colour.", [0, 1, 1, 0]),
        ("Name a colour", "“Name” – a, colour!", [0, 0, 1, 0]),
        ("Name a colour.", "Name a color.", [0, 0, 0, 0]),
        (LONG, f"Well: {LONG}!", [0, 0, 0, 1]),
        (f"begin {LONG}", f"{LONG} end", [0, 0, 0, 1]),
        (LONG.replace("seven", "7"), LONG, [0, 0, 0, 0]),
        (LONG.rsplit(" ", 1)[0], LONG, [0, 0, 0, 0]),
    ],
)
def test_each_comparison_is_wider_than_the_one_before(there, here, expected):
    assert counts([there], [here]) == expected


def test_symbols_stay_and_punctuation_goes():
    assert normalise("What is 2 + 2?\t(Tell me!)") == "what is 2 + 2 tell me"
    assert normalise("don’t") == normalise("don't") == "don t"
    assert counts(["2 + 2"], ["2 = 2"]) == [0, 0, 0, 0]


def test_a_run_does_not_reach_into_the_next_prompt():
    head, tail = LONG.split(" six ")
    assert counts([f"{head} six", tail], [f"{LONG} more"])[-1] == 0
    assert counts([LONG], [f"x {head} six", f"{tail} y"])[-1] == 0


def test_only_the_first_turn_is_the_prompt():
    first, second = items("Write a line.", "Now in capitals.")
    both = Item("9", "bench", "prompts", (*first.turns, *second.turns), (), None, "c", {})
    shared = shared_prompts(prepare([both], {}), prepare([second], {}), "exact")
    assert shared == {}


# ---- what is counted ----


def test_prompts_are_counted_once_and_items_all():
    rows = compare(["A?", "a?", "B?"], ["A?", "A?", "a?", "C?"])
    exact, folded = rows["exact"], rows["folded"]
    assert (exact.n_training_prompts, exact.n_benchmark_prompts, exact.n_overlap) == (3, 3, 2)
    assert (folded.n_training_prompts, folded.n_benchmark_prompts, folded.n_overlap) == (2, 2, 1)
    assert exact.n_items == folded.n_items == 3
    assert (exact.share, folded.share) == (2 / 3, 1 / 2)


def test_short_prompts_are_not_clean():
    row = compare([LONG], [LONG, "Too short.", "Too short!"])["13gram"]
    assert (row.n_benchmark_prompts, row.too_short, row.n_overlap, row.share) == (2, 1, 1, 1.0)
    row = compare([LONG], ["Too short."])["13gram"]
    assert (row.too_short, row.n_overlap, row.share) == (1, 0, None)
    assert compare([LONG], ["Too short."])["exact"].too_short == 0


def test_a_prompt_of_thirteen_words_is_long_enough():
    assert len(LONG.split()) == RUN
    assert compare([LONG], [LONG])["13gram"].too_short == 0


def test_examples_are_item_ids_and_no_text():
    rows = compare(["x", "Name it."], ["y", "z", "name it."])
    assert rows["folded"].examples == "2 = 1"
    assert rows["exact"].examples == ""
    many = [f"Prompt {number}" for number in range(9)]
    assert compare(many, many)["exact"].examples.count("=") == overlap.EXAMPLES


def test_empty_sets():
    assert counts([], ["A?"]) == counts(["A?"], []) == [0, 0, 0, 0]
    assert counts([LONG], []) == counts([], [LONG]) == [0, 0, 0, 0]
    assert counts([""], ["…"]) == [0, 0, 1, 0]


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_those_of_a_slow_count(seed):
    generator = random.Random(seed)

    def text():
        return " ".join(generator.choices("ab", k=generator.choice([0, 5, 12, 13, 14, 20, 40])))

    training, benchmark = [text() for _ in range(40)], [text() for _ in range(40)]

    def runs(prompt):
        words = prompt.split()
        return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}

    known = set().union(*map(runs, training))
    expected = {prompt for prompt in benchmark if runs(prompt) & known}
    vocabulary = {}
    there, here = prepare(items(*training), vocabulary), prepare(items(*benchmark), vocabulary)
    shared = shared_prompts(there, here, "13gram")
    assert set(shared) == expected
    assert all(runs(prompt) & runs(partner) for prompt, partner in shared.items())
    row = overlap_rows({"there": there, "here": here}, [("there", "here")], {}, {})[KINDS.index("13gram")]
    assert row.too_short == sum(len(prompt.split()) < RUN for prompt in set(benchmark))


# ---- what is said ----


def rows_of(training, benchmark, note=""):
    vocabulary = {}
    sets = {"there": prepare(items(*training), vocabulary), "here": prepare(items(*benchmark), vocabulary)}
    return overlap_rows(sets, [("there", "here")], {"there": "expert one"}, {("there", "here"): note} if note else {})


def test_a_warning_names_the_sets_and_both_counts():
    rows = rows_of(["A?", "B?"], ["a?", "B!", "C?"])
    assert warnings(rows) == [
        "here: 1 of its 3 prompts, in 1 items, also stand in there, which has 2 (2 when punctuation is ignored); "
        "0 share a run of 13 words with it, 3 are too short to tell."
    ]
    assert {row.used_by for row in rows} == {"expert one"}


def test_no_overlap_no_warning():
    assert warnings(rows_of(["A?"], ["B?"])) == []
    assert affected(rows_of(["A?"], ["B?"])) == []


def test_the_benchmarks_of_a_warning_are_named_once():
    assert affected(rows_of(["A?"], ["A?"])) == ["here"]
    assert affected(rows_of(["A?"], ["A?"], note="both are read from rows")) == []


def test_sets_of_one_file_are_counted_without_a_warning():
    rows = rows_of(["A?"], ["A?"], note="both are read from rows")
    assert [row.n_overlap for row in rows] == [1, 1, 1, 0]
    assert warnings(rows) == []


# ---- the known leaks ----


@pytest.fixture(scope="module")
def real_sets(repository, mirror):
    sources = load_sources(repository / "config" / "sources.yaml")
    catalogue = load_catalogue(repository / "config" / "benchmarks.yaml")
    vocabulary = {}

    def load(name):
        paths = {role: mirror / sources[key].mirror_path for role, key in catalogue[name]["sources"].items()}
        return prepare(load_items(name, catalogue[name], paths)[0], vocabulary)

    names = ("autoj_single_train", "mtbench_questions", "vicuna_questions", "pandalm", "autoj_pairwise")
    return {name: load(name) for name in names}


@pytest.mark.parametrize(
    ("training", "n_prompts", "found"),  # found: exact, folded, normalised, 13gram
    [
        ("autoj_single_train", 821, [57, 61, 64, 84]),
        ("mtbench_questions", 80, [47, 47, 47, 44]),
        ("pandalm", 170, [4, 4, 4, 4]),
        ("vicuna_questions", 80, [5, 5, 5, 4]),
    ],
)
def test_the_known_leaks_into_the_test_set_of_autoj(real_sets, training, n_prompts, found):
    rows = overlap_rows(real_sets, [(training, "autoj_pairwise")], {}, {})
    assert [row.n_overlap for row in rows] == found
    assert rows[1].n_training_prompts == n_prompts
    assert [row.n_benchmark_prompts for row in rows] == [1182, 1179, 1177, 1177]
    assert rows[3].too_short == 333

"""Patterns of names: exactly the names match, however alike they are."""

import random
import re

import pytest

from judgemerge.core.patterns import one_of


def matching(pattern: str, texts: list[str]) -> set[str]:
    """Return the texts that match, with the pattern inside a longer one as Snakemake has it."""
    compiled = re.compile(f"models/(?P<name>{pattern})[.]json$")
    return {text for text in texts if compiled.match(f"models/{text}.json")}


def test_no_names_match_nothing():
    assert matching(one_of([]), ["", "a"]) == set()


@pytest.mark.parametrize(
    "names",
    [
        ["a"],
        ["a", "ab", "abc"],
        ["ab", "b"],
        ["s_0.1", "s_0.15", "s_1"],
        ["a.b"],
        ["a|b", "a+"],
        ["x", "x"],
    ],
)
def test_exactly_the_names_match(names):
    others = ["b", "abcd", "aXb", "s_0", "s_0.", "s_0x1", "aa", ""]
    assert matching(one_of(names), [*names, *others]) == set(names) | (set(others) & set(names))


def test_random_names():
    draw = random.Random(1)

    def texts(number):
        return ["".join(draw.choices("ab_.1", k=draw.randint(1, 5))) for _ in range(number)]

    for _ in range(50):
        names, others = texts(12), texts(200)
        assert matching(one_of(names), names + others) == set(names)


def test_a_grid_is_short():
    names = [f"sweep_alpha_0_{number:04}" for number in range(1000)]
    assert len(one_of(names)) < 4000 < len("|".join(names))

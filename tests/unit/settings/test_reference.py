"""Editors and readers see the settings that the program checks, and old names of keys lead to the new ones."""

import json
import logging
import pickle

import pytest
import yaml

import make_reference
from judgemerge.core.errors import JudgemergeError
from judgemerge.settings import config
from judgemerge.settings.judging import Judging, Sampling
from judgemerge.settings.models import EndpointModel, HubModel, MadeModel, Merge
from judgemerge.settings.searches import ExpertSearch, MergeSearch
from judgemerge.settings.study_file import Settings

SMALL = {"study": "small", "suites": {"pairs": {"benchmarks": ["demo_pairwise"]}}, "judges": ["longer"]}
RENAMES = {"judging.way": "judging.backend", "experts.*.learns": "experts.*.train_on", "shape": "statistics.seed"}


@pytest.mark.parametrize("path", make_reference.files(), ids=lambda path: path.name)
def test_what_follows_from_the_settings_is_up_to_date(path):
    assert path.read_text(encoding="utf-8") == make_reference.files()[path], "run make reference"


def test_every_study_names_the_schema_for_editors(repository):
    for path in [repository / "config" / "config.yaml", *(repository / "config" / "studies").glob("*.yaml")]:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        schema = path.parent / first.partition("$schema=")[2]
        assert json.loads(schema.read_text(encoding="utf-8"))["title"] == "A judgemerge study"


# ---- typed values ----


def test_settings_are_read_by_attribute_and_an_unset_key_is_none():
    settings = config.read(SMALL | {"judging": {"sampling": {"temperature": 0.5}}}, "small.yaml")
    assert (settings.judging.sampling.temperature, settings.judging.sampling.top_p) == (0.5, 1)
    assert settings.suites["pairs"].benchmarks == ("demo_pairwise",)
    assert settings.suites["pairs"].limit is None and settings.judging.rubric is None
    assert settings.embedding is None


def test_an_entry_is_of_the_kind_that_its_keys_say():
    models = {
        "tiny": {"make": {"stages": [{"data": "corpus", "settings": {"max_steps": 3}}]}},
        "hub": {"repo": "owner/name", "revision": "0" * 40},
        "remote": {"endpoint": {"url": "https://host/v1", "model": "m"}},
    }
    search = {"space": {"a": {"low": 0, "high": 1}}, "development": "demo_pairwise_train"}
    searches = {"settings": search | {"expert": "e"}, "weights": search | {"merge": "m"}}
    settings = config.read(SMALL | {"models": models, "searches": searches}, "small.yaml")
    assert [type(model) for model in settings.models.values()] == [MadeModel, HubModel, EndpointModel]
    assert settings.models["tiny"].make.stages[0].settings == {"max_steps": 3}
    assert settings.models["remote"].endpoint.concurrency == 4
    assert [type(search) for search in settings.searches.values()] == [ExpertSearch, MergeSearch]
    assert settings.searches["weights"].space["a"].log is False


def test_a_section_made_in_code_has_the_defaults_of_a_file():
    assert Judging().sampling.seed == Sampling().seed == 42
    assert Judging().plain() == Settings.of(SMALL).judging.plain()


def test_plain_settings_keep_the_order_of_the_file_and_leave_out_what_is_unset():
    merge = Merge.of({"models": {"b": {}, "a": {"weight": 1}}, "method": "linear", "seed": 1})
    assert list(merge.plain()) == ["models", "method", "seed", "parameters", "adapters", "engine", "dtype"]
    assert list(merge.plain()["models"]) == ["b", "a"]
    about = Settings.of(SMALL | {"about": {"authors": [{"given-names": "A", "family-names": "B"}]}}).about
    assert about.authors[0].family_names == "B"
    assert about.plain() == {"authors": [{"given-names": "A", "family-names": "B"}]}


def test_a_section_cannot_be_changed_nor_given_to_a_job():
    with pytest.raises(AttributeError):
        Sampling().seed = 1
    with pytest.raises(TypeError, match="section.plain()"):
        pickle.dumps(Sampling())


# ---- renamed keys ----


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        ("{judging: {way: vllm}}", "{judging: {backend: vllm}}", "'judging.way' is now called 'judging.backend'"),
        ("{shape: 3}", "{statistics: {seed: 3}}", "'shape' is now called 'statistics.seed'"),
        (
            "{experts: {one: {learns: [a]}, two: {train_on: [b]}}}",
            "{experts: {one: {train_on: [a]}, two: {train_on: [b]}}}",
            "'experts.one.learns' is now called 'experts.one.train_on'",
        ),
        ("{scales: {tiny: {shape: 3}}}", "{scales: {tiny: {statistics: {seed: 3}}}}", "'shape' is now called"),
    ],
)
def test_an_old_key_is_taken_as_the_new_one_and_named(before, now, sentence, caplog):
    settings = yaml.safe_load(before)
    with caplog.at_level(logging.WARNING):
        assert config.with_new_names(settings, "my.yaml", RENAMES) == yaml.safe_load(now)
    assert settings == yaml.safe_load(before)
    assert f"my.yaml: key {sentence}" in caplog.text


def test_a_key_under_both_names_is_refused():
    with pytest.raises(JudgemergeError, match="my.yaml: 'judging.way' is now called 'judging.backend', which is there"):
        config.with_new_names({"judging": {"way": "vllm", "backend": "vllm"}}, "my.yaml", RENAMES)


def test_new_names_change_nothing_else(caplog):
    assert config.with_new_names(SMALL, "my.yaml", RENAMES) == SMALL
    assert caplog.text == ""

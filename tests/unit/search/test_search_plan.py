"""Which trials, sets and models the jobs of a search read, asked of the studies that come with the package."""

from pathlib import Path

import pytest
import yaml

from judgemerge.search.plan import ScreeningPlan, SearchPlan
from judgemerge.study.load import load_study


def study(name, **changes):
    settings = yaml.safe_load(Path(f"config/studies/{name}.yaml").read_text(encoding="utf-8"))
    return load_study(settings | {"scale": "tiny"} | changes, f"{name}.yaml", "config")


@pytest.fixture(scope="module")
def orpo():
    return SearchPlan(study("orpo"))


def test_searches_are_told_apart_by_what_they_search_for(orpo):
    assert (orpo.searches_for("expert"), orpo.searches_for("merge")) == (["settings"], ["way"])


def test_a_trial_reads_the_trials_of_all_earlier_rounds_and_its_own_round(orpo):
    width = orpo.study.searches["settings"].width
    first, later = "0", str(2 * width - 1)
    assert orpo.trials_of_earlier_rounds("settings", first) == []
    assert orpo.trials_of_earlier_rounds("settings", later) == [("settings", str(trial)) for trial in range(width)]
    assert orpo.round_of_trial("settings", first) == ("settings", "0")
    assert orpo.round_of_trial("settings", later) == ("settings", "1")
    assert len(orpo.trials("settings")) == width * orpo.study.searches["settings"].rounds


def test_a_round_is_proposed_from_the_rounds_before_it(orpo):
    assert orpo.trials_before_round("settings", "0") == []
    assert orpo.trials_before_round("settings", "1") == orpo.trials_of_earlier_rounds(
        "settings", str(orpo.study.searches["settings"].width)
    )


def test_trainings_are_a_job_each_and_merges_one_for_all(orpo):
    assert orpo.trials_as_jobs("settings") == orpo.trials("settings") and orpo.trials_in_one_job("settings") == []
    assert orpo.trials_as_jobs("way") == [] and orpo.trials_in_one_job("way") == ["way"]


def test_a_search_starts_from_its_expert_or_merge(orpo):
    expert, merge = map(orpo.study.target_of, ("settings", "way"))
    assert orpo.target_settings("settings") == orpo.study.experts[expert].plain()
    assert orpo.target_settings("way") == orpo.study.merges[merge].plain()
    assert orpo.development_sets("settings") == ["demo_preferences_development"]


def test_a_trial_is_judged_as_the_model_that_its_search_ends_with(orpo):
    judging = orpo.study.settings.judging
    assert orpo.judging("way") == {
        "batch_tokens": judging.batch_tokens,
        "max_prompt_tokens": judging.max_prompt_tokens,
        "dtype": judging.dtype,
    }


def test_what_is_screened_and_on_what():
    screening = ScreeningPlan(study("orpo"))
    assert screening.bases == ["layers_2", "layers_4", "layers_6"]
    assert screening.training_sets == ["demo_preferences_train"]
    assert screening.held_out_sets == ["demo_preferences_test"]
    assert list(screening.prompt_content) == list(screening.prompts.values())


def test_a_study_without_a_screening_screens_nothing():
    screening = ScreeningPlan(study("unified", downloads=True))
    assert (screening.bases, screening.training_sets, screening.prompt_content) == ([], [], {})


def test_trials_show_the_criteria_that_the_study_names_for_the_categories_of_their_sets():
    """MT-Bench has categories for which MELD's prompt has no criteria: every trial ended at the first such item."""
    meld = SearchPlan(study("meld", scale=None))
    categories = meld.study.settings.judging.categories
    for search in meld.study.searches:
        wanted = {name: categories[name] for name in meld.development_sets(search) if name in categories}
        assert wanted and meld.judging(search)["categories"] == wanted


def test_a_study_that_maps_no_category_has_the_parameters_that_it_had(orpo):
    assert "categories" not in orpo.judging("settings")


def test_a_search_goes_on_in_a_rehearsal_without_a_readable_reply():
    assert "value_of_nothing" not in SearchPlan(study("prometheus")).judging("dare_linear")
    assert SearchPlan(study("prometheus", scale="twins")).judging("dare_linear")["value_of_nothing"] == 0.0

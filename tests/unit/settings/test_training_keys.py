"""The list of LLaMA-Factory's keys is that of the installed one, and a study file is checked against it."""

import copy

import pytest

import list_training_keys
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.settings import training_keys
from judgemerge.study.load import load_study
from judgemerge.train import training


@pytest.fixture(scope="module")
def checked(repository):
    given = load_yaml(repository / "config" / "studies" / "meld.yaml")

    def check(**keys):
        study = copy.deepcopy(given)
        study["training"] |= keys
        return load_study(study, "meld.yaml", repository / "config")

    return check


def test_the_list_is_that_of_the_installed_llamafactory():
    assert training_keys.KEYS.read_text(encoding="utf-8") == list_training_keys.text(), (
        "run .venv/bin/python tools/list_training_keys.py"
    )


def test_every_key_that_is_decided_here_exists():
    assert set(training_keys.DECIDED) <= set(training_keys.known())
    assert not set(training_keys.DECIDED) & {"template", "seed"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ddp_timeout", 180000000),
        ("preprocessing_num_workers", 16),
        ("warmup_ratio", 0.1),
        ("pure_bf16", True),
        ("neftune_noise_alpha", 5),
        ("enable_liger_kernel", True),
        ("report_to", "tensorboard"),
        ("additional_target", "lm_head"),
        ("double_quantization", False),
        ("loraplus_lr_ratio", 16.0),
        ("optim", "adamw_8bit"),
    ],
)
def test_what_llamafactory_knows_may_be_set_and_reaches_the_recipe(checked, key, value):
    study = checked(**{key: value})
    settings = training.expert_settings(training.shared_settings(study.settings), study.experts["pairwise"].settings)
    assert training.training_recipe("base", "data", "out", settings, 3)[key] == value


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("ddp_timeot", 1, "key 'ddp_timeot' in 'training' is unknown; did you mean 'ddp_timeout'?"),
        ("neftune_noise_alpha", "much", "'training.neftune_noise_alpha' is wrong: 'much' is not of type 'number'"),
        ("galore_proj_type", "stt", "'training.galore_proj_type' is 'stt'; did you mean 'std'?"),
        ("lr_scheduler_type", "cosin", "'training.lr_scheduler_type' is 'cosin'; did you mean 'cosine'?"),
        ("output_dir", "x", "'training.output_dir' cannot be set: judgemerge names the folders and files"),
        ("dataset", "x", "'training.dataset' cannot be set: the data set is made of the item sets"),
        ("trust_remote_code", True, "'training.trust_remote_code' cannot be set: code that comes with weights"),
        ("hub_token", "x", "'training.hub_token' cannot be set: nothing is uploaded"),
        ("export_dirr", "x", "key 'export_dirr' in 'training' is unknown"),
    ],
)
def test_other_keys_and_values_are_refused_in_a_sentence(checked, key, value, sentence):
    with pytest.raises(JudgemergeError) as error:
        checked(**{key: value})
    assert sentence in str(error.value)
    assert "did you mean 'export_dir'" not in str(error.value)  # a key that could not be set either

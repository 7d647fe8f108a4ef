"""What the record of a run says of its surroundings."""

from enum import Enum

import pytest

from judgemerge.core.provenance import deployment_words

Method = Enum("Method", ["CONDA", "APPTAINER"])


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        ([], "the environment of Snakemake"),
        ([Method.CONDA], "conda"),
        ([Method.CONDA, Method.APPTAINER], "apptainer, conda"),
    ],
)
def test_the_record_says_how_software_is_deployed(methods, words):
    assert deployment_words(methods) == words

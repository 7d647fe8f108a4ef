"""The linter of rules: a name that nothing binds is found, in whichever file and wherever it is used."""

import pytest

import check_rules

SNAKEFILE = """
include: "rules/common.smk"
if config:

    include: "rules/other.smk"


rule all:
    input:
        files(),
"""
COMMON = 'import os\n\n\ndef results_file(name):\n    return os.path.join("results", name)\n'
OTHER = "def files():\n    return [results_file(name) for name in config]\n"


def lint(folder, other):
    (folder / "rules").mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "rules" / "common.smk").write_text(COMMON)
    (folder / "rules" / "other.smk").write_text(other)
    return check_rules.undefined_names(check_rules.program(folder / "Snakefile"))


def test_names_of_other_files_and_of_snakemake_are_known(tmp_path):
    assert (
        lint(tmp_path, OTHER + "\n\nrule one:\n    output:\n        expand('{a}', a=[1]),\n    shell:\n        ''\n")
        == []
    )


@pytest.mark.parametrize(
    "other",
    [
        OTHER.replace("results_file", "result_file"),
        OTHER + "\n\nrule one:\n    output:\n        result_file('x'),\n    shell:\n        ''\n",
        OTHER
        + "\n\nrule one:\n    output:\n        'x',\n    params:\n        y=result_file,\n    shell:\n        ''\n",
    ],
    ids=["in a function", "in an output", "in a parameter"],
)
def test_an_undefined_name_is_named_with_its_file(tmp_path, other):
    (sentence,) = lint(tmp_path, other)
    assert sentence == f"{tmp_path / 'rules/other.smk'}: Undefined name `result_file`"


def test_our_rules_use_no_undefined_name(repository):
    assert check_rules.undefined_names(check_rules.program(repository / "Snakefile")) == []

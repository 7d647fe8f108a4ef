"""Study files changed at random, planned by Snakemake itself: a plan, or one sentence; no traceback, no started job."""

import random

import pytest
import yaml
from mutations import changed  # noqa: E402

from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.study.load import load_study

STUDIES = ("config.yaml", "studies/meld.yaml", "studies/orpo.yaml", "studies/prometheus.yaml", "studies/embedder.yaml")


def is_valid(settings, folder):
    try:
        load_study(settings, "changed.yaml", folder)
    except JudgemergeError:
        return False
    return True


def draw(repository, valid, rng):
    """Return a changed study that the package accepts, or one that it refuses, as YAML and what was changed."""
    while True:
        original = load_yaml(repository / "config" / rng.choice(STUDIES))
        value, said = changed(original, rng)
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
        if is_valid(yaml.safe_load(text), repository / "config") == valid:
            return text, said


@pytest.mark.slow
@pytest.mark.parametrize("valid", [True, False], ids=["valid", "refused"])
@pytest.mark.parametrize("seed", range(5))
def test_a_changed_study_is_planned_or_refused(repository, checkout, snakemake, monkeypatch, seed, valid):
    monkeypatch.chdir(repository)
    text, said = draw(repository, valid, random.Random(seed))
    (checkout / "changed.yaml").write_text(text, encoding="utf-8")
    process = snakemake("--dry-run", "--configfile", "changed.yaml")
    output = process.stdout + process.stderr
    assert "Traceback" not in output, (said, output[-3000:])
    if valid:
        assert process.returncode == 0 and "Job stats:" in output, (said, output[-3000:])
    else:
        sentences = [line for line in output.splitlines() if line.startswith(("changed.yaml: ", "config/"))]
        assert process.returncode != 0 and len(sentences) == 1, (said, output[-3000:])
    assert not (checkout / "results").exists()

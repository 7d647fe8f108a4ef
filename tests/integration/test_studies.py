"""Every study that is delivered can be planned from a fresh clone: in full for a cluster, and at each of its scales."""

import re
from pathlib import Path

import pytest

from judgemerge.core.catalogues import load_yaml

CONFIG = Path(__file__).resolve().parents[2] / "config"
STUDIES = [CONFIG / "config.yaml", *sorted((CONFIG / "studies").glob("*.yaml"))]


def planned(process, name):
    """Return the rules of a dry run that succeeded and works below results/<name>/."""
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]
    said = process.stdout + process.stderr
    assert f"results/{name}/run.json" in said
    return set(re.findall(r"(?m)^(\w+) +\d+$", said))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_is_planned_in_full_for_the_cluster(snakemake, path):
    """Nothing is there yet: no model, no raw file, and no SLURM needs to answer."""
    process = snakemake("--profile", "slurm", "-n", "--configfile", str(path.relative_to(CONFIG.parent)))
    assert {"all", "write_run_record"} <= planned(process, load_yaml(path)["study"])
    # Nobody outside knows how many rows MELD's training files have.
    bound = "at least" if path.stem == "meld" else "at most"
    assert re.search(rf"This plan asks for {bound} \S+ GPU hours and \S+ CPU hours in \d+ jobs:", process.stderr)


@pytest.mark.parametrize(
    ("path", "scale"),
    [
        pytest.param(path, scale, id=f"{path.stem}-{scale}")
        for path in STUDIES
        for scale in [*load_yaml(path).get("scales", {}), "twins"]
    ],
)
def test_a_study_is_planned_at_its_scales(snakemake, path, scale):
    process = snakemake("-n", "--configfile", str(path.relative_to(CONFIG.parent)), "--config", f"scale={scale}")
    assert {"all", "write_run_record"} <= planned(process, f"{load_yaml(path)['study']}_{scale}")


def test_the_plan_of_a_rehearsal_begins_with_what_it_does_not_rehearse(snakemake):
    process = snakemake("-n", "--quiet", "--configfile", "config/studies/orpo.yaml", "--config", "scale=twins")
    said = process.stderr
    assert said.startswith("This is a rehearsal. Not rehearsed:\n")
    assert "stand-ins: " in said
    assert "adamw_8bit" in said and "capybara_preferences" in said


def test_every_size_that_a_full_study_asks_for_is_stated(repository):
    """A model to be downloaded that states no size is counted as 16 GB, which is a guess."""
    for path in STUDIES:
        for name, model in load_yaml(path).get("models", {}).items():
            assert "repo" not in model or "size_gb" in model, f"{path.name}: models.{name} has no size_gb"

"""What the Snakemake workflow catalogue reads of this repository."""

from judgemerge.core.catalogues import load_yaml


def test_the_catalogue_finds_what_it_wants(repository):
    usage = load_yaml(repository / ".snakemake-workflow-catalog.yml")["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    assert usage["software-stack-deployment"].keys() == {"conda", "apptainer", "apptainer+conda"}
    assert (repository / "config" / "README.md").is_file()
    readme = (repository / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in readme and "workflow" in readme

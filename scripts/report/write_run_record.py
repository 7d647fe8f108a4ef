"""Make run.json: code version, resolved settings, package versions, digests, seeds and timings of a study."""

from pathlib import Path

from judgemerge.core import files, provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import logged
from judgemerge.judge import failures


def main(
    settings: dict,
    sources: dict[str, dict],
    manifests: list[str],
    tables: list[str],
    checkout: str,
    timings: str,
    software: str,
    record: str,
    verdicts: dict[tuple[str, str], str],
) -> None:
    """Write the record; models are named by the digest of their files, tables by their sha256.

    Raises JudgemergeError when a judge of the study could not judge: the tables lack it.
    """
    failed = failures.sentences(verdicts)
    if failed:
        raise JudgemergeError(
            f"{len(failed)} judges could not judge, the tables lack them; mend this and start again, the others are "
            f"kept: {'; '.join(failed)}"
        )
    files.write_json(
        record,
        {
            "study": settings["study"],
            "git": provenance.git_state(checkout),
            "settings": {key: value for key, value in settings.items() if key != "mirror"},
            "seeds": dict(provenance.seeds(settings)),
            "versions": provenance.versions(),
            "deployment": software,
            "sources": {key: with_checksum(entry) for key, entry in sources.items()},
            "models": {Path(path).stem: files.read_json(path)["digest"] for path in manifests},
            "tables": {Path(path).name: files.sha256_file(path) for path in tables},
            "timings": provenance.timings(timings),
        },
    )


def with_checksum(source: dict) -> dict:
    """Return a raw file with its checksum: that of the catalogue, else of the file that was read."""
    path = source.get("file", source["url"])
    identity = {key: value for key, value in source.items() if key != "file"}
    return identity if source["sha256"] else identity | {"sha256": files.sha256_file(path)}


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            settings=snakemake.params.settings,
            sources=snakemake.params.sources,
            manifests=list(snakemake.input.manifests),
            tables=list(snakemake.input.tables),
            checkout=snakemake.params.checkout,
            timings=snakemake.params.timings,
            software=snakemake.params.software,
            record=snakemake.output[0],
            verdicts=dict(zip(map(tuple, snakemake.params.judged), snakemake.input.verdicts, strict=True)),
        )

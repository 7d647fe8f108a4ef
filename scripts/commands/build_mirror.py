"""Lay out a mirror folder (owner/repo/commit/path) of the raw files that a study needs, for machines without internet.

Example: python scripts/commands/build_mirror.py --study config/config.yaml --dir .mirror
"""

from collections.abc import Sequence
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.fetching import build_mirror
from judgemerge.study.study import Study
from study_options import read_study, run_command


def main(study_file: str, directory: str, mirror: str | None = None, config: Sequence[str] = ()) -> str:
    """Fetch every raw file that the study can ask for, optional suites too; return a sentence saying what was done.

    It names what a machine without internet needs besides. Raises JudgemergeError when a file could not be had.
    """
    study = read_study(study_file, config, downloads=True)
    sources = [study.catalogues.sources[key] for key in study.source_keys]
    missing: list[str] = []
    new_files, unchanged_files = build_mirror(sources, directory, mirror, missing)
    done = f"{directory}: {len(new_files)} files written, {len(unchanged_files)} were right already"
    if missing:
        raise JudgemergeError(f"{done}; {len(missing)} could not be had, call again for them: {'; '.join(missing)}")
    return "".join([done, *left_out(study, study_file)])


def left_out(study: Study, study_file: str) -> list[str]:
    """Return what the study needs besides, and how it is had: files that only people can fetch, and models."""
    sources = map(study.catalogues.sources.get, study.source_keys)
    by_hand = [source.url for source in sources if source.is_local and not Path(source.url).is_file()]
    files = f"; fetch by hand, as config/sources.yaml says beside them: {', '.join(by_hand)}"
    models = study.downloaded_models
    fetching = f"snakemake --cores 1 --configfile {study_file} -- sources"
    repos = f"; models are no part of a mirror, `{fetching}` fetches them: {', '.join(models)}"
    return [*([files] if by_hand else []), *([repos] if models else [])]


if __name__ == "__main__":
    run_command(
        __doc__,
        main,
        directory={"flag": "--dir", "required": True, "help": "folder to lay the mirror out in"},
        mirror={"help": "take the files from this mirror instead of the network"},
    )

"""Lay out a mirror folder (owner/repo/commit/path) of the raw files that a study needs, for machines without internet.

Example: python scripts/build_mirror.py --study-config config/config.yaml --dir .mirror
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from judgemerge.benchmarks import load_catalogue
from judgemerge.catalogues import load_yaml
from judgemerge.errors import JudgemergeError
from judgemerge.fetching import build_mirror
from judgemerge.recorded import load_recorded
from judgemerge.sources import get_source, load_sources

CONFIG = Path(__file__).resolve().parent.parent / "config"


def main(directory: str, study: str | None = None, sources: list[str] | None = None, mirror: str | None = None) -> str:
    """Fetch the sources of a study, those named, or all of them; return a sentence saying what was done."""
    catalogue = load_sources(CONFIG / "sources.yaml")
    keys = set(sources or ()) | (mentioned_sources(load_yaml(study)) if study else set())
    chosen = [get_source(catalogue, key, "--sources") for key in sorted(keys)] if keys else list(catalogue.values())
    written, kept = build_mirror(chosen, directory, mirror)
    return f"{directory}: {len(written)} files written, {len(kept)} were right already"


def mentioned_sources(study: dict) -> set[str]:
    """Return every source that the study names: itself, through a benchmark, or through a recorded judge."""
    words = set(_words(study))
    keys = words & load_sources(CONFIG / "sources.yaml").keys()
    benchmarks = {name: spec for name, spec in load_catalogue(CONFIG / "benchmarks.yaml").items() if name in words}
    for spec in benchmarks.values():
        keys |= set(spec["sources"].values())
    for name, judge in load_recorded(CONFIG / "recorded.yaml").items():
        if name in words:
            keys |= {key for benchmark in benchmarks for key in judge.benchmarks.get(benchmark, {}).values()}
    return keys


def _words(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for part in value:
            yield from _words(part)
    elif isinstance(value, str):
        yield value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, help="folder to lay the mirror out in")
    parser.add_argument("--study-config", help="study file: fetch what its benchmarks and recorded judges need")
    parser.add_argument("--sources", nargs="+", help="keys of config/sources.yaml to fetch (default: all)")
    parser.add_argument("--mirror", help="take the files from this mirror instead of the network")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = _arguments()
    try:
        print(main(arguments.dir, arguments.study_config, arguments.sources, arguments.mirror))
    except JudgemergeError as error:
        sys.exit(str(error))

"""A study file → the checked study. Everything that can be wrong with it is found here, before the first job."""

from pathlib import Path

from judgemerge.core.catalogues import load_yaml
from judgemerge.data.benchmarks import load_catalogue
from judgemerge.data.sources import load_sources
from judgemerge.judge.recorded import load_recorded
from judgemerge.merge import expand_grids
from judgemerge.settings import config
from judgemerge.settings.study_file import Settings
from judgemerge.study.study import Catalogues, Study
from judgemerge.study.study_checks import check_study


def load_study(settings: dict, where: str, config_folder: str | Path) -> Study:
    """Return the checked study of a parsed study file; `where` names that file in every error.

    Raises JudgemergeError with one sentence for the first thing that is wrong.
    """
    sized = config.at_scale(config.with_new_names(settings, where), where)
    complete = expand_grids(config.read(sized, where).plain(), where)
    study = Study(Settings.of(complete), load_catalogues(config_folder), where)
    check_study(study)
    return study


def load_catalogues(folder: str | Path) -> Catalogues:
    """Return the catalogues in a config folder."""
    folder = Path(folder)
    load_recorded(folder / "recorded.yaml")  # checks every entry; rules want them as they are written
    return Catalogues(
        sources=load_sources(folder / "sources.yaml"),
        benchmarks=load_catalogue(folder / "benchmarks.yaml"),
        recorded=load_yaml(folder / "recorded.yaml"),
        prompts={path.stem: path for path in sorted((folder / "prompts").glob("*.yaml"))},
        rubrics=folder / "rubrics",
        metrics=folder / "metrics",
        embedding_prompts=folder / "embedding_prompts",
    )

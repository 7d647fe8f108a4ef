"""A study file → the checked study. Everything that can be wrong with it is found here, before the first job."""

from pathlib import Path

from judgemerge.compare import checks as compare
from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.data import checks as data
from judgemerge.data.benchmarks import load_catalogue
from judgemerge.data.sources import load_sources
from judgemerge.embed import checks as embed
from judgemerge.evaluate import checks as evaluate
from judgemerge.judge import checks as judge
from judgemerge.judge import panel_checks
from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.recorded import load_recorded
from judgemerge.merge import checks as merge
from judgemerge.merge import expand_grids
from judgemerge.prompting import checks as prompting
from judgemerge.quantize import checks as quantize
from judgemerge.search import checks as search
from judgemerge.settings import config
from judgemerge.settings.study_file import Settings
from judgemerge.study import rehearsing, twinned
from judgemerge.study.study import Catalogues, Study
from judgemerge.train import checks as train


def load_study(settings: dict, where: str, config_folder: str | Path) -> Study:
    """Return the checked study of a parsed study file; `where` names that file in every error.

    Raises JudgemergeError with one sentence for the first thing that is wrong.
    """
    sized = config.at_scale(config.with_new_names(settings, where), where)
    complete = rehearsing.rehearsed(twinned.with_twins(config.read(sized, where), where))
    complete = expand_grids(complete, where)
    study = Study(Settings.of(complete), load_catalogues(config_folder), where)
    _check_names(study)
    panel_checks.check_members(study)
    twinned.check(study)
    for stage in (train, merge, quantize, data, evaluate, judge, search, compare, prompting, embed):
        stage.check(study)
    return study


def load_catalogues(folder: str | Path) -> Catalogues:
    """Return the catalogues in a config folder."""
    folder = Path(folder)
    return Catalogues(
        sources=load_sources(folder / "sources.yaml"),
        benchmarks=load_catalogue(folder / "benchmarks.yaml"),
        recorded=load_recorded(folder / "recorded.yaml"),
        prompts={path.stem: path for path in sorted((folder / "prompts").glob("*.yaml"))},
        rubrics=folder / "rubrics",
        metrics=folder / "metrics",
        embedding_prompts=folder / "embedding_prompts",
    )


def _check_names(study: Study) -> None:
    """Refuse two models of one name, and models that are called like a judge without weights."""
    settings, kinds = study.settings, dict[str, str]()
    for kind in ("models", "experts", "merges", "quantizations"):
        for name in getattr(settings, kind):
            other = kinds.setdefault(name, kind)
            if other != kind:
                raise JudgemergeError(f"{study.where}: '{name}' stands in {other} and in {kind}; rename one")
            if name in BASELINES or name in study.catalogues.recorded:
                raise JudgemergeError(
                    f"{study.where}: {kind}.{name} has the name of a baseline or recorded judge; rename it"
                )
    if settings.base is not None:
        require_known(settings.base, study.models, f"{study.where}: 'base' names the unknown model")

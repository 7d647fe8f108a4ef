"""Where everything of a study lies: every path pattern below results/<study>/ stands here once, by stage.

Rules name their outputs by the patterns of one study, `paths.ITEMS`, and their inputs too where one file is read. Where
several are read, the rule says which: `each(ITEMS, study.benchmarks)` for a list that is known at the start, and
`inputs(ITEMS, study.benchmarks_of, "judge", "suite")` for one that follows from the wildcards of the job. What is
compared with what (pairs, units, parents) is asked of functions in the package, which have names there, not paths.
"""

import re
from collections.abc import Callable, Container, Iterable
from typing import Any, Protocol

# ---- all stages ----
LOGS = "results/{study}/logs"
TIMINGS = "results/{study}/timings"

# ---- data ----
SOURCE = "results/{study}/sources/{source}"
SOURCES = "results/{study}/sources"
ITEMS = "results/{study}/items/{benchmark}.jsonl"
ITEM_COUNTS = "results/{study}/items/{benchmark}.counts.json"

# ---- models, however they come about ----
MODEL = "results/{study}/models/{model}"
MANIFEST = "results/{study}/models/{model}.json"
MODELS = "results/{study}/models"

# ---- train ----
ADAPTER = "results/{study}/adapters/{expert}"
LEFT_OUT = "results/{study}/recipes/{expert}.left_out.json"
TRAINING_LOG = "results/{study}/training_logs/{expert}.csv"
TRAINING_RECIPE = "results/{study}/recipes/{expert}.train.yaml"
CHECKPOINT_VERDICTS = "results/{study}/checkpoints/{expert}.verdicts.jsonl"
CHECKPOINT_CHOICE = "results/{study}/checkpoints/{expert}.json"
EXPORT_CHECK = "results/{study}/checks/{expert}.export.json"
TRAINING = "results/{study}/training/{expert}"

# ---- merge ----
PARENTS_REPORT = "results/{study}/recipes/parents.json"
MERGE_WEIGHTS = "results/{study}/weights/{merge}.json"
MERGE_GRAMS = "results/{study}/weights/{merge}"
MERGE_RECIPE = "results/{study}/recipes/{merge}.merge.yaml"
CARDS = "results/{study}/cards"  # {merge}.md of every merge

# ---- quantize ----
GGUF = "results/{study}/gguf/{model}.gguf"
QUANTIZATION_TABLE = "results/{study}/tables/quantization.csv"
MODELFILE = "results/{study}/deploy/{quantization}.Modelfile"

# ---- judge ----
STORE = "results/{study}/store"
PROMPT = "config/prompts/{prompt}.yaml"
REPLIES = "results/{study}/replies/{judge}/{suite}.jsonl"
ALL_REPLIES = "results/{study}/replies"
TIMING = "results/{study}/replies/{judge}/{suite}.timing.json"
USAGE = "results/{study}/replies/{judge}/{suite}.usage.json"
VERDICTS = "results/{study}/verdicts/{judge}/{suite}.jsonl"
RECORDED_COUNTS = "results/{study}/verdicts/{recorded}/{suite}.counts.jsonl"
PANEL_RECORD = "results/{study}/verdicts/{panel}/{suite}.panel.json"
SIDES = "results/{study}/items/sides/{suite}.jsonl"

# ---- evaluate ----
SCORES = "results/{study}/scores/{benchmark}.csv"
BIAS = "results/{study}/scores/{benchmark}.bias.csv"
SCORES_PART = "results/{study}/scores/{part}.csv"  # of a benchmark, of one of its tables, or of several benchmarks
PUBLISHED_CHECK = "results/{study}/tables/published.ok"

# ---- search ----
SEARCH_ROUND = "results/{study}/searches/{search}/round_{round}.json"
SEARCH = "results/{study}/searches/{search}"
TRIAL = f"{SEARCH}/trial_{{trial}}"
TRIAL_RESULT = f"{SEARCH}/trial_{{trial}}.json"
SEARCH_RESULTS = f"{SEARCH}/results.json"
BEST_TRIAL = f"{SEARCH}/best.json"
TRIAL_TRAINING = "results/{study}/training/{search}_trials/{trial}"
SEARCHED_MODEL = "results/{study}/models/{search}_best"
SEARCHED_MANIFEST = "results/{study}/models/{search}_best.json"
SEARCHED_RECIPE = "results/{study}/recipes/{search}_best.merge.yaml"
SEARCH_TABLE = "results/{study}/tables/search_{search}.csv"
SEARCH_IMPORTANCE = "results/{study}/tables/search_{search}.importance.csv"
SEARCH_OPTIMISM = "results/{study}/tables/search_{search}.optimism.csv"
SEARCH_TEST = "results/{study}/tables/search_{search}.test.csv"
SCREENING = "results/{study}/screening/{model}.json"
SCREENING_CURVE = "results/{study}/screening/{model}.curve.csv"
SCREENING_TRAINING = "results/{study}/training/screening_{model}"

# ---- compare: models by their answers ----
QUESTIONS = "results/{study}/model_comparisons/{comparison}/questions.jsonl"
QUESTIONS_RECORD = "results/{study}/model_comparisons/{comparison}/questions.json"
ANSWERS = "results/{study}/model_comparisons/{comparison}/answers/{model}.jsonl"
ANSWERS_RECORD = "results/{study}/model_comparisons/{comparison}/answers/{model}.json"
ANSWER_REPLIES = "results/{study}/model_comparisons/{comparison}/replies/{judge}.jsonl"
ANSWER_REPLIES_RECORD = "results/{study}/model_comparisons/{comparison}/replies/{judge}.json"
JUDGED_ANSWERS = "results/{study}/model_comparisons/{comparison}/results"
JUDGED_BY = f"{JUDGED_ANSWERS}/{{judge}}.jsonl"
JUDGED_BY_RECORD = f"{JUDGED_ANSWERS}/{{judge}}.json"
MODEL_COMPARISON_TABLE = "results/{study}/tables/model_comparison_{comparison}.csv"
MODEL_COMPARISON_DISAGREEMENTS = "results/{study}/tables/model_comparison_{comparison}.disagreements.jsonl"

# ---- embed ----
COLLECTION = "results/{study}/embedding/collections/{collection}"
CHUNKS = "results/{study}/embedding/chunks/{collection}.jsonl"
CHUNK_COUNTS = "results/{study}/embedding/chunks/{collection}.counts.json"
TASK = "results/{study}/embedding/tasks/{task}.jsonl"
TASK_COUNTS = "results/{study}/embedding/tasks/{task}.counts.json"
REVIEW = "results/{study}/embedding/review/{collection}.csv"
ENCODER = "results/{study}/embedding/models/{encoder}"
ENCODER_TWIN = "results/{study}/embedding/twins/{encoder}"
ENCODER_MANIFEST = "results/{study}/embedding/models/{encoder}.json"
GENERATED_PAIRS = "results/{study}/embedding/iterations/{iteration}/questions.jsonl"
GENERATED_COUNTS = "results/{study}/embedding/iterations/{iteration}/questions.counts.json"
SCORED_PAIRS = "results/{study}/embedding/iterations/{iteration}/scored.jsonl"
TRAINING_PAIRS = "results/{study}/embedding/iterations/{iteration}/training.jsonl"
TRAINING_COUNTS = "results/{study}/embedding/iterations/{iteration}/training.counts.json"
DECISION = "results/{study}/embedding/iterations/{iteration}/decision.json"
RANKS = "results/{study}/embedding/ranks/{encoder}.jsonl"
RERANKED = "results/{study}/embedding/reranked/{reranker}.jsonl"
EVALUATION_STORE = "results/{study}/store/embedding/evaluation_{collection}.jsonl"
QUESTIONS_STORE = "results/{study}/store/embedding/questions_{iteration}.jsonl"
ITERATION_STORE = "results/{study}/store/embedding/iteration_{iteration}"

# ---- report ----
TABLE = "results/{study}/tables/{table}.csv"
PAGE = "results/{study}/tables/{table}.html"
FIGURE = "results/{study}/figures/{figure}.svg"
FIGURE_PNG = "results/{study}/figures/{figure}.png"
RUN_RECORD = "results/{study}/run.json"
README = "results/{study}/README.md"
FIRST_PAGE = "results/{study}/index.html"
EXPLORER = "results/{study}/explorer.html"
EXPLORER_IN_REPORT = "results/{study}/explorer_in_report.html"


class Wildcards(Protocol):
    """What a job's wildcards are asked for: the value of one by its name."""

    def __getitem__(self, name: str) -> str: ...


def wildcards_in(pattern: str) -> list[str]:
    """Return the names of a pattern's wildcards in their order, without `study`."""
    return [name for name in re.findall(r"{(\w+)}", pattern) if name != "study"]


def renamed(pattern: str, **names: str) -> str:
    """Return a pattern whose wildcards have other names: `renamed(VERDICTS, judge="recorded")`."""
    for name, other in names.items():
        pattern = pattern.replace(f"{{{name}}}", f"{{{other}}}")
    return pattern


def of(function: Callable[..., Any], *names: str) -> Callable[[Wildcards], Any]:
    """Return a function of a job's wildcards (for params and resources): `function` of the values of those named."""

    def from_wildcards(wildcards: Wildcards) -> Any:
        return function(*(wildcards[name] for name in names))

    return from_wildcards


def filled(pattern: str, values: Iterable[str]) -> list[str]:
    """Return the pattern for every value of its wildcard."""
    (name,) = wildcards_in(pattern)
    return [pattern.replace(f"{{{name}}}", value) for value in values]


def chained(*functions: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that gives what the first of `functions` returns to the second, and so on."""
    first, *others = functions

    def value_of_last(*values: Any) -> Any:
        value = first(*values)
        for function in others:
            value = function(value)
        return value

    return value_of_last


class Layout:
    """The paths of one study; every pattern of this module is an attribute, with the name of the study filled in."""

    def __init__(self, study: str):
        self.study, self.root = study, f"results/{study}"

    def __getattr__(self, name: str) -> str:
        if not name.isupper() or name not in globals():
            raise AttributeError(f"no path is called {name}; they stand in {__name__}")
        return globals()[name].replace("{study}", self.study)

    def path(self, pattern: str, *values: str) -> str:
        """Return one path: the pattern's wildcards take `values` in their order."""
        return pattern.format(study=self.study, **dict(zip(wildcards_in(pattern), values, strict=True)))

    def each(self, pattern: str, values: Iterable[str | tuple[str, ...]]) -> list[str]:
        """Return a path for every value, or for every tuple of values of a pattern with several wildcards."""
        return [self.path(pattern, *((value,) if isinstance(value, str) else value)) for value in values]

    def raw_files(self, values: Iterable[str], catalogue: Container[str]) -> list[str]:
        """Return where raw files lie: keys of the catalogue among the results, others are paths already."""
        return [self.path(SOURCE, value) if value in catalogue else value for value in values]

    def one(
        self, pattern: str, function: Callable[..., str | tuple[str, ...]], *names: str
    ) -> Callable[[Wildcards], str]:
        """Return an input function: the path for what `function` gives for the values of the named wildcards."""

        def from_wildcards(wildcards: Wildcards) -> str:
            value = function(*(wildcards[name] for name in names))
            return self.path(pattern, *((value,) if isinstance(value, str) else value))

        return from_wildcards

    def inputs(
        self, pattern: str, function: Callable[..., Iterable[str | tuple[str, ...]]], *names: str
    ) -> Callable[[Wildcards], list[str]]:
        """Return an input function: `each` of what `function` gives for the values of the named wildcards."""

        def from_wildcards(wildcards: Wildcards) -> list[str]:
            return self.each(pattern, function(*(wildcards[name] for name in names)))

        return from_wildcards

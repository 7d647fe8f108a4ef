"""What a job needs (memory, time, GPUs), from the sizes of its models.

Estimates are upper bounds from a few measured constants. A job that needs more is retried with a multiple (the profile
counts the attempts), so they have to be right to a factor of two or three, not to the minute.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Self

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.models import size_on_disk
from judgemerge.judge import backends, pairs_from_grades
from judgemerge.judge.judging import ORDERS
from judgemerge.quantize import quantizing
from judgemerge.search import searching
from judgemerge.settings.models import Expert, Stage, Tiny
from judgemerge.settings.study_file import Settings
from judgemerge.study.layout import MANIFEST, Layout, Wildcards
from judgemerge.study.study import Study
from judgemerge.train import training

GB = 1e9
# Size of a model that says nothing about itself: 8 billion weights in bfloat16.
UNKNOWN_GB = 16.0
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
# Memory in MB before the weights count, Snakemake's two processes on the node (130 MB each) included. The whole jobs of
# the demo, measured, without these: 1370 with LLaMA-Factory, 580 with mergekit, 810 with transformers.
TRAINING_MB, MERGING_MB, JUDGING_MB = 2500, 1500, 2000
# A conversion of a tiny model took 500; a quantization was not measured apart. Q4_K_M made 1.3e7 weights a second
# and thread, the other types more.
CONVERTING_MB, QUANTIZING_MB, QUANTIZED_PER_SECOND = 2000, 1000, 1e7
# Useful floating-point operations per second: a third of an A100's bfloat16 peak; a CPU thread with small matrices.
GPU_FLOPS, CPU_FLOPS = 1e14, 2e10
# Bytes of weights read per second while writing one token after the other.
GPU_BANDWIDTH, CPU_BANDWIDTH = 1e12, 5e9
SECONDS_PER_TOKEN_STEP = 0.03  # what transformers spends in Python on every step of a batch
# vLLM adds a prompt to the batch whenever one has ended, and launches a step as one graph. With these a model of 16 GB
# writes 3,000 tokens a second; others published 3,400 for 7 billion weights on an A100 and 12,500 for 8 on an H100.
VLLM_ROWS, VLLM_SECONDS_PER_STEP, VLLM_SECONDS_TO_START = 64, 0.005, 180
SECONDS_PER_GB = 30  # reading or writing weights on a shared file system
MINUTES_TO_START = 10
SCORING_MB = 600
GRADES_SECONDS = 25  # one judge, 14,000 continuous grades, 10,000 resamples: measured on one core
UNKNOWN_ITEMS = 1000
CHECKPOINTS = 10  # of a training whose length is not known before it
GPU_GB = 80.0  # memory of one GPU, unless the study says what its own have
FILLED = 0.9  # of which weights can take so much
# What a training asks for whose length nobody knows, at every attempt: it goes on at its checkpoint.
LONG_MINUTES = 2880


@dataclass(frozen=True)
class Size:
    """A model's weights: bytes on disk and their number."""

    bytes: float
    parameters: float

    @property
    def gb(self) -> float:
        """Gigabytes on disk."""
        return self.bytes / GB


@dataclass(frozen=True)
class Need:
    """What one job asks for at its first attempt: memory in MB, run time in minutes.

    `expected` are the minutes that it is thought to take. `unknown` are the item sets and models whose sizes had to be
    guessed; the time limit of a training of unknown length is the longest, and more attempts do not make it longer.
    `checkpoint` are the minutes until a training's first checkpoint.
    """

    mem_mb: int
    runtime: int
    expected: int = 0
    unknown: tuple[str, ...] = ()
    longest: int | None = None
    checkpoint: int | None = None

    def at(self, amount: str, attempt: int) -> int:
        """Return `mem_mb` or `runtime` of an attempt."""
        value = getattr(self, amount) * attempt
        return value if amount == "mem_mb" or self.longest is None else min(value, self.longest)


TWIN_SIZE = Size(20e6, 10e6)  # more than any has


def made_size(make: Tiny) -> Size:
    """Return the size of a made Llama (float32, embeddings not tied) from its shape."""
    hidden = make.hidden_size
    key_value = hidden * make.kv_heads // make.heads
    layer = 2 * hidden * (hidden + key_value) + 3 * hidden * make.intermediate_size + 2 * hidden
    parameters = 2 * make.vocabulary * hidden + make.layers * layer + hidden
    return Size(4 * parameters, parameters)


class Gpus(NamedTuple):
    """The GPUs that each rule with GPU work asks for, on all its nodes; merging and exporting run on the CPU."""

    make_model: int
    train_expert: int
    judge_suite: int
    weigh_models: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return those of a study. A made model is tiny, and a judge lies on one GPU: only experts train on several."""
        one = min(1, settings.gpus)
        return cls(one, settings.gpus * settings.nodes, one, one)


def several_nodes(settings: Settings) -> dict[str, int | str]:
    """Return the resources with which the SLURM plugin asks for the nodes of a training; none for a single node.

    `mpi` keeps the plugin from starting the job inside an srun of its own, so that the job can start one task per node.
    GPUs are asked for by the node (`gres`): `--gpus`, a sum, might be spread unevenly. `tasks_per_gpu: 0` keeps the
    plugin from asking for as many tasks per GPU.
    """
    if settings.nodes == 1:
        return {}
    request = {"nodes": settings.nodes, "tasks": settings.nodes, "tasks_per_gpu": 0, "mpi": "srun"}
    return request | ({"gres": f"gpu:{settings.gpus}"} if settings.gpus else {})


# The rules whose jobs take what follows from sizes: the step of `Needs`, and its wildcards.
STEPS = {
    "make_model": ("make", "model"),
    "unpack_model": ("unpack", "model"),
    "train_expert": ("train", "expert"),
    "export_expert": ("export", "expert"),
    "check_export": ("export", "expert"),
    "merge_models": ("merge", "merge"),
    "weigh_models": ("weigh", "merge"),
    "collect_grams": ("grams", "merge"),
    "convert_gguf": ("convert", "model"),
    "quantize_model": ("quantize", "quantization"),
    "judge_suite": ("judge", "judge", "suite"),
    "judge_suite_gguf": ("judge", "judge", "suite"),
    "judge_checkpoints": ("checkpoints", "expert"),
    "screen_base": ("screen", "model"),
    "train_trial": ("trial", "search"),
    "merge_trials": ("trials", "search"),
    "keep_trained": ("keep", "search"),
    "keep_merged": ("keep", "search"),
    "generate_answers": ("answer", "model", "comparison"),
    "generate_answers_gguf": ("answer", "model", "comparison"),
    "judge_answers": ("compare", "judge", "comparison"),
    "judge_answers_gguf": ("compare", "judge", "comparison"),
    "score_benchmark": ("score", "benchmark"),
    "compare_judges": ("score", "benchmark"),
}


def per_attempt(amount: float) -> Callable[..., float]:
    """Return a resource function that asks for `amount` more at each attempt (attempts are counted by the profile)."""

    def resource(wildcards: Wildcards, attempt: int) -> float:
        return amount * attempt

    return resource


def sizes_on_disk(study: Study, paths: Layout) -> Callable[[str], Size | None]:
    """Return a function: the size of a model that is there, among the results or in the folder it is found in."""

    def size(model: str) -> Size | None:
        folder = study.models[model].path if model in study.models else None
        numbers = size_on_disk(paths.path(MANIFEST, model), folder)
        return numbers and Size(*numbers)

    return size


class Needs:
    """What the jobs of a study need."""

    def __init__(self, study: Study, size_of_files: Callable[[str], Size | None]):
        """Answer for `study`; `size_of_files` gives the size of a model whose files are there already, else None."""
        self.study = study
        self.size_of_files = size_of_files
        self.gpus = Gpus.of(study.settings)

    def size(self, model: str) -> Size:
        """Return a model's size: from its files, else as the study says, else as its parents let expect."""
        study = self.study
        model = study.model_of(model)
        size = self.size_of_files(model)
        if size is not None:
            return size
        if model in study.searched or model in study.experts:
            return self.size(*study.made_from(model))
        if model in study.merges:
            parameters = max(self.size(parent).parameters for parent in study.parents(model))
            return Size(parameters * BYTES[study.merges[model].dtype], parameters)
        if model in study.quantizations:
            quantization = study.quantizations[model]
            parameters = self.size(quantization.model).parameters
            return Size(parameters * quantizing.BITS[quantizing.type_of(quantization.type)] / 8, parameters)
        entry = study.models[model]
        if entry.make:
            return made_size(entry.make)
        if entry.twin:
            return TWIN_SIZE
        n_bytes = (entry.size_gb or UNKNOWN_GB) * GB
        return Size(n_bytes, n_bytes / 2)

    def resources(self, rule: str) -> dict[str, Callable[..., int]]:
        """Return `mem_mb` and `runtime` of a rule, as functions of a job's wildcards and the attempt."""

        # Snakemake asks for one amount after the other. Not more is kept: sizes change once models are there.
        @lru_cache(maxsize=1)
        def need(*wildcards: tuple[str, str]) -> Need:
            return self.of_job(rule, dict(wildcards))

        def resource(amount: str) -> Callable[..., int]:
            return lambda wildcards, attempt: need(*wildcards.items()).at(amount, attempt)

        return {amount: resource(amount) for amount in ("mem_mb", "runtime")}

    def gpus_of_judge(self, wildcards: Any) -> int:
        """Return the GPUs that a job asks for whose wildcards name a judge, or a model that answers like one."""
        return self.judging_gpus(wildcards.judge if hasattr(wildcards, "judge") else wildcards.model)

    def make(self, model: str) -> Need:
        """Return what making and pretraining a model takes."""
        make = self.study.models[model].make
        size = self.size(model)
        seconds = sum(
            self._seconds_of_training(size, stage.settings, self._examples(stage), make.threads, self.gpus.make_model)
            for stage in make.stages
        )
        # Weights, gradients and two moments of Adam in float32, and a copy to save.
        return _need(TRAINING_MB + _mb(20 * size.parameters), seconds)

    def unpack(self, model: str) -> Need:
        """Return what unpacking a model of a package takes: it is in memory twice while it is written."""
        size = self.size(model)
        return _need(TRAINING_MB + _mb(2.5 * size.bytes), 8 * SECONDS_PER_GB * size.gb)

    def of_job(self, rule: str, wildcards: Wildcards) -> Need | None:
        """Return what a job of a rule takes, None where that does not depend on sizes."""
        if rule not in STEPS:
            return None
        step, *names = STEPS[rule]
        return getattr(self, step)(*(wildcards[name] for name in names))

    def train(self, expert: str) -> Need:
        """Return what training an expert takes: every process reads the weights once; on the CPU they stay there.

        Memory is that of each node.
        """
        entry = self.study.experts[expert]
        keys = training.expert_settings(self.study.settings.training, entry.settings)
        size = self.size(self.study.base_of(expert))
        n_gpus, nodes = self.gpus.train_expert, self.study.settings.nodes
        examples = sum(self._examples_of(entry, name, keys.get("stage")) for name in entry.train_on)
        unknown = () if keys.get("max_steps", -1) > 0 else self._unknown(entry.train_on)
        seconds = self._seconds_of_training(size, keys, examples, None, n_gpus, nodes)
        if n_gpus:
            memory = TRAINING_MB * n_gpus // nodes + _mb(2 * size.bytes)
            need = self._training_need(memory, seconds + SECONDS_PER_GB * size.gb, unknown)
        else:
            per_parameter = 20 if keys["finetuning_type"] == "full" else 8
            need = self._training_need(TRAINING_MB + _mb(per_parameter * size.parameters), seconds, unknown)
        if "save_steps" not in keys:
            return need
        until = self._seconds_of_training(size, {**keys, "max_steps": keys["save_steps"]}, 0, None, n_gpus, nodes)
        return dataclasses.replace(need, checkpoint=MINUTES_TO_START + math.ceil(until / 60))

    def _training_need(self, mem_mb: float, seconds: float, unknown: tuple[str, ...]) -> Need:
        """Return the need of a training: of one whose length nobody knows, the longest that a job may run."""
        longest = self.study.settings.longest_job
        need = _need(mem_mb, seconds, unknown, longest)
        if not unknown:
            return need
        return dataclasses.replace(need, runtime=longest or LONG_MINUTES, longest=longest or LONG_MINUTES)

    def _examples_of(self, expert: Expert, item_set: str, stage: str) -> int:
        """Return how many examples an expert learns from one of its item sets; for stage dpo a pair is one."""
        protocol = self.study.protocol(item_set)
        subset = (expert.subset.by_set or {}).get(item_set, expert.subset)
        n_items = min(math.ceil(self._items(item_set) * (subset.share or 1)), subset.first or math.inf)
        both = expert.orders == "both" and stage != "dpo"
        return n_items * len(ORDERS[protocol]) if both else n_items

    def _unknown(self, item_sets: Iterable[str]) -> tuple[str, ...]:
        """Return the item sets whose number of items nobody knows."""
        return tuple(name for name in item_sets if self.study.known_items(name) is None)

    def screen(self, model: str) -> Need:
        """Return what the screening of one foundation model takes: some training steps, then held-out answers."""
        settings, screening = self.study.settings, self.study.settings.screening
        keys = {**training.LORA, **settings.training, **screening.settings, "max_steps": screening.steps}
        size = self.size(model)
        n_gpus = min(1, settings.gpus)
        seconds = self._seconds_of_training(size, keys, 0, None, n_gpus) + SECONDS_PER_GB * size.gb
        held_out = screening.limit or sum(map(self._items, screening.evaluate_on))
        n_tokens = held_out * settings.judging.max_prompt_tokens / 2
        flops = GPU_FLOPS if n_gpus else CPU_FLOPS * settings.threads
        per_parameter = 20 if keys["finetuning_type"] == "full" and not n_gpus else 8
        memory = TRAINING_MB + _mb(2 * size.bytes if n_gpus else per_parameter * size.parameters)
        return _need(memory, seconds + 2 * size.parameters * n_tokens / flops)

    def export(self, expert: str) -> Need:
        """Return what folding an adapter into its base takes: both models in memory, one read and one written."""
        size = self.size(self.study.base_of(expert))
        return _need(TRAINING_MB + _mb(2.5 * size.bytes), 4 * SECONDS_PER_GB * size.gb)

    def merge(self, merge: str) -> Need:
        """Return what a merge takes: parents are read tensor by tensor, the result is kept and written."""
        size = self.size(merge)
        read = sum(self.size(parent).gb for parent in self.study.parents(merge))
        return _need(MERGING_MB + _mb(1.5 * size.bytes), SECONDS_PER_GB * (read + 2 * size.gb))

    def convert(self, model: str) -> Need:
        """Return what writing a model as an F16 GGUF file takes: it is read and written tensor by tensor."""
        size = self.size(model)
        seconds = SECONDS_PER_GB * (size.gb + 2 * size.parameters / GB)
        return _need(CONVERTING_MB + _mb(0.5 * size.bytes), seconds)

    def quantize(self, quantization: str) -> Need:
        """Return what quantizing takes: the F16 file is read, every weight is looked at, the result is written."""
        size = self.size(quantization)
        seconds = SECONDS_PER_GB * (2 * size.parameters / GB + size.gb)
        seconds += size.parameters / (QUANTIZED_PER_SECOND * self.study.settings.threads)
        return _need(QUANTIZING_MB + _mb(0.5 * size.bytes), seconds)

    def judging_gpus(self, judge: str) -> int:
        """Return the GPUs of a judge; a quantization has some only where the study says that llama.cpp can use them."""
        judge = self.study.model_of(judge)
        judging, quantization = self.study.settings.judging, self.study.quantizations.get(judge)
        if not self.gpus.judge_suite or (quantization and not quantization.gpu):
            return 0
        return judging.for_judge(judge).gpus or judging.gpus or 1

    def most_judging_gpus(self) -> int:
        """Return the GPUs that the judge with the most of them asks for."""
        return max(map(self.judging_gpus, self._judges_here()), default=self.gpus.judge_suite)

    def check_judges(self) -> None:
        """Refuse a judge whose weights do not fit on its GPUs, as far as their size is known."""
        memory = self.study.settings.gpu_gb or GPU_GB
        for judge in self._judges_here():
            n_gpus = self.judging_gpus(judge)
            if n_gpus and self._has_known_size(judge) and self._weights(judge) > n_gpus * memory * GB:
                weights = self._weights(judge) / GB
                enough = next(2**power for power in range(1, 20) if 2**power * memory * FILLED > weights)
                raise JudgemergeError(
                    f"{self.study.where}: judge '{judge}' has {weights:.1f} GB of weights, which do not fit on "
                    f"{n_gpus} GPU{'s' if n_gpus > 1 else ''} of {memory:g} GB; set judging.judges.{judge}.gpus: "
                    f"{enough}, or gpu_gb to the memory that yours have"
                )

    def _judges_here(self) -> list[str]:
        """Return the judges with weights on this machine, those of comparisons included."""
        named = dict.fromkeys([*self.study.judges, *self.study.comparisons.models_and_judges()])
        remote = self.study.models_by_origin("endpoint")
        return [judge for judge in named if judge in self.study.model_names and judge not in remote]

    def _has_known_size(self, model: str) -> bool:
        """Return whether a model's size is more than a guess."""
        study = self.study
        if self.size_of_files(model) is not None:
            return True
        if model in study.models:
            entry = study.models[model]
            return bool(entry.make or entry.twin or entry.size_gb)
        return all(map(self._has_known_size, study.made_from(model)))

    def _weights(self, judge: str) -> float:
        """Return the bytes of a judge's weights in memory."""
        size = self.size(judge)
        if (
            self.study.model_of(judge) in self.study.quantizations
        ):  # llama.cpp reads the weights as they are in the file
            return size.bytes
        width = BYTES.get(self.study.settings.judging.dtype)
        return size.parameters * width if width else size.bytes

    def weigh(self, merge: str) -> Need:
        """Return what the weights of a cocktail take: its models one after the other, a forward pass per example."""
        from judgemerge.merge.losses import KINDS

        entry = self.study.merges[merge]
        parameters = entry.parameters
        sizes = [self.size(parent) for parent in entry.models]
        largest = max(sizes, key=lambda size: size.parameters)
        on_gpu = bool(self.gpus.weigh_models)
        is_item_set = entry.examples in self.study.catalogues.benchmarks
        n_examples = parameters.get("n_examples", self._items(entry.examples) if is_item_set else UNKNOWN_ITEMS)
        length = parameters.get("max_length", KINDS[parameters.get("kind", "decoder")][2])
        flops = GPU_FLOPS if on_gpu else CPU_FLOPS * self.study.settings.threads
        seconds = sum(
            2 * size.parameters * n_examples * length / 2 / flops + SECONDS_PER_GB * size.gb for size in sizes
        )
        weights = largest.bytes if on_gpu else 4 * largest.parameters
        return _need(JUDGING_MB + _mb(1.2 * weights), seconds)

    def grams(self, merge: str) -> Need:
        """Return what the Gram matrices of a merge take: parents one after the other, two passes over the tokens."""
        from judgemerge.merge.grams import BUDGET, MAX_LENGTH

        entry = self.study.merges[merge]
        on_gpu = bool(self.gpus.weigh_models)
        flops = GPU_FLOPS if on_gpu else CPU_FLOPS * self.study.settings.threads
        length = entry.parameters.get("max_length", MAX_LENGTH)
        seconds = 0.0
        for parent, item_set in (entry.grams or {}).items():
            n_examples = entry.parameters.get("n_examples", self._items(item_set))
            size = self.size(parent)
            seconds += 4 * size.parameters * n_examples * length / 2 / flops + 3 * SECONDS_PER_GB * size.gb
        largest = max((self.size(parent) for parent in entry.models), key=lambda size: size.parameters)
        return _need(JUDGING_MB + _mb(1.2 * 4 * largest.parameters + BUDGET), seconds)

    def judge(self, judge: str, suite: str) -> Need:
        """Return what one judge takes for one suite: every prompt in both orders, replies as long as they may get."""
        suite = suite if suite in self.study.settings.suites else suite.removesuffix(pairs_from_grades.SUFFIX)
        names = self.study.benchmarks_of(judge, suite)
        units = [
            (self._asked(name) * len(ORDERS[self.study.protocol(name)]), self._new_tokens(judge, name))
            for name in names
        ]
        unknown = [name for name in self._unknown(names) if self.study.limit(name) is None]
        need = self._inference(judge, units, self.study.backend_of(judge))
        return dataclasses.replace(need, unknown=tuple(unknown))

    def _asked(self, benchmark: str) -> int:
        """Return how many items of a benchmark are judged."""
        return self.study.asked_items(benchmark) or UNKNOWN_ITEMS

    def trial(self, search: str) -> Need:
        """Return what one trial takes: the training or the merge, then the replies on the development sets."""
        study, target, judge = self.study, self.study.target_of(search), searching.best_name(search)
        making = self.train(target) if target in study.experts else self.merge(target)
        names = searching.targets(study.searches[search])
        units = [
            (self._items(name) * len(ORDERS[study.protocol(name)]), self._new_tokens(judge, name)) for name in names
        ]
        judging = self._inference(judge, units)
        runtime, expected = (
            getattr(making, minutes) + getattr(judging, minutes) - MINUTES_TO_START
            for minutes in ("runtime", "expected")
        )
        unknown = (*making.unknown, *judging.unknown)
        return Need(max(making.mem_mb, judging.mem_mb), runtime, expected, unknown, making.longest)

    def checkpoints(self, expert: str) -> Need:
        """Return what judging the checkpoints of an expert takes: the base is loaded for each, most of them guessed."""
        study, kept = self.study, self.study.experts[expert].checkpoints
        units = [
            (self._items(name) * len(ORDERS[study.protocol(name)]), self._new_tokens(expert, name))
            for name in kept.sets
        ]
        one = self._inference(expert, units)
        n_models = 2 + (len(kept.steps) if kept.steps else CHECKPOINTS)  # the base and the end besides
        minutes = [
            MINUTES_TO_START + n_models * (getattr(one, name) - MINUTES_TO_START) for name in ("runtime", "expected")
        ]
        return dataclasses.replace(one, runtime=minutes[0], expected=minutes[1])

    def trials(self, search: str) -> Need:
        """Return what all trials of a search for a merge take, one after the other in one job."""
        one, entry = self.trial(search), self.study.searches[search]
        n_trials = entry.rounds * entry.width
        runtime, expected = (
            MINUTES_TO_START + n_trials * (minutes - MINUTES_TO_START) for minutes in (one.runtime, one.expected)
        )
        return dataclasses.replace(one, runtime=runtime, expected=expected)

    def keep(self, search: str) -> Need:
        """Return what the model of the best trial takes: an export, or the merge again."""
        target = self.study.target_of(search)
        return self.export(target) if target in self.study.experts else self.merge(target)

    def answer(self, model: str, comparison: str) -> Need:
        """Return what the answers of one model of a comparison take."""
        generation = self.study.settings.model_comparisons[comparison].generation
        n_answers = self._questions(comparison) * generation.samples
        return self._inference(model, [(n_answers, generation.max_new_tokens)])

    def compare(self, judge: str, comparison: str) -> Need:
        """Return what one judge of a comparison takes: every pair in both orders, both answers by every metric."""
        n_each = 2 * self._questions(comparison) * self.study.settings.model_comparisons[comparison].generation.samples
        names = self.study.comparisons.prompts(comparison).values()
        units = [(n_each, prompt.max_new_tokens) for prompt in map(self.study.template, names)]
        return self._inference(judge, units, self.study.backend_of(judge))

    def score(self, benchmark: str) -> Need:
        """Return what the metrics of all judges on one benchmark take: weights of two bytes per item and resample.

        Grades take longest: n^1.5 operations per resample, and a resample without each item; measured at 14,000.
        """
        n_items = min(self._items(benchmark), self.study.limit(benchmark) or math.inf)
        n_resamples = self.study.settings.statistics.resamples
        n_judges = len(self.study.judges_of(benchmark))
        seconds = GRADES_SECONDS * n_judges * (n_items / 14_000) ** 1.5 * (n_resamples + n_items) / 24_000
        return _need(max(2000, SCORING_MB + _mb(3 * n_resamples * n_items)), 300 + seconds)

    def _questions(self, comparison: str) -> int:
        entry = self.study.settings.model_comparisons[comparison]
        return entry.limit or self._items(entry.questions)

    def _inference(self, judge: str, units: Iterable[tuple[int, int]], backend: str = backends.DEFAULT) -> Need:
        """Return what a model takes for units of (prompts, most new tokens of each).

        Trials and the answers of compared models are always asked for with the default backend.
        """
        settings = self.study.settings
        judging = settings.judging
        size = self.size(judge)
        weights = self._weights(judge)
        on_gpu = bool(self.judging_gpus(judge))
        flops = GPU_FLOPS if on_gpu else CPU_FLOPS * settings.threads
        bandwidth = GPU_BANDWIDTH if on_gpu else CPU_BANDWIDTH
        with_vllm = on_gpu and backend == "vllm"
        seconds = SECONDS_PER_GB * size.gb + (VLLM_SECONDS_TO_START if with_vllm else 0)
        for n_prompts, new in units:
            n_tokens = n_prompts * (judging.max_prompt_tokens / 4 + new)  # long prompts are rare
            seconds += 2 * size.parameters * n_tokens / flops
            if with_vllm:
                steps = math.ceil(n_prompts / VLLM_ROWS) * new
                seconds += steps * (VLLM_SECONDS_PER_STEP + weights / self.judging_gpus(judge) / bandwidth)
            else:
                steps = math.ceil(n_tokens / judging.batch_tokens) * new
                seconds += steps * (SECONDS_PER_TOKEN_STEP + weights / bandwidth)
        memory = JUDGING_MB + _mb(1.2 * weights)
        # On the CPU the keys, values and logits of a batch are in the same memory: 64 kB per token.
        return _need(memory if on_gpu else memory + judging.batch_tokens // 16, seconds)

    def _items(self, item_set: str) -> int:
        return self.study.known_items(item_set) or UNKNOWN_ITEMS

    def _examples(self, stage: Stage) -> int:
        if stage.data == "corpus":
            return UNKNOWN_ITEMS
        both = stage.orders == "both"
        return sum(self._items(name) * (len(ORDERS[self.study.protocol(name)]) if both else 1) for name in stage.data)

    def _new_tokens(self, judge: str, benchmark: str) -> int:
        return self.study.template(self.study.prompt(judge, self.study.protocol(benchmark))).max_new_tokens

    def _seconds_of_training(
        self, size: Size, settings: Mapping, examples: int, threads: int | None, n_gpus: int, nodes: int = 1
    ) -> float:
        """Return seconds from 6 operations per weight and token (forward, backward, recomputed forward).

        Examples count as half as long as `cutoff_len`; one of stage dpo is two sequences.
        """
        steps = settings.get("max_steps", -1)
        batch = settings.get("per_device_train_batch_size", 1) * settings.get("gradient_accumulation_steps", 1)
        examples = min(examples, settings.get("max_samples", examples)) * settings.get("num_train_epochs", 3.0)
        if steps > 0:
            examples = steps * batch * max(nodes, n_gpus)
        sequences = examples * (2 if settings.get("stage") == "dpo" else 1)
        tokens = sequences * settings.get("cutoff_len", training.COMMON["cutoff_len"]) / 2
        threads = threads or self.study.settings.threads
        return 6 * size.parameters * tokens / (GPU_FLOPS * n_gpus if n_gpus else CPU_FLOPS * threads * nodes)


def _mb(n_bytes: float) -> float:
    return n_bytes / 1e6


def _need(mem_mb: float, seconds: float, unknown: tuple[str, ...] = (), longest: int | None = None) -> Need:
    """Return a need in round numbers; in the time limit the work counts twice, because estimates err."""
    once, twice = (MINUTES_TO_START + math.ceil(times * seconds / 60) for times in (1, 2))
    return Need(math.ceil(mem_mb / 100) * 100, min(twice, longest or twice), once, unknown, longest)

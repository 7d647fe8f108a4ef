"""A study as its rehearsal runs it: everything as published, but few items, few steps, few trials, and no GPU.

What needs a GPU is done by the nearest code that a CPU runs, and every such change is one sentence of
`rehearsal.not_rehearsed`, which the plan prints and the record of the run keeps.
"""

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from judgemerge.search import searching
from judgemerge.settings.rehearsal import Rehearsal
from judgemerge.settings.searches import Choices
from judgemerge.settings.study_file import Settings

Plain = dict[str, Any]

DESCRIPTION = "Rehearsal on twins of the models, whose weights are random: none of these figures says anything."
THREADS = 1  # of a job: matrices are so small that two jobs side by side beat two threads
BATCH_TOKENS = 8192  # a resource: what fits into memory beside a second job
WORKERS = 2
CHECKED_STEPS = ("save_steps", "eval_steps", "logging_steps")
HALF_PRECISION = ("fp16", "bf16", "pure_bf16")
SMALL_STEP = 1  # distance of what happens every so many steps


def is_installed(package: str) -> bool:
    """Return whether a package is there that only some machines have; what Snakemake deploys is not asked."""
    return importlib.util.find_spec(package) is not None


def rehearsed(plain: Mapping[str, Any]) -> Plain:
    """Return the plain settings of a study, cut down where they ask for a rehearsal."""
    if plain.get("rehearsal") is None:
        return dict(plain)
    sizes = Rehearsal.of(plain["rehearsal"])
    cut = _Cut(sizes)
    several = max(1, plain["gpus"]) * plain["nodes"] > 1
    result = cut.study(dict(plain))
    filled_in = {"not_rehearsed": cut.sentences, "processes": sizes.processes if several else 1}
    return result | {"rehearsal": plain["rehearsal"] | filled_in}


def lines(settings: Settings, stand_ins: Iterable[str]) -> list[str]:
    """Return what the plan of a rehearsal says to people; nothing for any other study."""
    if settings.rehearsal is None:
        return []
    stand_ins = ", ".join(stand_ins)
    said = list(settings.rehearsal.not_rehearsed)
    said += [f"raw files that neither a mirror nor this machine has are stand-ins: {stand_ins}"] if stand_ins else []
    return ["This is a rehearsal. Not rehearsed:", *(f"  {sentence}" for sentence in said)]


class _Cut:
    """Cuts a study down, and notes in `sentences` what is done otherwise than at full size."""

    def __init__(self, sizes: Rehearsal):
        self.sizes = sizes
        self.sentences: list[str] = [
            "the quality of any model: weights are random, texts and steps few",
            "weights in half precision: those of twins are float32, which CPUs are many times quicker at",
        ]

    def note(self, sentence: str) -> None:
        """Note a change, once."""
        if sentence not in self.sentences:
            self.sentences.append(sentence)

    def study(self, plain: Plain) -> Plain:
        """Return a study cut down."""
        self._hardware(plain)
        plain |= {
            "description": f"{DESCRIPTION} {plain['description']}".strip(),
            "gpus": 0,
            "nodes": 1,
            "threads": THREADS,
            "downloads": True,
            "training": self._common_training(plain),
            "experts": {
                name: expert | {"settings": self.training(expert["settings"])} | self._checkpoints(expert)
                for name, expert in plain["experts"].items()
            },
            "models": {name: self._model(entry) for name, entry in plain["models"].items()},
            "quantizations": {name: self._quantization(entry) for name, entry in plain["quantizations"].items()},
            "model_comparisons": {name: self._comparison(entry) for name, entry in plain["model_comparisons"].items()},
            "judging": self._judging(plain["judging"]),
            "statistics": plain["statistics"]
            | {"resamples": min(plain["statistics"]["resamples"], self.sizes.resamples)},
        }
        plain["searches"] = {name: self._search(entry, plain) for name, entry in plain["searches"].items()}
        if "screening" in plain:
            plain["screening"] = self._screening(plain["screening"])
        if "embedding" in plain:
            plain["embedding"] = self._embedding(plain["embedding"])
        return plain

    def _hardware(self, plain: Plain) -> None:
        if plain["gpus"]:
            self.note("GPUs: everything runs on CPUs, weights of judges lie in one memory")
        published = max(1, plain["gpus"]) * plain["nodes"]
        if published > self.sizes.processes and plain["experts"]:
            self.note(f"training in {published} processes: it is {self.sizes.processes}")

    # ---- trainings ----

    def _common_training(self, plain: Plain) -> Plain:
        """Return what all trainings share; several processes use DeepSpeed where the study wants it and it is here."""
        keys = self.training(plain["training"]) | {"max_steps": self.sizes.steps}
        several = max(1, plain["gpus"]) * plain["nodes"] > 1
        if several and "deepspeed" not in plain["training"] and plain["experts"] and not is_installed("deepspeed"):
            self.note("DeepSpeed ZeRO-3, which is not installed here: processes hold all weights each")
            keys["deepspeed"] = "none"
        return keys

    def training(self, keys: Mapping[str, Any]) -> Plain:
        """Return LLaMA-Factory keys that a CPU takes, with few steps and short distances between what is checked."""
        keys = dict(keys)
        if "max_steps" in keys:
            keys["max_steps"] = min(keys["max_steps"], self.sizes.steps)
        keys |= {name: SMALL_STEP for name in CHECKED_STEPS if name in keys}
        if "preprocessing_num_workers" in keys:
            keys["preprocessing_num_workers"] = min(keys["preprocessing_num_workers"], WORKERS)
        if halves := [name for name in HALF_PRECISION if keys.pop(name, False)]:
            self.note(f"training in half precision ({', '.join(halves)}): it is float32")
        if "quantization_bit" in keys and not is_installed("bitsandbytes"):
            self.note(f"training on a base of {keys.pop('quantization_bit')} bits (bitsandbytes): it has all its bits")
        if "8bit" in str(keys.get("optim", "")) and not is_installed("bitsandbytes"):
            self.note(f"the optimizer {keys['optim']} (bitsandbytes): it is adamw_torch")
            keys["optim"] = "adamw_torch"
        if keys.get("deepspeed", "none") != "none" and not is_installed("deepspeed"):
            self.note(f"DeepSpeed ({keys.pop('deepspeed')}), which is not installed here")
        return keys

    def _checkpoints(self, expert: Mapping[str, Any]) -> Plain:
        """Return the checkpoints of an expert, where some are kept: one after every short step."""
        if "checkpoints" not in expert:
            return {}
        kept = {key: value for key, value in expert["checkpoints"].items() if key != "steps"}
        return {"checkpoints": kept | {"every": SMALL_STEP}}

    def _screening(self, screening: Mapping[str, Any]) -> Plain:
        return {
            **screening,
            "steps": min(screening["steps"], self.sizes.steps),
            "settings": self.training(screening["settings"]),
        }

    def _model(self, entry: Mapping[str, Any]) -> Plain:
        """Return a model; one that is made is pretrained in few steps on little text."""
        if "make" not in entry:
            return dict(entry)
        make = entry["make"]
        stages = [
            stage | {"settings": self.training(stage["settings"]) | {"max_steps": self.sizes.steps}}
            for stage in make.get("stages", [])
        ]
        corpus = make["corpus"] | {"n_sentences": min(make["corpus"]["n_sentences"], 40 * self.sizes.training_items)}
        return {**entry, "make": make | {"stages": stages, "corpus": corpus}}

    # ---- judging and searching ----

    def _judging(self, judging: Mapping[str, Any]) -> Plain:
        judges = {name: self._backend(entry) for name, entry in judging["judges"].items()}
        tokens = min(filter(None, (judging.get("reply_tokens"), self.sizes.reply_tokens)))
        batch = min(judging["batch_tokens"], BATCH_TOKENS)
        if judging["dtype"] != "float32":
            self.note(f"judging in dtype {judging['dtype']}: it is float32")
        small = {"reply_tokens": tokens, "batch_tokens": batch, "dtype": "float32"}
        return self._backend(judging) | {"judges": judges} | small

    def _backend(self, entry: Mapping[str, Any]) -> Plain:
        if entry.get("backend") != "vllm":
            return dict(entry)
        # On a CPU vLLM takes a minute to start, and a study has a hundred jobs that would start it.
        self.note("backend vllm: judges answer with transformers (`make test-vllm` tries the other)")
        return {**entry, "backend": "transformers"}

    def _quantization(self, entry: Mapping[str, Any]) -> Plain:
        if entry["gpu"]:
            self.note("quantized judges on a GPU")
        return {**entry, "gpu": False}

    def _comparison(self, entry: Mapping[str, Any]) -> Plain:
        generation = entry["generation"]
        tokens = min(generation["max_new_tokens"], self.sizes.reply_tokens)
        return {**entry, "generation": generation | {"max_new_tokens": tokens}}

    def _search(self, entry: Mapping[str, Any], plain: Plain) -> Plain:
        """Return a search of few rounds; of a grid two parameters with two choices each are left."""
        self.note("the choice among trials: those without a readable reply count 0")
        small = {**entry, "pruning_every": min(entry["pruning_every"], SMALL_STEP), "pruning_after": 0}
        if entry["sampler"] != "grid":
            sizes = {name: min(entry[name], self.sizes.trials) for name in ("rounds", "width")}
            return small | sizes
        target = entry.get("expert") or entry["merge"]
        keys = {**plain["training"], **plain["experts"][target]["settings"]} if "expert" in entry else None
        spans = {name: span for name, span in entry["space"].items() if "choices" in span}
        default = searching.defaults(
            keys or plain["merges"][target], {name: Choices.of(span) for name, span in spans.items()}
        )
        space = {name: _two_choices(span, default.get(name)) for name, span in list(spans.items())[:2]}
        self.note(f"grids of more than two parameters with two choices each (a search has {', '.join(spans)})")
        return small | {"space": space, "rounds": 2, "width": 2 ** len(space) // 2}

    # ---- embedding ----

    def _embedding(self, embedding: Mapping[str, Any]) -> Plain:
        if any(step.get("model") for step in (embedding["questions"], embedding["rewriting"])):
            self.note("questions, relevance, rewrites by a language model: they are formed from the documents' terms")
        documents = {key: value for key, value in embedding["documents"].items() if key != "folder"}
        if "folder" in embedding["documents"]:
            self.note("documents of your own: they are synthetic")
            documents["make"] = {"domain": "workshop"}
        documents["make"] = self._made_documents(documents["make"])
        forgetting = embedding["forgetting"]
        tasks = {
            name: {"make": self._made_documents(task["make"])} if "make" in task else task
            for name, task in forgetting["tasks"].items()
        }
        iterations = embedding["iterations"]
        cut = {
            **embedding,
            "documents": documents,
            "forgetting": forgetting | {"tasks": tasks},
            "iterations": iterations | {"maximum": min(iterations["maximum"], self.sizes.trials)},
            "questions": _without(embedding["questions"], "model"),
            "selection": _without(embedding["selection"], "relevance"),
            "rewriting": _without(embedding["rewriting"], "model"),
            "training": self._sentence_training(embedding["training"]),
        }
        if "reranker_training" in embedding:
            cut["reranker_training"] = self._sentence_training(embedding["reranker_training"])
        for role in ("embedder", "reranker"):
            if "make" in embedding.get(role, {}):
                cut[role] = {"make": self._made_encoder(embedding[role]["make"])}
        return cut

    def _made_documents(self, entry: Mapping[str, Any]) -> Plain:
        return {**entry, "n_documents": min(entry.get("n_documents", self.sizes.documents), self.sizes.documents)}

    def _made_encoder(self, make: Mapping[str, Any]) -> Plain:
        return {**self._made_documents(make), "training": make["training"] | {"epochs": 1, "max_pairs": 64}}

    def _sentence_training(self, training: Mapping[str, Any]) -> Plain:
        if training["precision"] != "fp32":
            self.note(f"training of encoders in {training['precision']}: it is fp32")
        pairs = 2 * self.sizes.steps * training["batch_size"]
        small = {"epochs": min(training["epochs"], 1), "max_pairs": min(training["max_pairs"], pairs)}
        return {**training, **small, "precision": "fp32"}


def _two_choices(span: Mapping[str, Any], default: Any) -> Plain:
    """Return a parameter with two of its choices: the study's own value, and another."""
    others = [value for value in span["choices"] if value != default]
    return {"choices": [default, others[0]] if default in span["choices"] else span["choices"][:2]}


def _without(entry: Mapping[str, Any], name: str) -> Plain:
    return {key: value for key, value in entry.items() if key != name}

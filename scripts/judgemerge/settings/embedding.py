"""Fine-tuning of an embedding model and its mixtures."""

from typing import Annotated, Any, Literal

from judgemerge.settings.models import Package, Twin
from judgemerge.settings.section import NAMES, Section, key, limits, section


@section
class MadeDocuments(Section):
    """Synthetic documents."""

    domain: str = key("What they are about: workshop, kitchen, garden, library, travel or weather.")
    n_documents: int = key("Number of documents.", 60, minimum=2)
    seed: int = key("Seed of the texts.", 7, minimum=0)


@section
class Documents(Section):
    """The documents that the model is fine-tuned for, and how they are split."""

    folder: str | None = key("Folder with .txt, .md, .html, .docx and .pdf files; folders in it are not entered.", None)
    make: MadeDocuments | None = key("A synthetic collection instead of a folder.", None)
    package: Package | None = key(
        "The documentation in a package instead of a folder: the docstrings of its Python files, and its texts.", None
    )
    openings: bool = key(
        "Take the first paragraph off every document (a title, a summary): it is the question that the rest answers. "
        "No other questions are formed then; documents of one paragraph are left out. This holds for other tasks "
        "on packages too.",
        False,
    )
    language: str = key("Language of texts in Latin letters (de, en, fr ...); other scripts are recognised.", "en")
    chunk: int = key("Characters in a chunk at most.", 750, minimum=50)
    overlap: int = key("Characters that neighbouring chunks share at most.", 150, minimum=0)
    max_megabytes: float = key("A larger file is left out and named.", 100, exclusiveMinimum=0)


@section
class TinyEncoder(Section):
    """A small BERT that is generated on this machine and pretrained on general texts; a reranker starts from the
    embedder.
    """

    seed: int = key("Seed of weights, texts and dropout.", 1, minimum=0)
    n_documents: int = key("Pretraining documents per domain (five domains).", 45, minimum=2)
    chunk: int = key("Characters in a chunk of the pretraining documents.", 400, minimum=50)
    hidden: int = key("Width, a multiple of 4.", 128, multipleOf=4, minimum=8)
    layers: int = key("Number of transformer layers.", 2, minimum=1)
    vocabulary: int = key("Tokens in the vocabulary.", 2000, minimum=200)
    max_tokens: int = key("Longest text in tokens.", 128, minimum=16)
    training: dict[str, Any] = key(
        "Pretraining, with keys of `embedding.training`; what is unset suits a short pretraining.", {}
    )


@section
class MadeEncoder(Section):
    """An encoder that is generated on this machine."""

    make: TinyEncoder = key()


@section
class HubEncoder(Section):
    """An encoder that is downloaded from the Hugging Face hub."""

    repo: str = key("Hugging Face model id.")
    revision: str = key("Commit of the model; a branch name would not be reproducible.", pattern="^[0-9a-f]{40}$")
    size_gb: float = key("Weights in GB, from which memory and time of jobs follow.", 1.3, exclusiveMinimum=0)


@section
class LocalEncoder(Section):
    """An encoder that is found in a folder."""

    path: str = key("Folder with config.json and safetensors files.")
    size_gb: float = key("Weights in GB, from which memory and time of jobs follow.", 1.3, exclusiveMinimum=0)


@section
class PackagedEncoder(Section):
    """An encoder that a package of a Python registry brings along as safetensors."""

    package: Package = key()
    size_gb: float = key("Weights in GB, from which memory and time of jobs follow.", 1.3, exclusiveMinimum=0)


@section
class TwinEncoder(Section):
    """An encoder that is generated as the twin of a published one."""

    twin: Twin = key()


Encoder = MadeEncoder | HubEncoder | LocalEncoder | PackagedEncoder | TwinEncoder


@section
class OtherHubEncoder(HubEncoder):
    """An embedding model of others on the Hugging Face hub."""

    query_prompt: str | None = key("Text put before every question of this model; unset takes the study's.", None)


@section
class OtherLocalEncoder(LocalEncoder):
    """An embedding model of others in a folder, such as a merge of scripts/commands/merge.py."""

    query_prompt: str | None = key("Text put before every question of this model; unset takes the study's.", None)


@section
class OtherPackagedEncoder(Section):
    """An embedding model of others in a package of a Python registry."""

    package: Package = key()
    size_gb: float = key("Weights in GB.", 1.3, exclusiveMinimum=0)
    query_prompt: str | None = key("Text put before every question of this model; unset takes the study's.", None)


@section
class OtherTwinEncoder(Section):
    """The twin of an embedding model of others."""

    twin: Twin = key()
    query_prompt: str | None = key("Text put before every question of this model; unset takes the study's.", None)


@section
class Questions(Section):
    """The questions that the model is trained on."""

    per_chunk: int = key("Questions per chunk.", 2, minimum=1)
    model: str | None = key(
        "Question generator: one of `models` with an endpoint. Unset: questions are formed from the chunk's terms.",
        None,
    )


@section
class Relevance(Section):
    """A language model's judgement of every selected pair; unset: no model is asked."""

    model: str = key("One of `models` with an endpoint.")
    threshold: float = key("Relevance between 0 and 1 from which a pair is kept.", 0.8, minimum=0, maximum=1)


@section
class Selection(Section):
    """Selection of the pairs of question and chunk that are trained on."""

    share: float = key(
        "Share of the pairs that is kept, by the fused ranks of BM25 and the reranker: exactly round(n × share).",
        0.8,
        exclusiveMinimum=0,
        maximum=1,
    )
    relevance: Relevance | None = key(default=None)


@section
class Rewriting(Section):
    """Rewrites of the selected questions in another style."""

    number: int = key("Rewrites per pair.", 1, minimum=0)
    model: str | None = key(
        "Model that writes the rewrites: one of `models` with an endpoint. Unset: the terms are put in another order.",
        None,
    )


@section
class Iterations(Section):
    """Rounds of new questions and training, each from the original model, until recall is high enough. Each round adds
    one to the seed of the question generator's endpoint. The round with the highest recall becomes `tuned`.
    """

    maximum: int = key("Iterations at most.", 5, minimum=1, maximum=20)
    slices: Literal["cumulative", "disjoint"] = key(
        "Chunks of iteration i of m: the first i/m (cumulative), or the i-th m-th part (disjoint).", "cumulative"
    )
    increase_rate: float = key(
        "Relative increase of recall over the base model, in percent, at which iterations stop.", 20, exclusiveMinimum=0
    )
    recall: float = key("Recall at which iterations stop.", 0.95, exclusiveMinimum=0, maximum=1)
    k: int = key("Recall and nDCG count the first k texts.", 5, minimum=1)


@section
class SentenceTraining(Section):
    """A training of an embedding model or a reranker on pairs of question and text."""

    epochs: float = key("Passes over the pairs.", 4, exclusiveMinimum=0)
    batch_size: int = key("Pairs per step; the other pairs of the batch are the negatives.", 4, minimum=2)
    accumulation: int = key("Steps added up before each update.", 16, minimum=1)
    learning_rate: float = key("Peak learning rate.", 2e-05, exclusiveMinimum=0)
    scheduler: str = key("Learning-rate schedule.", "cosine")
    warmup: float = key("Steps of warm-up; below 1 it is the share of all steps.", 0.1, minimum=0)
    optimizer: str = key("Optimizer.", "adamw_torch_fused")
    precision: Literal["fp32", "bf16", "fp16"] = key("Number format of the arithmetic.", "fp32")
    max_tokens: int = key("Tokens that a text is cut at.", 512, minimum=8)
    max_pairs: int = key("Upper limit of the number of pairs; a larger set is sampled down to it.", 10000, minimum=2)
    hard_negatives: int = key(
        "Wrong chunks per pair beside those of the batch: the best that BM25 finds in other documents.", 0, minimum=0
    )
    random_negatives: int = key(
        "Further wrong chunks per pair for a reranker, sampled from other documents.", 1, minimum=1
    )
    scale: float = key("Factor of the cosines in the loss (1 / temperature).", 20.0, exclusiveMinimum=0)


@section
class EvaluationKeys(Section):
    """Keys of question and right text in JSON lines; unset takes anchor or query, positive or corpus."""

    query: str | None = key("Key of the question.", None)
    document: str | None = key("Key of the right text or list of texts.", None)


@section
class Evaluation(Section):
    """The questions that recall is measured on."""

    path: str | None = key(
        "An evaluation set of your own: JSON lines, or a reviewed .csv. Unset: questions are generated on "
        "held-out documents.",
        None,
    )
    json_keys: EvaluationKeys = key(default={}, name="keys")
    held_out: float = key(
        "Share of the documents that is held out from training and used for evaluation questions; 0 evaluates"
        " on trained documents.",
        0.3,
        minimum=0,
        exclusiveMaximum=1,
    )
    per_chunk: int = key("Questions per held-out chunk.", 3, minimum=1)


@section
class ByLoss(Section):
    """One more mixture whose weights are softmax(−loss / temperature) on a few questions of the evaluation set, which
    no model was trained on.
    """

    examples: int = key("Pairs that the losses are computed on.", 5, minimum=1)
    negatives: int = key("Wrong texts per pair.", 7, minimum=1)
    temperature: float = key("High temperatures give equal weights.", 5.0, exclusiveMinimum=0)


@section
class MadeTask(Section):
    """A synthetic retrieval task."""

    make: MadeDocuments = key("Synthetic documents; questions are generated on all of them.")


@section
class LocalTask(Section):
    """A retrieval task in a file."""

    path: str = key("JSON lines with question and right text, or rows with query, pos and neg.")


@section
class SourceTask(Section):
    """A retrieval task in a raw file of config/sources.yaml."""

    source: str = key("Key of config/sources.yaml: a file in the same form.")


@section
class PackagedTask(Section):
    """A retrieval task on the documentation in a package of a Python registry."""

    package: Package = key("A package like `documents.package`.")


@section
class Forgetting(Section):
    """Other tasks of the model, and mixtures of base and fine-tuned model (LM-Cocktail)."""

    weights: tuple[float, ...] = key(
        "Shares of the fine-tuned model in the mixtures, between 0 and 1.", [0.25, 0.5, 0.75], uniqueItems=True
    )
    by_loss: ByLoss | None = key(default=None)
    cocktails: dict[
        str,
        Annotated[dict[str, float], limits(minProperties=2)]
        | Annotated[tuple[str, ...], limits(minItems=2, uniqueItems=True)],
    ] = key(
        "Mixtures of several models by name, of base, tuned and `others`: weights that sum to 1, or a list of"
        " models whose weights follow from their losses, as in by_loss.",
        {},
        **NAMES,
    )
    tasks: dict[str, MadeTask | LocalTask | SourceTask | PackagedTask] = key(
        "Other retrieval tasks by name, each synthetic, on the documentation in a package, read from a file, or from a "
        "raw file of config/sources.yaml (with a mirror or downloads).",
        {},
        **NAMES,
    )


@section
class Embedding(Section):
    """Fine-tune an embedding model on your own documents, then mix it with its base so that other tasks are not
    forgotten (docs/studies/embedder.md).
    """

    documents: Documents = key()
    embedder: Encoder = key("The embedding model that is fine-tuned.")
    reranker: Encoder | None = key("A cross-encoder that helps to select pairs; unset: BM25 alone selects.", None)
    others: dict[str, OtherHubEncoder | OtherLocalEncoder | OtherPackagedEncoder | OtherTwinEncoder] = key(
        "Further embedding models by name: measured on every task like the base, and possible parents of "
        "`forgetting.cocktails`.",
        {},
        **NAMES,
    )
    query_prompt: str = key("Text put before every question, as some models need (BGE: an instruction).", "")
    max_tokens: int = key("Tokens that a text is cut at.", 512, minimum=8)
    batch_size: int = key("Texts that are embedded at a time where nothing is trained.", 32, minimum=1)
    prompts: str = key(
        "Prompts of the question generator: a name of config/embedding_prompts/ (english, chinese), or the "
        "path of a YAML file.",
        "english",
    )
    questions: Questions = key(default={})
    selection: Selection = key(default={})
    rewriting: Rewriting = key(default={})
    iterations: Iterations = key(default={})
    training: SentenceTraining = key("Fine-tuning of the embedding model with MultipleNegativesRankingLoss.", {})
    reranker_training: SentenceTraining | None = key(
        "Fine-tuning of the reranker on the same pairs with binary cross-entropy; unset: it is not tuned.", None
    )
    rerank_depth: int = key("Texts that the reranker sorts when it is evaluated.", 20, minimum=2)
    evaluation: Evaluation = key(default={})
    forgetting: Forgetting = key(default={})

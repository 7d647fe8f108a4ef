"""Input functions of rules/embed.smk."""

from judgemerge.embed import checks as embedding_study

EMBEDDING = settings["embedding"]
ITERATIONS = embedding_study.iterations(EMBEDDING)
MIXES = embedding_study.mixes(EMBEDDING)
OTHER_TASKS = embedding_study.other_tasks(EMBEDDING, study.optional_suites_run)
TASK_ROLES = {embedding_study.TARGET: "target", **dict.fromkeys(OTHER_TASKS, "other")}
MADE_COLLECTIONS = {name: task["make"] for name, task in OTHER_TASKS.items() if "make" in task}
OWN_SET = EMBEDDING["evaluation"].get("path")
# Questions on held-out documents only make sense where these are not somebody's own set.
HELD_OUT = 0 if OWN_SET else EMBEDDING["evaluation"]["held_out"]
READ_TASKS = {name: task for name, task in OTHER_TASKS.items() if "make" not in task}
ONE_GPU = min(1, settings["gpus"])
ENCODERS = {"base": EMBEDDING["embedder"]} | ({"reranker": EMBEDDING["reranker"]} if "reranker" in EMBEDDING else {})
ENCODERS |= EMBEDDING["others"]
COCKTAILS = EMBEDDING["forgetting"]["cocktails"]
MIXED_PARENTS = embedding_study.mixed_parents(EMBEDDING)
RERANKERS = ["reranker", "reranker_tuned"] if "reranker_training" in EMBEDDING else []


def embedding_file(pattern, **wildcards):
    """Return one path below the embedding part of this study's results."""
    return results_file(f"embedding/{pattern}", **wildcards)


def embedding_manifests():
    """The manifests of the embedding models and rerankers that a study ends with."""
    names = [*ENCODERS, "tuned", *MIXES, *COCKTAILS, *(["reranker_tuned"] if RERANKERS else [])]
    return [embedding_file("models/{name}.json", name=name) for name in names]


def document_files(wildcards):
    """The documents of a collection: those that were made, or the files of the study's folder, if it is there."""
    if wildcards.collection in MADE_COLLECTIONS:
        return [embedding_file("collections/{name}", name=wildcards.collection)]
    folder = EMBEDDING["documents"]["folder"]
    return sorted(entry.path for entry in os.scandir(folder) if entry.is_file()) if os.path.isdir(folder) else []


def document_folder(wildcards):
    """The folder of a collection's documents."""
    if wildcards.collection in MADE_COLLECTIONS:
        return embedding_file("collections/{name}", name=wildcards.collection)
    return EMBEDDING["documents"]["folder"]


def collection_settings(wildcards):
    """What a collection is made of."""
    return MADE_COLLECTIONS[wildcards.collection]


def collection_share(wildcards):
    """The share of a collection's documents that questions for evaluation are made on; 0 means all."""
    return HELD_OUT if wildcards.collection == embedding_study.TARGET else 0


def read_task_file(wildcards):
    """The file of an evaluation set that was brought along."""
    task = READ_TASKS[wildcards.read_task]
    return results_file("sources/{source}", source=task["source"]) if "source" in task else task["path"]


def read_task_keys(wildcards):
    """The keys of an evaluation set that was brought along, where the study names them."""
    return EMBEDDING["evaluation"]["keys"] if wildcards.read_task == embedding_study.TARGET else {}


def encoder_entry(wildcards):
    """Where a fetched model comes from."""
    return ENCODERS[wildcards.fetched_encoder]


def encoder_fingerprint(wildcards):
    """What the files of a model folder of this machine are known by; nothing for one of the hub."""
    path = encoder_entry(wildcards).get("path")
    return path and fingerprint(path)


def encoder_is_mixed(wildcards):
    """Whether a fetched model is a parent of mixtures."""
    return wildcards.fetched_encoder in MIXED_PARENTS


def base_to_compare(wildcards):
    """The base, which every other parent of mixtures is compared with before anything is trained."""
    compared = wildcards.fetched_encoder in MIXED_PARENTS and wildcards.fetched_encoder != "base"
    return [embedding_file("models/base")] if compared else []


def other_parents(wildcards):
    """The other parents of mixtures, which have to fit before the base is trained."""
    return [embedding_file("models/{name}", name=name) for name in MIXED_PARENTS if name != "base"]


def cocktail_parents(wildcards):
    """The models of one cocktail, in the order of the study."""
    return [embedding_file("models/{name}", name=name) for name in COCKTAILS[wildcards.cocktail]]


def cocktail_of(wildcards):
    """The models of one cocktail with their weights, or without."""
    return COCKTAILS[wildcards.cocktail]


def encoder_prompt(wildcards):
    """The text before every question of an embedding model: its own, or the study's."""
    return EMBEDDING["others"].get(wildcards.encoder, {}).get("query_prompt", EMBEDDING["query_prompt"])


def encoder_make(wildcards):
    """How a made model is made."""
    return ENCODERS[wildcards.made_encoder]["make"]


def encoder_kind(wildcards):
    """Whether a made model is the embedder or the reranker."""
    return "embedder" if wildcards.made_encoder == "base" else "reranker"


def encoder_start(wildcards):
    """The model that a made reranker starts from."""
    return [embedding_file("models/base")] if wildcards.made_encoder == "reranker" else []


def study_reranker(wildcards):
    """The reranker that helps to select pairs, if there is one."""
    return [embedding_file("models/reranker")] if "reranker" in EMBEDDING else []


def earlier_decisions(wildcards):
    """The decision of the iteration before, which repeats any earlier one."""
    before = int(wildcards.iteration) - 1
    return [embedding_file("iterations/{number}/decision.json", number=before)] if before else []


def of_all_iterations(pattern):
    """Return the paths of a pattern with {number} for every iteration."""
    return [embedding_file(pattern, number=number) for number in ITERATIONS]


def endpoint_of(name):
    """Return the endpoint of a model of the study, None when there is no name."""
    return study.models[name]["endpoint"] if name else None


WORDINGS = embedding_study.wordings(study)
WRITERS = {step: endpoint_of(name) for step, name in embedding_study.writers(EMBEDDING).items()}


def task_files(suffix):
    """Return a file per task, the target's first."""
    return [embedding_file(f"tasks/{name}.{suffix}") for name in TASK_ROLES]


def encoder_memory(factor):
    """Return a resource function: a fixed part, and `factor` times the larger model's weights."""
    sizes = [entry.get("size_gb", 0.01) for entry in ENCODERS.values()]
    return per_attempt(round(2000 + 1000 * factor * max(sizes)))


def encoder_minutes(amount):
    """Return a resource function: minutes on a GPU or for made models, twelve times as many for others on the CPU."""
    slow = not ONE_GPU and not all("make" in entry for entry in ENCODERS.values())
    return per_attempt(amount * (12 if slow else 1))

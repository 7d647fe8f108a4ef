"""Input functions of rules/singly.smk."""

from judgemerge.judge.singly import SUFFIX as SINGLY


def sides_needed(amount):
    """Return a resource function: what the judge takes for the suite itself, whose prompts are as many."""

    def resource(wildcards, attempt):
        return NEEDS.judge(wildcards.judge, wildcards.suite.removesuffix(SINGLY)).at(amount, attempt)

    return resource


def sides_items(wildcards):
    """The single responses of the pairs of one suite."""
    suite = wildcards.suite.removesuffix(SINGLY)
    names = [name for name in study.suites[suite] if study.protocol(name) == "pairwise"]
    return [results_file("items/sides/{name}.jsonl", name=name) for name in names]


def graded_pairs(wildcards):
    """The grades of the judge whose grades a derived judge compares."""
    suite = f"{study.suite_of(wildcards.benchmark)}{SINGLY}"
    judge = study.singly[wildcards.derived]
    return results_file("replies/{judge}/{suite}.jsonl", judge=judge, suite=suite)


def singly_prompts(wildcards):
    """The prompt that single responses are graded with."""
    return prompt_files({"pointwise": study.singly_prompt})


def singly_content():
    """What that prompt says, where responses are graded singly at all."""
    return prompt_contents({"pointwise": study.singly_prompt}) if study.singly else {}


def singly_texts(wildcards):
    """The raw files that this prompt takes texts from."""
    return raw_files(dict(enumerate(study.prompt_sources(study.singly_prompt))))

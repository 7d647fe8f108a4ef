"""Input functions of rules/judge.smk."""

from judgemerge.judge.baselines import BASELINES
from judgemerge.judge.recorded import deciding as deciding_of_verdicts


def recorded_spec(wildcards):
    """What the catalogue says that decides which verdicts of a recorded judge come out."""
    return deciding_of_verdicts(study.catalogues.recorded[wildcards.recorded], wildcards.benchmark)


def benchmark_is_drawn(wildcards):
    """Whether a benchmark is run on a sample of its items."""
    return study.limit(wildcards.benchmark) is not None


def recorded_digest(wildcards):
    """A digest of the code that reads one recorded judge: editing another format leaves it alone."""
    return script_digest(
        "judge/read_recorded", recorded_formats=study.catalogues.recorded[wildcards.recorded]["format"]
    )


def recorded_roles(wildcards):
    """The role that each raw file of a recorded judge plays, in the order of `recorded_files`."""
    return list(study.recorded_sources(wildcards.recorded, wildcards.benchmark))


def recorded_files(wildcards):
    """The raw files of one recorded judge on one benchmark."""
    return raw_files(study.recorded_sources(wildcards.recorded, wildcards.benchmark))


def suite_items(wildcards):
    """The benchmarks of one suite that one judge answers."""
    names = study.benchmarks_of(wildcards.judge, wildcards.suite)
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def suite_prompts(wildcards):
    """The prompt files of one judge for one suite."""
    return prompt_files(study.prompts_of(wildcards.judge, wildcards.suite))


def suite_prompt_contents(wildcards):
    """What the prompts of one judge for one suite say."""
    return prompt_contents(study.prompts_of(wildcards.judge, wildcards.suite))


def suite_prompt_texts(wildcards):
    """The raw files that one judge's prompts for one suite take texts from."""
    return prompt_texts(study.prompts_of(wildcards.judge, wildcards.suite))


def judge_replies(wildcards):
    """The replies of one judge that hold one benchmark."""
    suite = study.suite_of(wildcards.benchmark)
    return results_file("replies/{judge}/{suite}.jsonl", judge=wildcards.judge, suite=suite)


def judge_prompt(wildcards):
    """The prompt file that one benchmark's replies are parsed with."""
    return prompt_files(asked_about(wildcards))[0]


def judge_prompt_content(wildcards):
    """What that prompt says of the reply, which is all that is parsed with it."""
    return {name: said["reply"] for name, said in prompt_contents(asked_about(wildcards)).items() if "reply" in said}


def asked_about(wildcards):
    """Return protocol → the prompt that one judge is asked with about one benchmark."""
    protocol = study.protocol(wildcards.benchmark)
    return {protocol: study.prompt(wildcards.judge, protocol)}


def judge_backend(wildcards):
    """What one judge answers with, unless its manifest knows better (a quantized model, an endpoint)."""
    return study.backend(wildcards.judge)


def judge_chat(wildcards):
    """How the chat template of one judge is used."""
    return study.chat(wildcards.judge)

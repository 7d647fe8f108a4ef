"""Models → GGUF files with fewer bits per weight → what was gained and lost; and a file to serve them with."""


def quantized_model(wildcards):
    """The folder of the model that a quantization is made from."""
    return results_file("models/{name}", name=settings["quantizations"][wildcards.quantization]["model"])


def quantized_manifest(wildcards):
    """The manifest of that model."""
    return f"{quantized_model(wildcards)}.json"


def converted_model(wildcards):
    """That model as an F16 GGUF file, made once for all of its quantizations."""
    return results_file("gguf/{name}.gguf", name=settings["quantizations"][wildcards.quantization]["model"])


def quantized_parent(wildcards):
    """The name of that model."""
    return settings["quantizations"][wildcards.quantization]["model"]


def quantized_type(wildcards):
    """The type of a quantization, by llama.cpp's full name."""
    return quantizing.type_of(settings["quantizations"][wildcards.quantization]["type"])


rule convert_gguf:
    """A model in llama.cpp's format, weights in 16 bits. The converter comes from the source package of the library."""
    input:
        model="results/{study}/models/{model}",
        manifest="results/{study}/models/{model}.json",
        package=f"results/{{study}}/sources/{quantizing.CONVERTER}",
    output:
        "results/{study}/gguf/{model}.gguf",
    log:
        "results/{study}/logs/convert_gguf/{model}.log",
    benchmark:
        "results/{study}/timings/convert_gguf/{model}.tsv"
    conda:
        "../envs/quantize.yaml"
    resources:
        mem_mb=needed("mem_mb", "convert", "model"),
        runtime=needed("runtime", "convert", "model"),
    message:
        "Converting {wildcards.model} to GGUF"
    script:
        "../scripts/convert_gguf.py"


rule quantize_model:
    """A GGUF file with fewer bits per weight, with the tokenizer and chat template of the model it is made from."""
    input:
        gguf=converted_model,
        model=quantized_model,
        manifest=quantized_manifest,
    output:
        model=directory("results/{study}/models/{quantization}"),
        manifest="results/{study}/models/{quantization}.json",
    log:
        "results/{study}/logs/quantize_model/{quantization}.log",
    benchmark:
        "results/{study}/timings/quantize_model/{quantization}.tsv"
    conda:
        "../envs/quantize.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "quantize", "quantization"),
        runtime=needed("runtime", "quantize", "quantization"),
    params:
        parent=quantized_parent,
        type=quantized_type,
    message:
        "Quantizing to {params.type}: {wildcards.quantization}"
    script:
        "../scripts/quantize_model.py"


def quantization_parents():
    """Return judge → the model it is made from, for judges that are quantizations and for the models they are made from.

    A model that is not quantized is its own parent and comes first.
    """
    quantized = {
        judge: settings["quantizations"][judge]["model"] for judge in study.judges if judge in study.quantizations
    }
    plain = {judge: judge for judge in study.judges if judge in quantized.values()}
    return plain | quantized


def quantization_units():
    """Return what is compared, per benchmark that a quantization answers: its judges, and their files."""
    units = []
    for benchmark in study.benchmarks:
        judges = [judge for judge in quantization_parents() if judge in study.judges_of(benchmark)]
        if set(judges) & set(study.quantizations):
            units.append(
                {
                    "benchmark": benchmark,
                    "suite": study.suite_of(benchmark),
                    "judges": judges,
                    "items": results_file("items/{name}.jsonl", name=benchmark),
                    "verdicts": [
                        results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=benchmark) for judge in judges
                    ],
                }
            )
    return units


def quantization_timings(wildcards):
    """The timing records of the jobs that judged those benchmarks."""
    pairs = {(judge, unit["suite"]) for unit in quantization_units() for judge in unit["judges"]}
    return [
        results_file("replies/{judge}/{suite}.timing.json", judge=judge, suite=suite) for judge, suite in sorted(pairs)
    ]


def quantization_results():
    """What `rule all` asks for: table, page and figure, where a quantization is a judge."""
    if not quantization_units():
        return []
    names = (
        "tables/quantization.csv",
        "tables/quantization.html",
        "figures/quantization.svg",
        "figures/quantization.png",
    )
    return [results_file(name) for name in names]


rule compare_quantizations:
    """quantization.csv: size, bits per weight, speed, and agreement with people and with the unquantized judge."""
    input:
        item_sets=[unit["items"] for unit in quantization_units()],
        verdicts=[path for unit in quantization_units() for path in unit["verdicts"]],
        manifests=[results_file("models/{judge}.json", judge=judge) for judge in quantization_parents()],
        timings=quantization_timings,
    output:
        "results/{study}/tables/quantization.csv",
    log:
        "results/{study}/logs/compare_quantizations.log",
    benchmark:
        "results/{study}/timings/compare_quantizations.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        parents=quantization_parents(),
        units=quantization_units(),
        models="results/{study}/models",
        replies="results/{study}/replies",
        statistics=settings["statistics"],
        code=source_digest("agreement", "items"),
    message:
        "Comparing the quantizations"
    script:
        "../scripts/compare_quantizations.py"


rule render_quantizations:
    """The table of quantizations as a page of the report."""
    input:
        "results/{study}/tables/quantization.csv",
    output:
        report(
            "results/{study}/tables/quantization.html",
            caption="captions/quantization_table.rst",
            category="Tables",
            labels={"table": "Quantization"},
        ),
    log:
        "results/{study}/logs/render_quantizations.log",
    benchmark:
        "results/{study}/timings/render_quantizations.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        confidence=lookup(within=settings, dpath="statistics/confidence"),
        code=source_digest("pages", "frames"),
    message:
        "Rendering the table of quantizations"
    script:
        "../scripts/render_quantizations.py"


use rule draw_accuracy as draw_quantization with:
    input:
        table="results/{study}/tables/quantization.csv",
    output:
        svg=report(
            "results/{study}/figures/quantization.svg",
            caption="captions/quantization.rst",
            category="Figures",
            labels={"figure": "Quantization: agreement, verdicts kept, speed"},
        ),
        png="results/{study}/figures/quantization.png",
    log:
        "results/{study}/logs/draw_figure/quantization.log",
    benchmark:
        "results/{study}/timings/draw_figure/quantization.tsv"
    params:
        figure="quantization",
        kinds=judge_kinds(),
        panels=[],
        code=FIGURE_CODE,


def deployed_context(wildcards):
    """The window that a served judge needs: the longest prompt that is judged, and the longest reply."""
    replies = [load_template(study.catalogues.prompts[name]).max_new_tokens for name in study.prompts_used]
    return settings["judging"]["max_prompt_tokens"] + max(replies, default=0)


rule write_modelfile:
    """What `ollama create` needs to serve a quantization: its chat template in Go's language, temperature 0."""
    input:
        model="results/{study}/models/{quantization}",
        manifest="results/{study}/models/{quantization}.json",
    output:
        "results/{study}/deploy/{quantization}.Modelfile",
    log:
        "results/{study}/logs/write_modelfile/{quantization}.log",
    benchmark:
        "results/{study}/timings/write_modelfile/{quantization}.tsv"
    conda:
        "../envs/quantize.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        context=deployed_context,
        code=source_digest("deploying", "quantizing"),
    message:
        "Writing the Modelfile of {wildcards.quantization}"
    script:
        "../scripts/write_modelfile.py"


rule deploy:
    """The Modelfiles of all quantizations; asked for by name (`make deploy`)."""
    input:
        [results_file("deploy/{name}.Modelfile", name=name) for name in study.quantizations],


localrules:
    deploy,
    write_modelfile,
    compare_quantizations,
    render_quantizations,
    draw_quantization,

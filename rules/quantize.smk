"""Models → GGUF files with fewer bits per weight → what was gained and lost; and a file to serve them with."""


include: "inputs/quantize.smk"


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
        "../scripts/quantize/convert_gguf.py"


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
        "../scripts/quantize/quantize_model.py"


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
        code=script_digest("quantize/compare_quantizations"),
    message:
        "Comparing the quantizations"
    script:
        "../scripts/quantize/compare_quantizations.py"


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
        chat=quantization_chat,
        code=script_digest("quantize/write_modelfile"),
    message:
        "Writing the Modelfile of {wildcards.quantization}"
    script:
        "../scripts/quantize/write_modelfile.py"


rule deploy:
    """The Modelfiles of all quantizations; asked for by name (`make deploy`)."""
    input:
        [results_file("deploy/{name}.Modelfile", name=name) for name in study.quantizations],


localrules:
    deploy,
    write_modelfile,
    compare_quantizations,

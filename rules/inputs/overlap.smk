"""Input functions of rules/overlap.smk."""


def overlap_items(wildcards):
    """The item sets that are compared with each other, in the order of `study.overlap_sets`."""
    return [results_file("items/{name}.jsonl", name=name) for name in study.overlap_sets]


def overlap_notes():
    """Return why no warning is needed, by pair of sets that come from one raw file and that nothing is trained on."""
    notes = {}
    for pair in study.overlap_pairs:
        first, second = (set(study.benchmark_sources(name).values()) for name in pair)
        if first & second and pair[0] not in study.training_sets:
            notes[pair] = f"both are read from {', '.join(sorted(first & second))}"
    return notes

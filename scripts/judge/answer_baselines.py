"""Make verdicts/{baseline}/{benchmark}.jsonl: what judges that read nothing say of one benchmark."""

from judgemerge.core.items import read_items, write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge.baselines import BASELINES


def main(items: str, seed: int, verdicts: dict[str, str]) -> None:
    """Write the verdicts of each baseline, to the file given by its name, on the items that can be judged.

    Where no item has its texts, all are scored (`benchmark_arrays`), and those baselines answer that need no text.
    """
    item_set = read_items(items)
    judgeable = [item for item in item_set if item.judgeable]
    for baseline, path in verdicts.items():
        asked = judgeable or ([] if baseline == "longer" else item_set)
        write_verdicts(path, BASELINES[baseline](asked, seed))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=snakemake.input[0],
            seed=snakemake.params.seed,
            verdicts=dict(zip(snakemake.params.baselines, snakemake.output, strict=True)),
        )

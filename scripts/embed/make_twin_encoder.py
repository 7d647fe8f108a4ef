"""Make embedding/twins/{encoder}: the twin of a published encoder, as its repository lies on the hub."""

import shutil

from judgemerge.core.logs import logged
from judgemerge.synthetic import twins

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        shutil.rmtree(snakemake.output[0], ignore_errors=True)
        twins.make(snakemake.output[0], snakemake.params.twin)

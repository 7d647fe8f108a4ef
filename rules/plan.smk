"""Before and after a run: what it asks the cluster for; llama.cpp where it is needed; judges that could not judge."""

from glob import glob

from snakemake.logging import logger

from judgemerge.judge import failures
from judgemerge.study import needed_here, plan

PLAN = plan.PlanPrinter(
    NEEDS,
    plan.local_rules(
        [os.path.join(workflow.basedir, "Snakefile"), *glob(os.path.join(workflow.basedir, "rules", "*.smk"))]
    ),
    on_cluster=bool(workflow.resource_settings.nodes),
)
if workflow.is_main_process:
    logger.addHandler(PLAN)


onstart:
    # Snakemake has no public list of the jobs that it is about to run. What is read of its own classes, here and in
    # plan.of_snakemake, is that of the version which pyproject.toml pins.
    jobs = list(workflow.dag.needrun_jobs())
    # A run that would come to jobs without what they need, and end there, is stopped; where Snakemake deploys the software,
    # all is well.
    if not workflow.deployment_settings.deployment_method:
        if lacking := needed_here.lacking(
            (job.rule.name, str(env.file)) for job in jobs if (env := job.conda_env_spec)
        ):
            raise WorkflowError(f"{STUDY_FILE}: {lacking}")
    logger.removeHandler(PLAN)
    if PLAN.on_cluster:
        print(*PLAN.lines(plan.of_snakemake(jobs)), sep="\n", file=sys.stderr)


# What failed for one judge is to be judged again by the next run; until here it stood for "tried, and why not". A target
# that does not ask for the record of the run fails here.
onsuccess:
    if failed := failures.forget(f"results/{study.name}"):
        raise WorkflowError(f"some judges could not judge; mend this and start again: {'; '.join(failed)}")


onerror:
    failures.forget(f"results/{study.name}")

"""What a run asks the cluster for, printed before anything is submitted; and its jobs as a list for status and costs."""

import atexit
import importlib.util

from judgemerge.core.files import write_json
from judgemerge.judge import failures
from judgemerge.study import slurm
from judgemerge.study.resources import Asked, gpus_asked, plan_lines


def threads_asked(job):
    """Return the threads that a job's rule says, on all its nodes; a dry run itself counts on one core, and says 1."""
    threads = job.rule.resources["_cores"]
    on_a_node = (threads.evaluate(job.wildcards) if threads.is_evaluable() else threads).value
    return on_a_node * (job.resources.get("nodes") or 1)


def jobs_to_submit():
    """Return what each job asks for that would go to the queue, in the order of the plan."""
    stay = workflow._localrules  # workflow.is_local says yes to everything in a dry run
    needed_jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    jobs = [job for job in needed_jobs if job.rule.name not in stay and not job.is_norun]
    return [asked(job) for job in sorted(jobs, key=lambda job: job.jobid)]


def asked(job):
    """Return what one job asks for, and what it is thought to take."""
    need = NEEDS.of_job(job.rule.name, job.wildcards)
    known = (need.expected, need.unknown, need.checkpoint) if need else ()
    own = job.resources
    return Asked(job.rule.name, gpus_asked(own), threads_asked(job), own.runtime, own.mem_mb, *known)


def refuse_without_llama_cpp():
    """Stop a run that would come to quantized judges and end there; where Snakemake deploys the software, all is well."""
    if workflow.deployment_settings.deployment_method or importlib.util.find_spec("llama_cpp"):
        return
    jobs = workflow.dag.needrun_jobs(exclude_finished=False)
    rules = sorted({job.rule.name for job in jobs if str(job.rule.conda_env or "").endswith("quantize.yaml")})
    if rules:
        raise WorkflowError(
            f"{STUDY_FILE}: has quantizations, and {', '.join(rules)} need llama-cpp-python, which is not installed here; "
            "run `make venv-quantize` once, or start Snakemake with --sdm conda"
        )


def listed(job):
    """Return what `make status` and `make costs` want to know about one job."""
    records = workflow.persistence
    return {
        "rule": job.rule.name,
        "name": "_".join(job.wildcards),
        "to_do": workflow.dag.needrun(job),
        "begun": bool(records._filter_incomplete_keys([records._get_key(file) for file in job.output])),
        "log": next(iter(job.log), None),
        "timing": job.benchmark and str(job.benchmark),
        "threads": threads_asked(job),
        "gpus": gpus_asked(job.resources),
    }


def after_dry_run():
    """Print the plan of a dry run on a cluster or with GPUs; write the list of jobs when JUDGEMERGE_JOBS names a file."""
    if not workflow.is_main_process or not workflow.dryrun or getattr(workflow, "_dag", None) is None:
        return
    if path := os.environ.get("JUDGEMERGE_JOBS"):
        jobs = [listed(job) for job in workflow.dag.jobs if not job.is_norun]
        write_json(path, {"study": study.name, "jobs": jobs, "locked": workflow.persistence.locked})
        return
    jobs = jobs_to_submit()
    on_cluster = workflow.resource_settings.nodes
    if jobs and (on_cluster or any(job.gpus for job in jobs)):
        print(*plan_lines(jobs), sep="\n", file=sys.stderr)
    if on_cluster and slurm.controller_answers() is False:
        print(slurm.SILENT, file=sys.stderr)


# Snakemake calls no hook in a dry run; its process ends right after it.
atexit.register(after_dry_run)


onstart:
    refuse_without_llama_cpp()
    if not workflow.local_exec and (jobs := jobs_to_submit()):
        print(*plan_lines(jobs), sep="\n", file=sys.stderr)


# What failed for one judge is to be judged again by the next run; until here it stood for "tried, and why not". A target
# that does not ask for the record of the run fails here.
onsuccess:
    if failed := failures.forget(f"results/{study.name}"):
        raise WorkflowError(f"some judges could not judge; mend this and start again: {'; '.join(failed)}")


onerror:
    failures.forget(f"results/{study.name}")

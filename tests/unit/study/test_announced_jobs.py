"""The plan of a dry run, and the jobs of `make status` and `make costs`, from what Snakemake announces."""

import logging
from types import SimpleNamespace

import pytest

from judgemerge.study import plan, progress


def announce(handler, rule="train", **fields):
    """Let a handler meet the record with which Snakemake announces a job."""
    record = {"event": "job_info", "rule_name": rule, "wildcards": {"study": "s", "expert": "e"}, "log": ["a.log"]}
    record |= {"benchmark": "a.tsv", "resources": {"runtime": 60, "mem_mb": 1000}, "threads": 2, "reason": ""}
    handler.handle(logging.makeLogRecord(record | fields))


def end(handler):
    handler.handle(logging.makeLogRecord({"event": "run_info", "stats": {}}))


def printer(on_cluster=True):
    needs = SimpleNamespace(of_job=lambda rule, wildcards: None)
    return plan.PlanPrinter(needs, {"write_items"}, on_cluster)


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch):
    monkeypatch.setattr(plan.slurm, "controller_answers", lambda: None)


def test_local_rules_are_those_that_rule_files_list(tmp_path):
    text = "rule one:\n    output:\n        'a',\n\n\nlocalrules:\n    one,\n    two,\n\n\nrule two:\n    shell: ''\n"
    (tmp_path / "a.smk").write_text(text)
    assert plan.local_rules([tmp_path / "a.smk"]) == {"one", "two"}


def test_a_plan_is_printed_after_the_jobs_of_a_dry_run_and_counts_what_goes_to_the_queue(capsys):
    handler = printer()
    end(handler)
    announce(handler, resources={"runtime": 60, "mem_mb": 1000, "nodes": 2, "gpu": 4})
    announce(handler, "write_items")
    assert capsys.readouterr().err == ""
    end(handler)
    said = capsys.readouterr().err
    assert said.startswith("This plan asks for at most 4.0 GPU hours and 4.0 CPU hours in 1 jobs:")
    assert "write_items" not in said


@pytest.mark.parametrize(("gpus", "is_printed"), [(0, False), (1, True)])
def test_on_this_machine_a_plan_is_printed_for_gpus_alone(capsys, gpus, is_printed):
    handler = printer(on_cluster=False)
    announce(handler, resources={"runtime": 60, "mem_mb": 1000, "gpu": gpus})
    end(handler)
    assert ("This plan asks for" in capsys.readouterr().err) == is_printed


def test_a_silent_controller_is_named_after_the_plan(capsys, monkeypatch):
    monkeypatch.setattr(plan.slurm, "controller_answers", lambda: False)
    handler = printer()
    announce(handler)
    end(handler)
    assert capsys.readouterr().err.endswith(f"{plan.slurm.SILENT}\n")


def test_a_job_of_the_study_is_done_to_do_or_begun():
    handler = plan.JobCollector()
    announce(handler)
    announce(handler, reason="Missing output files: a")
    announce(handler, reason="Incomplete output files: a")
    job, due, begun = handler.jobs
    states = [progress.Job.of(job, announcement) for announcement in (None, due, begun)]
    assert [(state.to_do, state.begun) for state in states] == [(False, False), (True, False), (True, True)]
    assert (states[0].rule, states[0].name, states[0].log, states[0].timing) == ("train", "s_e", "a.log", "a.tsv")

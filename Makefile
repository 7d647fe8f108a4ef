# Everything a checkout can do. No environment needs to be activated.
#   CORES=4          how many cores Snakemake may use (all)
#   PYTHON=python3   the Python that makes the environment: 3.11, 3.12 or 3.13
#   VENV=.venv       where that environment is
#   WORKERS=2        how many tests run side by side
#   TORCH=auto       which build of torch it gets: auto, cpu or default
#   STUDY=<file>     the study that rehearse, status, costs, mirror, deploy, crate and export are about (config/config.yaml)
#   WHAT=<name>      what is pushed: a merge, an expert, a quantization, adapters/<expert>, cards/<merge>, export
#   TO=<user/name>   the repository of the Hugging Face hub that it goes to
#   A=<folder>       the results of the first of two runs that are compared
#   B=<folder>       those of the second
#   OF=<name>        what people are to label: a benchmark or a comparison of models
#   LABELS=<n>       how many; `label` goes on with what has been drawn without it
#   DIFFERENCE=.03   between two judges, that a study is to show
#   POWER=.8         how often it is to show that, where it is there
#   CONFIG="…"       what lies over it, as after Snakemake's --config: CONFIG="scale=tiny downloads=true"

CORES ?= all
WORKERS ?= 2
PYTHON ?= python3
VENV ?= .venv
TORCH ?= auto
STUDY ?= config/config.yaml
CONFIG ?=

# `abspath` would take a path with spaces for several.
BIN := $(if $(filter /%,$(VENV)),$(VENV),$(CURDIR)/$(VENV))/bin
# An input that was written again as it was starts nothing: checksums decide, up to 1 GB (Snakemake's own limit is 1 MB).
SNAKEMAKE := "$(BIN)/snakemake" --max-checksum-file-size 1000000000
GIVEN = $(if $(CONFIG),--config $(CONFIG))
# Files of tests go to the workers as they come, the longest first (tests/conftest.py).
PYTEST := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
REPORT := results/demo/report.html
# What only asks or checks makes no environment: it works with the one that is there, or names the command that makes one.
CHECK = @$(PYTHON) setup_env.py --venv "$(VENV)" --torch $(TORCH) --check

.PHONY: help venv venv-quantize venv-gpu venv-vllm venv-page venv-site site picture demo rehearse plan status costs label labels sample-labels mirror deploy page crate export push compare test test-all bench torture test-cluster test-small test-gpu test-conda test-vllm lint reference format lock container clean

help: ## list what make can do
	@awk -F ': ## ' '/^[a-z-]+: ## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## make the virtual environment, or do nothing when it is up to date
	@$(PYTHON) setup_env.py --venv "$(VENV)" --torch $(TORCH)

venv-quantize: ## add what makes and reads GGUF files: builds llama-cpp-python, takes a C++ compiler
	@$(PYTHON) setup_env.py --venv "$(VENV)" --torch $(TORCH) --with quantize

venv-gpu: ## add DeepSpeed and 4-bit bases, for trainings on GPUs; DeepSpeed takes the CUDA compiler, nvcc
	@$(PYTHON) setup_env.py --venv "$(VENV)" --torch $(TORCH) --with gpu

venv-vllm: ## make .venv-vllm, in which jobs judge with vLLM; on a login node TORCH=default, for the nodes' GPUs
	@$(PYTHON) setup_env.py --torch $(TORCH) --alone vllm

venv-page: ## add what `make page` needs
	@$(PYTHON) setup_env.py --venv "$(VENV)" --torch $(TORCH) --with page

venv-site: ## make .venv-site, which builds the documentation as a site: `make site` does this by itself
	@$(PYTHON) setup_env.py --alone site

site: ## build the documentation as a site of files with search; a link to nothing ends it
	@$(MAKE) --no-print-directory venv-site
	NO_MKDOCS_2_WARNING=1 .venv-site/bin/mkdocs build --strict --quiet $(ARGS)
	@echo "Open $(CURDIR)/site/index.html"

picture: ## draw the picture of README.md anew, from the study replay; CONFIG="mirror=DIR" or CONFIG="downloads=true"
	$(CHECK)
	$(SNAKEMAKE) --cores $(CORES) --rerun-incomplete --configfile config/studies/replay.yaml $(GIVEN) -- results/replay/tables/humans.csv
	"$(BIN)/python" tools/draw_picture.py --from results/replay/tables/humans.csv

demo: ## run the default study, all of it made on this machine, and write its report
	@$(MAKE) --no-print-directory venv
	$(SNAKEMAKE) --cores $(CORES) --rerun-incomplete
# The report takes seconds to write, so it is left alone while nothing it shows is newer. It is moved into place when
# complete, so that an interruption cannot leave half of one behind that looks up to date.
	@if [ ! -e $(REPORT) ] || [ -n "$$(find Snakefile rules scripts results/demo -newer $(REPORT) \
	    -type f -not -path '*/__pycache__/*' -print -quit)" ]; then \
	    $(SNAKEMAKE) --report $(REPORT:.html=.partial.html) && mv $(REPORT:.html=.partial.html) $(REPORT); \
	fi
	@sed -n '/^## /q; s/^- //p' $(dir $(REPORT))README.md | tr -d '\\'
	@echo "All of it: $(dir $(REPORT))README.md, item by item: $(dir $(REPORT))explorer.html. The report is $(CURDIR)/$(REPORT)"

rehearse: ## run all of STUDY=<file> on twins of its models: few items, few steps, no GPU (docs/rehearsing.md)
	$(CHECK)
	$(SNAKEMAKE) --cores $(CORES) --rerun-incomplete --configfile "$(STUDY)" --config scale=twins $(CONFIG)

plan: ## say before it runs what STUDY=<file> can show: items for DIFFERENCE=.03 with POWER=.8, labels for kappa, people, win rates; ARGS="--kappa .1"
	$(CHECK)
	@"$(BIN)/python" scripts/commands/plan_study.py --study "$(STUDY)" $(GIVEN) $(if $(DIFFERENCE),--difference "$(DIFFERENCE)") $(if $(POWER),--power "$(POWER)") $(ARGS)

status: ## list which jobs of STUDY=<file> are done, running (how far, how long), failed (with the log's last line) and left
	$(CHECK)
	@"$(BIN)/python" scripts/commands/show_status.py --study "$(STUDY)" $(GIVEN)

costs: ## list the CPU and GPU hours that the results of STUDY=<file> took, per rule
	$(CHECK)
	@"$(BIN)/python" scripts/commands/show_costs.py --study "$(STUDY)" $(GIVEN)

label: ## label LABELS=<n> of OF=<benchmark or comparison> blind on a web page of this machine; stop and go on at any time; ARGS="--scale 1-5"
	$(CHECK)
	@"$(BIN)/python" scripts/commands/label.py --study "$(STUDY)" $(GIVEN) --of "$(OF)" $(if $(LABELS),--labels "$(LABELS)") $(if $(DIR),--dir "$(DIR)") $(ARGS)

labels: ## say who has labelled how much of OF=<name> and how far people agree, and write it as a benchmark of your own
	$(CHECK)
	@"$(BIN)/python" scripts/commands/show_labels.py --study "$(STUDY)" $(GIVEN) --of "$(OF)" $(if $(DIR),--dir "$(DIR)") $(ARGS)

sample-labels: ## draw LABELS=<n> of OF=<benchmark or comparison> for people to label, into DIR=<folder> (labels); ARGS="--by category"
	$(CHECK)
	@"$(BIN)/python" scripts/commands/sample_labels.py --study "$(STUDY)" $(GIVEN) --of "$(OF)" --labels "$(LABELS)" $(if $(DIR),--dir "$(DIR)") $(ARGS)

mirror: ## copy the raw files of STUDY=<file> to DIR=<folder>, for machines without internet
	$(CHECK)
	"$(BIN)/python" scripts/commands/build_mirror.py --study "$(STUDY)" $(GIVEN) --dir "$(or $(DIR),.mirror)"

deploy: ## write Modelfiles for Ollama for the quantizations of STUDY=<file>
	$(CHECK) --with quantize
	$(SNAKEMAKE) --cores $(CORES) --rerun-incomplete --configfile "$(STUDY)" $(GIVEN) -- deploy

page: ## judge an item or a list, or chat, with MODEL=<folder, .gguf or address> on a web page of this machine; ARGS="--port 8502"
	@$(MAKE) --no-print-directory venv-page
	"$(BIN)/python" scripts/commands/judge_page.py --model "$(MODEL)" $(ARGS)

crate: ## pack the results of STUDY=<file> as an RO-Crate in DIR=<folder> (results/<study>/crate)
	$(CHECK)
	"$(BIN)/python" scripts/commands/pack_crate.py --study "$(STUDY)" $(GIVEN) $(if $(DIR),--dir "$(DIR)")

export: ## write results of STUDY=<file> for others into DIR=<folder> (results/<study>/export): items and verdicts as a data set, Every Eval Ever records
	$(CHECK)
	@"$(BIN)/python" scripts/commands/export_study.py --study "$(STUDY)" $(GIVEN) $(if $(DIR),--dir "$(DIR)")

push: ## put WHAT=<merge, expert, quantization, adapters/…, cards/…, export> of STUDY=<file> into TO=<user/name> of the Hugging Face hub, private; ARGS="--dry-run"
	$(CHECK)
	@"$(BIN)/python" scripts/commands/push.py --study "$(STUDY)" $(GIVEN) --what "$(WHAT)" --to "$(TO)" $(ARGS)

compare: ## compare the results of two runs, A=<folder> B=<folder>: verdicts that flipped, agreement; fails where it fell; ARGS="--allow 1% --margin .02"
	$(CHECK)
	@"$(BIN)/python" scripts/commands/compare_runs.py --a "$(A)" --b "$(B)" $(ARGS)

test: ## check style, then test every promise once, in about ten minutes; ARGS="-k merging" goes to pytest
	@$(MAKE) --no-print-directory venv
	@$(MAKE) --no-print-directory lint
	"$(BIN)/python" -m pytest $(PYTEST) -m "not long" $(ARGS)

test-all: ## check style, then run every test: also those that repeat a promise on more cases, or take minutes
	@$(MAKE) --no-print-directory venv
	@$(MAKE) --no-print-directory lint
	JUDGEMERGE_FUZZ=300 "$(BIN)/python" -m pytest $(PYTEST) $(ARGS)

bench: ## measure speed against what people use and write benchmarks/results/benchmarks.md; ARGS="--mirror DIR --only Planning"
	@$(MAKE) --no-print-directory demo
	"$(BIN)/python" benchmarks/bench.py $(ARGS)

torture: ## kill a running study at 50 seeded moments and compare what comes out; writes benchmarks/results/torture.md; ARGS="--runs 10"
	@$(MAKE) --no-print-directory venv
	"$(BIN)/python" benchmarks/torture.py $(if $(DIR),--folder "$(DIR)") --write benchmarks/results/torture.md $(ARGS)

test-cluster: ## run the workflow on a real SLURM, started on this machine for the tests and taken down again
	@$(MAKE) --no-print-directory venv
	tests/cluster/run.sh "$(BIN)/python" $(ARGS)

test-small: ## tune, merge and judge with small real weights from the package registry: the scales `small`, cut to ten items
	@$(MAKE) --no-print-directory venv
	"$(BIN)/python" -m pytest -rs tests/integration/test_small_scales.py $(ARGS)

test-gpu: ## first on a new cluster, on a node with a GPU: judge, train, merge there, in minutes; ARGS="--mirror DIR"
	$(CHECK)
	"$(BIN)/python" tests/gpu/run.py $(ARGS)

test-conda: ## run --sdm conda in every rule of a small study, with conda or, where there is none, a stand-in for it
	@$(MAKE) --no-print-directory venv
	JUDGEMERGE_CONDA=all "$(BIN)/python" -m pytest -s tests/conda $(ARGS)

test-vllm: ## judge with the real vLLM in an environment of its own, .venv-vllm, and behind a server of it; REAL=<folder of a small model>
	@$(MAKE) --no-print-directory venv
	@$(MAKE) --no-print-directory venv-vllm
	JUDGEMERGE_REAL_MODEL="$(REAL)" "$(BIN)/python" -m pytest tests/with_vllm $(ARGS)

lint: ## check the style of Python and Snakemake files
	$(CHECK)
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/snakefmt" --check Snakefile rules
	$(SNAKEMAKE) --lint
	"$(BIN)/python" tools/check_rules.py

reference: ## what follows from the settings: docs/configuration.md, config/study.schema.json
	"$(BIN)/python" tools/make_reference.py

format: ## bring Python and Snakemake files into that style
	$(CHECK)
	"$(BIN)/ruff" check --fix
	"$(BIN)/ruff" format
	"$(BIN)/snakefmt" Snakefile rules

lock: ## make requirements*.lock and envs/ from pyproject.toml; ARGS=--upgrade takes newer versions
	$(CHECK)
	"$(BIN)/python" tools/make_envs.py $(ARGS)

container: ## write containers/Dockerfile from envs/, with all environments; ARGS="stats judge" for some
	$(CHECK)
	"$(BIN)/python" tools/make_container.py $(ARGS)

clean: ## remove what the demo has made, but not the environment
	@for path in results results/demo; do if [ -L $$path ]; then \
	    echo "$$path: is a link to $$(readlink -f $$path), which may be others' too; remove results/demo by hand" >&2; exit 1; \
	fi; done
	rm -rf results/demo

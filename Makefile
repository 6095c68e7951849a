# make demo: see it work    make test: the tests    make up: Dagster's UI and daemon on loopback    make bench: speed
# make proof: planted identities, scored    make torture: it is killed, filled up and attacked

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
# processes that test side by side; much of what they do is waiting
TESTERS ?= 3

.PHONY: demo test torture torture-mapping torture-archives torture-pixels up install install-test bench proof clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[conformance,pixels]'
	touch $@

install-test: $(VENV)/.installed-test

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	tests/install-programs
	touch $@

demo: install
	$(BIN)/dicom-assets demo

test: install-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -q -rs --numprocesses $(TESTERS) --dist worksteal

# for example: make bench BENCH="--quick --only pydcm --only dicom-assets"
bench: install .venv-bench/.installed
	$(BIN)/python -m benchmarks $(BENCH)

# Identities planted in 400 invented instances, and what we and others make of them
# (for example: make proof PROOF="--seeds 20 --only dicom-assets --failures")
proof: install .venv-bench/.installed
	$(BIN)/python -m benchmarks.proof $(PROOF)

.venv-bench/.installed: pyproject.toml benchmarks/constraints.txt benchmarks/install-peers
	benchmarks/install-peers .venv-bench

up: install
	DAGSTER_HOME=$(CURDIR)/dagster_home DAGSTER_REDACT_USER_CODE_ERRORS=1 \
	    $(BIN)/dagster dev -w workspace.yaml --host 127.0.0.1 --port $(PORT)

# What was pushed to us: the worker killed 300 times, the receiver 100 times, Dagster's daemon 20 times, the disk full at 100
# points, 200 sockets that stall or drip for a minute, 1,000 studies pushed; the order of every write path
torture: install-test
	WORKER_KILLS=300 DAEMON_KILLS=20 $(BIN)/python -m pytest -q -rP --numprocesses 2 \
	    tests/torture/test_worker_kills.py tests/torture/test_daemon_kills.py
	RECEIVER_KILLS=100 $(BIN)/python -m pytest -q -s tests/torture/test_receiver_kills.py
	DISK_POINTS=100 $(BIN)/python -m pytest -q -s tests/torture/test_disk_full.py
	HOSTILE_SECONDS=60 HOSTILE_SOCKETS=200 $(BIN)/python -m pytest -q -s tests/torture/test_hostile_peers.py
	PUSHED_STUDIES=1000 $(BIN)/python -m pytest -q -s tests/torture/test_pushed_studies.py
	$(BIN)/python -m pytest -q tests/torture/test_write_order.py

# The mapping and its log: 1,000 bits flipped, a reader killed 200 times, a rotation of keys killed before each of its steps
torture-mapping: install-test
	BIT_FLIPS=1000 $(BIN)/python -m pytest -q -s tests/torture/test_bit_flips.py
	AUDIT_KILLS=200 $(BIN)/python -m pytest -q -s tests/torture/test_audited_reads.py
	ROTATION_KILLS=1000 $(BIN)/python -m pytest -q -s tests/workflow/test_rotation.py

# Text in pixels: 500 generated frames with known text and 500 without; what is found, what is boxed for nothing (an hour)
torture-pixels: install-test
	RECALL_FRAMES=1000 $(BIN)/python -m pytest -q -s tests/torture/test_text_recall.py

# What archives do and files hold: one killed twenty times while it sends, damaged DICOM streams in both directions,
# 100,000 studies planned; some hundred thousand damaged instances through the engine (an hour)
torture-archives: install-test
	ORTHANC_RESTARTS=10 $(BIN)/python -m pytest -q tests/workflow/test_orthanc_restarts.py
	STREAM_MUTANTS=3000 $(BIN)/python -m pytest -q tests/torture/test_damaged_streams.py
	STUDIES=100000 $(BIN)/python -m pytest -q -s tests/torture/test_hundred_thousand_studies.py
	MUTANTS_PER_SEED=2000 $(BIN)/python -m pytest -q tests/deid/test_engine_against_reference.py

clean:
	rm -rf $(VENV) .venv-bench build dist *.egg-info

# SPDX-License-Identifier: GPL-2.0-only
#
# Everything starts here: `make` alone lists what there is.  The work is done
# by scripts/ and testbed/; whatever is fetched or built goes to .build/.

# Variables of this make are not for the Makefiles of Xen, which would take
# them for their own.
RUN := env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u MAKELEVEL

# A python3 that is a script to find the real one (pyenv) takes longer than most of
# what it is run for, some thousand times: go by the real one.
PYTHON_DIR := $(shell python3 -c 'import os, sys; own = sys.executable; \
	print("" if os.path.samefile(sys.argv[1], own) else os.path.dirname(own))' \
	"$$(command -v python3)" 2>/dev/null)
ifneq ($(PYTHON_DIR),)
RUN += PATH="$(PYTHON_DIR):$$PATH"
endif

TOPOLOGY ?= hwdom
DIR ?= .build/mails
SECONDS ?= 600

.NOTPARALLEL:
.PHONY: help deps stubdomain tree refresh port series check-series unit fuzz build demo \
	shell scenario bench check check-all deb check-deb clean distclean

help:
	@echo 'make demo          the main job, shown: real Xen in an emulator, devices owned'
	@echo '                   by a hardware domain; installs, fetches, builds what it needs'
	@echo 'make check         the tests, each where it matters most; the last line counts them'
	@echo '                   PART=1: on real Xen without an owner, only with that part'
	@echo 'make check-all     all tests in all topologies, for twice as long'
	@echo
	@echo 'make shell         a prompt in Dom0 (TOPOLOGY=direct, loopback, hwdom, hwdom+flask)'
	@echo 'make scenario SCENARIO=FILE   run your own file there (TOPOLOGY=...)'
	@echo 'make bench         measure what it costs, in ten minutes; a table, plots'
	@echo
	@echo 'make tree          .build/tree: Xen with one git commit per patch'
	@echo 'make refresh       write commits and edits made there back to the stack'
	@echo 'make unit          the unit tests, on the tree as it is'
	@echo 'make fuzz          the fuzzers, for long (SECONDS=600 or RUNS=...); coverage'
	@echo 'make check-series  style, build and unit tests of each patch'
	@echo 'make series        mails for git send-email (DIR=.build/mails); PART=1: of that part'
	@echo 'make stubdomain    kernel and ramdisk of a Linux stubdomain, for HVM guests'
	@echo "make deb           the distribution's xen packages with the series: .build/deb"
	@echo "make check-deb     these, with the distribution's own xl and libvirt"
	@echo 'make port BASE=... move the tree to another Xen; then make refresh'
	@echo
	@echo 'make deps          install the Debian packages that all this needs'
	@echo 'make build         build what the emulator boots'
	@echo 'make clean         remove builds; make distclean: all that was fetched, too'
	@echo
	@echo 'BASE=4.17 takes that series of Xen; XEN_TREE=path a tree of your own.'
	@echo 'ARCH=arm64 with build, demo, shell, scenario, check: an emulated machine for'
	@echo 'Arm64; it takes Xen 4.21 or later (XEN_TREE=path).'

deps:
	@$(RUN) scripts/deps

tree: deps
	@$(RUN) scripts/stack apply

refresh:
	@$(RUN) scripts/stack refresh

port: deps
	@$(RUN) scripts/stack port

series: tree
	@$(RUN) scripts/stack export $(DIR) $(PART)

check-series: tree
	@$(RUN) scripts/stack check --build --tests

unit: tree
	@$(RUN) scripts/stack unit

fuzz: tree
	@$(RUN) scripts/stack fuzz $(if $(RUNS),--runs $(RUNS),--seconds $(SECONDS))

stubdomain: deps
	@$(RUN) scripts/stubdomain

build: tree
	@$(RUN) testbed/build

demo: build
	@$(RUN) testbed/run $(TOPOLOGY) testbed/demo.sh
	@echo "This was $$(cat .build/base-used)"

shell: build
	@$(RUN) testbed/shell $(TOPOLOGY)

scenario: build
	@test -n '$(SCENARIO)' || { \
		echo 'make scenario: which one?  SCENARIO=FILE' >&2; exit 1; }
	@$(RUN) testbed/run $(TOPOLOGY) $(SCENARIO)

bench: build
	@$(RUN) scripts/bench

check: tree
	@$(RUN) scripts/check $(if $(PART),--part $(PART))

check-all: tree
	@$(RUN) scripts/check --all

deb: tree
	@$(RUN) scripts/deps --for deb
	@$(RUN) scripts/deb

check-deb: deb build
	@$(RUN) scripts/check-deb

# Work in .build/tree that is not in the stack is nowhere else: it stays.
clean:
	@scripts/clean

distclean:
	@scripts/clean --all

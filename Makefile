# Kedge. `make help` lists what there is. Meson and Ninja do the work; this file is the short way to them.
SHELL = /bin/sh
BUILD ?= build
PREFIX ?= /usr/local
PYTHON = /usr/bin/python3
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: help all deps demo check check-unit check-clang check-asan check-tsan check-system check-lint check-long \
	bench bench-long fuzz install format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

deps: ## install the Debian packages that are missing
	@tools/install-deps

PROGRAMS = src/cmd/kedge src/cmd/kedge-smtpd src/cmd/kedge-deliver src/cmd/kedge-control

all: deps $(BUILD)/build.ninja ## build the programs
	@ninja -C $(BUILD) $(PROGRAMS)

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix $(PREFIX) >/dev/null

demo: all ## a signed internet on loopback, mail both ways with DANE, two attackers (ONCE=1: ends by itself)
	@lab/demo --build $(BUILD) $(if $(ONCE),--once)

check: deps ## everything that must hold before a change lands
	@tools/check

check-long: deps ## the long ones: crash rounds, fuzzing, soak
	@tools/check --long

bench: deps ## measure against Postfix and against floors, in one run
	@meson setup $(BUILD)-release --buildtype release >/dev/null 2>&1 || true
	@ninja -C $(BUILD)-release >/dev/null
	@bench/run --build $(BUILD)-release

FUZZ_SECONDS ?= 60
fuzz: deps ## drive every fuzz target for FUZZ_SECONDS each
	@tools/fuzz $(FUZZ_SECONDS)

install: all ## install (DESTDIR and PREFIX are honoured)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

format: ## lay out the C sources
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove what was built
	@rm -rf build build-*

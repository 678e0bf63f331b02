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

check-long: deps ## the long ones: crash rounds, fuzzing, rollovers real and simulated, the gate's model
	@tools/check --long

RELEASE = $(BUILD)-release
$(RELEASE)/build.ninja:
	@meson setup $(RELEASE) --buildtype release >/dev/null

bench: deps $(RELEASE)/build.ninja ## measure against Postfix and against floors, and hosting 100,000 domains
	@bench/run --build $(RELEASE)

LONG_DOMAINS ?= 1000000
bench-long: deps $(RELEASE)/build.ninja ## measure hosting LONG_DOMAINS (1,000,000) domains: hours
	@bench/hosting --build $(RELEASE) --domains $(LONG_DOMAINS)

FUZZ_SECONDS ?= 60
fuzz: deps ## drive every fuzz target for FUZZ_SECONDS each
	@tools/fuzz $(FUZZ_SECONDS)

install: all ## install (DESTDIR and PREFIX are honoured)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

format: ## lay out the C sources
	@clang-format -i $$(git ls-files '*.c' '*.h')

clean: ## remove what was built
	@rm -rf build build-*

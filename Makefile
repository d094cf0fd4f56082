# Two commands matter: `make demo` shows what Holdfast does, `make check` runs every test.
# Everything else is meson and ninja; see CONTRIBUTING.md for running one test.
export CORPUS TOOLS RUNS SCALE BENCH_DIR EXT4
BUILD   ?= build/release
prefix  ?= /usr/local
DESTDIR ?=
NINJA   ?= ninja

all: $(BUILD)/build.ninja
	@$(NINJA) --quiet -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "make: meson is missing; run tools/install-packages packages.txt" >&2; exit 1; }
	@CC=gcc meson setup --prefix=$(prefix) $(BUILD) >/dev/null || { tail -n 20 $(BUILD)/meson-logs/meson-log.txt >&2; exit 1; }

packages:
	@tools/install-packages packages.txt
packages-test:
	@tools/install-packages packages.txt packages-test.txt

demo: packages
	@$(MAKE) --no-print-directory all
	@HOLDFAST_BIN=$(abspath $(BUILD))/src/holdfast tools/demo

check: packages-test
	@tools/install-npm
	@tools/install-apart
	@tools/install-postgresql
	@tools/run-check

soak: packages-test
	@tools/install-npm
	@tools/install-apart
	@tools/install-postgresql
	@tools/run-check --soak

fuzz: packages-test
	@tools/run-check --only fuzz --fuzz-seconds $(or $(SECONDS_TOTAL),600)

# CORPUS=linux TOOLS=holdfast,restic RUNS=1 SCALE=0.1 for a quick try: bench/README.md.
bench: packages
	@tools/install-packages packages-bench.txt || echo "make bench: goes on with what is there" >&2
	@$(MAKE) --no-print-directory all
	@$(NINJA) --quiet -C $(BUILD) bench/parts bench/timed
	@/usr/bin/python3 bench/run.py

# A live PostgreSQL against pgBackRest and pg_basebackup; SCALE=0.1 RUNS=1 for a quick try.
bench-postgresql: packages
	@tools/install-packages packages-bench.txt || echo "make bench-postgresql: goes on with what is there" >&2
	@$(MAKE) --no-print-directory all
	@$(NINJA) --quiet -C $(BUILD) bench/timed
	@tools/install-postgresql pgbackrest
	@/usr/bin/python3 bench/postgresql.py

format:
	@clang-format-14 -i $$(find src test bench -name '*.[ch]')

MANDIR = $(DESTDIR)$(prefix)/share/man/man1
COMPLETIONS = $(DESTDIR)$(prefix)/share/bash-completion/completions
UNITS = $(DESTDIR)$(prefix)/lib/systemd/system
# The binary writes its own man pages and completion, from the tables it parses with.
install: all
	umask 022 && install -D -m 755 $(BUILD)/src/holdfast $(DESTDIR)$(prefix)/bin/holdfast
	umask 022 && install -d $(MANDIR) $(COMPLETIONS) && \
	$(BUILD)/src/holdfast help --man $(MANDIR) && \
	$(BUILD)/src/holdfast completion bash > $(COMPLETIONS)/holdfast
	umask 022 && install -d $(UNITS) && \
	sed 's|/usr/local/bin|$(prefix)/bin|' packaging/systemd/holdfast.service > $(UNITS)/holdfast.service

# What install put there, and nothing else; folders stay where others use them.
uninstall:
	rm -f $(DESTDIR)$(prefix)/bin/holdfast $(MANDIR)/holdfast.1 $(MANDIR)/holdfast-*.1 $(COMPLETIONS)/holdfast $(UNITS)/holdfast.service

clean:
	rm -rf build

.PHONY: all packages packages-test demo check soak fuzz bench bench-postgresql format install uninstall clean

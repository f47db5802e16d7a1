# A small front for Meson: `make` builds, `make run` answers a first question, `make test` runs every suite.
# The work itself is in scripts/; this file says only what depends on what.

PREFIX       ?= /usr/local
T            ?= 60
FUZZ_SECONDS ?= $(T)
export FUZZ_SECONDS

.PHONY: all run test checks asan asan-units tsan analyze valgrind coverage torture soak fuzz bench bench-compare install clean build-asan

# Leaves build/hob and build/hob-keeper.
all: build/build.ninja
	@ninja -C build

build/build.ninja:
	@scripts/configure build

# From a clean checkout to an answer from a real model; ONCE=1 stops after the answer.
run:
	@scripts/run

# Every suite, with warnings as errors.
test:
	@scripts/deps test
	@scripts/configure build --werror -Dtests=enabled
	@ninja -C build
	@scripts/test build

# The unit and end-to-end suites under AddressSanitizer and UndefinedBehaviorSanitizer. Warnings are no errors here: what the
# sanitizers put between the lines makes gcc warn of things that cannot be. Beside its shared AddressSanitizer gcc's other
# runtime takes no log file unless it is linked in; clang has one runtime for both.
asan: build-asan
	@scripts/test build-asan sanitized

# Of these the unit tests alone, and the fuzz targets' corpora.
asan-units: build-asan
	@scripts/test build-asan sanitized-units

build-asan: UBSAN_LINK = $(if $(findstring Free Software,$(shell cc --version)),-Dc_link_args=-static-libubsan)
build-asan:
	@scripts/deps test
	@scripts/configure build-asan -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fno-sanitize-recover=all \
		$(UBSAN_LINK) -Dhardening=false -Darena=malloc
	@ninja -C build-asan

# The same under ThreadSanitizer.
tsan:
	@scripts/deps test
	@scripts/configure build-tsan -Dtests=enabled -Db_sanitize=thread -Db_lundef=false -Dhardening=false
	@ninja -C build-tsan
	@scripts/test build-tsan sanitized

# The compilers' own analyzers; what they find and cannot be is explained in scripts/analyze.known.
analyze:
	@scripts/deps checks
	@scripts/configure build
	@ninja -C build
	@scripts/analyze build

# The unit tests under valgrind.
valgrind:
	@scripts/deps checks
	@scripts/configure build -Dtests=enabled
	@ninja -C build
	@scripts/test build valgrind

# What the suites reach: prints lines and branches, whole and of the parsers.
coverage:
	@scripts/deps checks
	@scripts/configure build-cov -Dtests=enabled -Db_coverage=true -Dhardening=false -Doptimization=0 \
		-Dc_args=-fprofile-update=atomic,-Dyyjson_inline=inline
	@ninja -C build-cov
	@scripts/test build-cov coverage; ended=$$?; scripts/coverage build-cov && exit $$ended

# All that looks for faults in another way than `make test`, with a line for each at the end. Takes hours; CHECKS="asan tsan" takes some of them.
checks:
	@scripts/checks $(CHECKS)

# The long forms of the tests that hold a figure (what `make test` does a few times, thousands of times), and the day of load in small. Both take
# hours; what they saw is appended to .hob/gates.jsonl, and scripts/doc-gates prints it. TESTS="-k NAME" takes some of them.
torture soak:
	@scripts/deps test
	@scripts/configure build -Dtests=enabled
	@ninja -C build
	@scripts/test build $@ $(TESTS)

# Each fuzz target for T seconds, starting from its corpus.
fuzz:
	@scripts/deps fuzz
	@CC=clang scripts/configure build-fuzz -Dfuzz=true -Dhardening=false -Dtests=disabled
	@ninja -C build-fuzz
	@scripts/fuzz build-fuzz

# hob beside nginx on this machine; the program is built as it is installed.
bench:
	@scripts/deps bench
	@scripts/configure build-bench -Dtests=disabled
	@ninja -C build-bench
	@python3 bench/run --build build-bench $(BENCH_ARGS)

# The last bench beside the newest kept result of a machine like this one; FILES="OLD NEW" names two others.
bench-compare:
	@python3 bench/compare --build build-bench $(FILES)

install: all
	@meson configure build -Dprefix='$(PREFIX)'
	@meson install -C build

# What was built; what was downloaded (.hob/) stays.
clean:
	@rm -rf build build-asan build-tsan build-cov build-fuzz build-bench

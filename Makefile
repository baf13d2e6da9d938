# plm - a task runtime for one machine.

## make                build plm, plmctl, plmdump, plmweb, libplm and the examples
## make demo           install missing packages, build, show a runtime at work (20 s)
## make demo-fleet     three hosts, a Redis, 10,000 tasks, two deaths (30 s)
## make install        PREFIX=/usr/local DESTDIR=; make uninstall removes the same files
## make python         the Python package in build/release/python; make wheel: for pip
## make deb            Debian packages in build/deb/; packaging/test_deb.sh tests them
## make deps | clean   install missing Debian packages | remove build/ and the programs
##
## make check          all tests, layers, tidy and bare (4 min)
## make crash          kill every operation at every step; a survivor judges (6 min)
## make explore        the whole runtime, SEEDS=15000 schedules for each scenario
## make soak           MINUTES=10 of mixed load while processes are killed
## make fleet-chaos    MINUTES=10: hosts and Redis die, stop, lose each other; a ledger
## make fuzz           SECONDS=60 of wild bytes: texts, files, segments, the door
## make asan | tsan    all tests under ASan and UBSan | the roles under ThreadSanitizer
## make faults | model   failing system calls (FAULT_SECONDS=N) | four protocols in Spin
## make mutants        apply each line of tests/sweeps/mutants; its test must notice
## make nightly        sweeps, faults, fuzz, soak, chaos, explorer: NIGHT_MINUTES=480
## make layers | tidy  who may include whom | sizes, links, language
## make format | bare  lay out the C sources | test hooks cost no instruction
## make bench | sim    plm beside peers and the machine | policies, simulated
## make experiments    matrices, map-reduce, questions to documents, measured
## make load-matrix    workers by clients, beside the physical limit: table and plots
## rare: kills (steps without a victim), crash-report and bench-report (tables of
##       docs/), pictures (of docs/watching.md), bench-peers (install the peers),
##       packaging, examples, and programs built, not run: test-programs
##       sweep-programs fuzz-programs bench-programs
##
## V=1 shows commands; CFLAGS and LDFLAGS are added to ours; BENCH_FLAGS=--quick.

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# Each variant has a tree of objects: release (the product), steps (a process can die at every
# shared step), asan (with UBSan), tsan, fuzz (asan by clang, with branch coverage), explore (the
# whole runtime in one program). Programs of release stand at the top, the rest in build/VARIANT.
VARIANT ?= release
B       := build/$(VARIANT)
OUT     := $(if $(filter release,$(VARIANT)),.,$(B))

ifeq ($(origin CC),default)
CC      := gcc
endif
WARN    := -Wall -Wextra -Wshadow -Wundef -Wpointer-arith -Wcast-qual -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Werror
CFLAGS_release := -O2 -g
CFLAGS_steps   := -O1 -g -DPLM_STEPS -DPLM_DEBUG
# Instrumented code hides ranges from the compiler, so warnings about truncation are false there.
CFLAGS_asan    := -O1 -g -DPLM_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wno-format-truncation
CFLAGS_explore := -O2 -g -DPLM_STEPS -DPLM_LOOKS -DPLM_SMALL_RINGS
CFLAGS_tsan    := -O1 -g -fsanitize=thread -Wno-tsan
# gcc gives the warnings; pointer-overflow is off for the macros of liburcu, which add 0 to NULL.
CFLAGS_fuzz    := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all \
	-fno-sanitize=pointer-overflow -fno-omit-frame-pointer -w
SANITIZE_asan  := -fsanitize=address,undefined
SANITIZE_fuzz  := -fsanitize=address,undefined,fuzzer
SANITIZE_tsan  := -fsanitize=thread

COMMON  := -std=c11 -D_GNU_SOURCE -fPIC -pthread $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
LIBS    := -lurcu-bp -lurcu-cds -lurcu-common -lhwloc -lnuma -pthread -lm

# Output is a word and a file; make V=1 shows the commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo '  $(1) $@';)
COMPILE  = $(call say,CC)$(CC) -I. -fvisibility=hidden $(COMMON)
OUTSIDE  = $(call say,CC)$(CC) -Iclient $(COMMON) # as users of libplm compile: public headers
LINK     = $(call say,LD)$(CC) $(SANITIZE_$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)
AGAIN    = $(Q)+$(MAKE) --no-print-directory

sources  = $(sort $(wildcard $(addsuffix /*.c,$(1))))
objects  = $(patsubst %.c,$(B)/%.o,$(1))

CORE    := $(call objects,$(call sources,base shm heap store spec tables events))
POLICY  := $(call objects,$(call sources,policy))
MACHINE := $(call objects,$(call sources,topology))
# plm_inspect.h names the policies, and shows the machine.
CLIENT  := $(call objects,$(call sources,client)) $(POLICY) $(MACHINE)
ROLES   := $(call objects,$(call sources,scheduler worker command)) $(POLICY)
JOURNAL := $(call objects,$(call sources,journal))
MANAGER := $(call objects,$(call sources,manager fleet))
DUMP    := $(call objects,$(call sources,dump) cli/output.c cli/worker_rows.c cli/task_row.c \
	cli/event_row.c)
CTL     := $(call objects,$(call sources,cli cli/map cli/load cli/top cli/runs cli/trace \
	cli/fleet fleet))
WEB     := $(call objects,$(call sources,web) $(addprefix fleet/,url.c sample.c tls.c \
	carry.c fleet_lua.c \
	$(addprefix engine_,call.c connect.c hear.c host.c user.c)) \
	$(addprefix cli/,event_row.c history.c leaders.c text.c output.c exit_code.c \
	work_looks.c))

.PHONY: all
all: $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump $(OUT)/plmweb $(B)/libplm.so $(B)/libplm.a \
	$(B)/libplm-fleet.so examples
	@:

.PHONY: help
help:
	@sed -n 's/^## \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# ---- objects, libraries, programs ----------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

# The functions of the engine lie within the program.
$(B)/fleet/fleet_lua.o: fleet/fleet.lua

$(B)/libplm.a: $(CORE) $(CLIENT)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(B)/libplm.so: $(CORE) $(CLIENT) client/libplm.map
	$(LINK) -shared -Wl,-soname,libplm.so.$(SOVERSION) -Wl,--version-script=client/libplm.map
	@ln -sf libplm.so $@.$(SOVERSION)

# Fleets from C: a library on top of libplm, so that libplm does not need hiredis.
FLEET   := $(call objects,$(call sources,fleet/library base) $(wildcard fleet/engine_*.c) \
	$(addprefix fleet/,url.c explain.c carry.c far.c fleet_lua.c task_class.c task_words.c \
	tls.c))

$(B)/libplm-fleet.so: $(FLEET) fleet/library/libplm-fleet.map $(B)/libplm.so
	$(LINK) -shared -Wl,-soname,libplm-fleet.so.$(SOVERSION) -Wl,-z,defs -lhiredis -lsodium \
	    -L$(B) -lplm \
	    -Wl,--version-script=fleet/library/libplm-fleet.map
	@ln -sf libplm-fleet.so $@.$(SOVERSION)

# The worker exports plm_* symbols, since loaded modules call plm_*().
EXPORT  := -Wl,--export-dynamic-symbol='plm_*'
$(OUT)/plm: $(MANAGER) $(JOURNAL) $(ROLES) $(CLIENT) $(CORE)
	$(LINK) $(EXPORT) -lsqlite3 -lhiredis -lsodium

# plmctl alone reads JSON (task files), draws in a terminal (top) and packs traces, so libplm and
# the other programs need none of these libraries.
CTL_LIBS := -ljansson -lsqlite3 -lncursesw -ltinfo -lz -lhiredis -lsodium
$(OUT)/plmctl: $(CTL) $(CLIENT) $(CORE)
	$(LINK) $(CTL_LIBS)

$(OUT)/plmdump: $(DUMP) $(CLIENT) $(CORE)
	$(LINK)

# The page is a part of the program (web/web_assets.c).
$(OUT)/plmweb: $(WEB) $(CLIENT) $(CORE)
	$(LINK) -lmicrohttpd -lsqlite3 -lhiredis -lsodium

$(B)/web/web_assets.o: $(wildcard web/page/*)

# ---- examples: modules and clients, built as users build them ------------------------------------

.PHONY: examples
examples: $(patsubst examples/mod_%.c,$(B)/examples/%.so,$(wildcard examples/mod_*.c)) \
	$(patsubst examples/client_%.c,$(B)/examples/%,$(wildcard examples/client_*.c))

$(B)/examples/%.so: examples/mod_%.c client/plm.h
	@mkdir -p $(@D)
	$(OUTSIDE) -shared -o $@ $<

$(B)/examples/%: examples/client_%.c client/plm.h client/plm_inspect.h $(B)/libplm.so
	@mkdir -p $(@D)
	$(OUTSIDE) -o $@ $< -L$(B) -lplm -Wl,-rpath,'$$ORIGIN/..'

$(B)/examples/fleet: examples/client_fleet.c client/plm_fleet.h client/plm.h \
	$(B)/libplm.so $(B)/libplm-fleet.so
	@mkdir -p $(@D)
	$(OUTSIDE) -o $@ $< -L$(B) -lplm-fleet -lplm -Wl,-rpath,'$$ORIGIN/..'

# ---- Python: the extension plm._core and the package around it -----------------------------------

# The stable interface of CPython 3.11 (abi3): one build works for all later versions. PYTHON names
# the interpreter whose headers are used, and which runs the tests: Debian's, where packages of
# Debian are installed (tools/deps.sh). Where the package cannot be built, one line says why.
PYTHON  ?= $(if $(wildcard /usr/bin/apt-get),$(or $(wildcard /usr/bin/python3),python3),python3)
PYTHON_LACKS = $(shell command -v $(PYTHON) >/dev/null && $(PYTHON) tools/python_lacks.py || \
	echo '$(PYTHON) is not there')
PYTHON_INCLUDE = $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("include"))' \
	2>/dev/null)
PY      := $(B)/python/plm
PY_CORE := $(call objects,$(call sources,python/core))
PY_FLEET := $(call objects,$(call sources,python/fleet))
PY_LIBS := $(call objects,$(call sources,worker command)) $(CLIENT) $(CORE)
PY_FILES := $(patsubst python/plm/%,$(PY)/%,$(wildcard python/plm/*.py python/plm/*.pyi \
	python/plm/py.typed python/plm/*/*.py))

.PHONY: python
python:
	$(if $(PYTHON_LACKS),@echo 'left out: the Python package: $(PYTHON_LACKS)',\
	    $(AGAIN) python-package)

.PHONY: python-package
python-package: $(PY)/_core.abi3.so $(PY)/_fleet.abi3.so $(PY_FILES)
	@:

$(PY_CORE) $(PY_FLEET): COMMON += -DPy_LIMITED_API=0x030b0000 -isystem $(PYTHON_INCLUDE)

$(PY)/_core.abi3.so: $(PY_CORE) $(PY_LIBS) python/core/core.map
	@mkdir -p $(@D)
	$(LINK) -shared -Wl,--version-script=python/core/core.map

$(PY)/_fleet.abi3.so: $(PY_FLEET) $(FLEET) $(CLIENT) $(CORE) python/fleet/fleet.map
	@mkdir -p $(@D)
	$(LINK) -shared -lhiredis -lsodium -Wl,--version-script=python/fleet/fleet.map

$(PY_FILES): $(PY)/%: python/plm/%
	@mkdir -p $(@D)
	$(call say,COPY)cp $< $@

# A wheel brings the programs along, and the libraries that are not part of the C library, so that
# it can be used where nothing is installed and nothing can be compiled. DT_RPATH, since libraries
# in the wheel load each other.
PARTS   := $(B)/wheel-parts/plm
PARTED  := $(addprefix $(PARTS)/,_core.abi3.so _fleet.abi3.so \
	$(addprefix bin/,plm plmctl plmdump))
OWN     := -Wl,--disable-new-dtags -Wl,-rpath,'$$ORIGIN
.PHONY: wheel wheel-parts
wheel-parts: $(PARTED)
	$(call say,COPY)tools/wheel_libs.sh $(PARTS)/lib $(PARTED)

$(PARTED): | $(PARTS)/bin
$(PARTS)/bin:
	@mkdir -p $@
$(PARTS)/_core.abi3.so: $(PY_CORE) $(PY_LIBS) python/core/core.map
	$(LINK) -shared -Wl,--version-script=python/core/core.map -s $(OWN)/lib'
$(PARTS)/_fleet.abi3.so: $(PY_FLEET) $(FLEET) $(CLIENT) $(CORE) python/fleet/fleet.map
	$(LINK) -shared -lhiredis -lsodium -Wl,--version-script=python/fleet/fleet.map \
	    -s $(OWN)/lib'
$(PARTS)/bin/plm: $(MANAGER) $(JOURNAL) $(ROLES) $(CLIENT) $(CORE)
	$(LINK) $(EXPORT) -lsqlite3 -lhiredis -lsodium -s $(OWN)/../lib'
$(PARTS)/bin/plmctl: $(CTL) $(CLIENT) $(CORE)
	$(LINK) $(CTL_LIBS) -s $(OWN)/../lib'
$(PARTS)/bin/plmdump: $(DUMP) $(CLIENT) $(CORE)
	$(LINK) -s $(OWN)/../lib'

# Without the network, where the interpreter has what the build needs.
wheel: deps deps-python
	$(Q)rm -rf $(B)/wheel python/build
	$(Q)alone=--no-build-isolation; \
	    $(PYTHON) -c 'import setuptools, wheel' 2>/dev/null || alone=; \
	    $(PYTHON) -m pip wheel --quiet --no-deps $$alone -w $(B)/wheel ./python
	@ls $(B)/wheel/*.whl

.PHONY: demo
demo: deps deps-python
	$(AGAIN) all python workloads
	@$(B)/examples/demo $(OUT)
	@echo 'Map-reduce: the letters of a text in a thousand chunks, beside one loop'
	@PLM_BIN=$(OUT) $(B)/workloads/words origin 1000 36000 3
	@$(if $(PYTHON_LACKS),:,PLM_BIN=$(OUT) PYTHONPATH=$(B)/python \
	    $(PYTHON) examples/python/demo.py)

.PHONY: demo-fleet
demo-fleet: deps
	$(AGAIN) VARIANT=release all
	@python3 tests/fleet/fleet_demo.py

comma   := ,

# ---- tests and kill sweeps -----------------------------------------------------------------------

TESTS   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c tests/roles/*.c tests/programs/*.c) \
	bench/test_sim.c verify/soak/test_soak.c)
REIGN   := tests/sweeps/reign.c tests/sweeps/standin.c
SWEEPS  := $(patsubst %.c,$(B)/%,$(wildcard tests/sweeps/sweep_*.c))
TEST_MODULES := $(patsubst %.c,$(B)/%.so,$(wildcard tests/support/modules/*.c))
TEST_LIB := $(call objects,$(call sources,tests/support))

.PHONY: test-programs sweep-programs
test-programs: all workloads $(TESTS) $(TEST_MODULES)
sweep-programs: $(SWEEPS)

# A test that runs a worker in the test's process exports plm_* for modules.
$(TESTS) $(SWEEPS): %: %.o $(TEST_LIB) $(ROLES) $(CLIENT) $(CORE) | $(TEST_MODULES)
	$(LINK) $(EXPORT) $(addprefix -Wl$(comma)--wrap=,$(ANSWERED)) -lcheck -lsubunit -lsqlite3 \
	    -lhiredis -lsodium -lrt -lm

$(addprefix $(B)/tests/unit/test_,runs recording): $(call objects,$(call sources,cli/runs))
$(addprefix $(B)/tests/unit/test_,runs recording): LIBS += -lz

# The test plays an event log, and the time.
$(B)/tests/unit/test_flow: $(call objects,cli/top/top_flow.c cli/top/top_runs.c cli/top/top_count.c)
$(B)/tests/unit/test_flow: ANSWERED := clock_gettime plm_connect_with plm_disconnect \
	$(addprefix plm_events_,open close read skip state_get watch unwatch)

# The test plays a machine without memory.
$(B)/tests/unit/test_untold: ANSWERED := realloc

# The test knocks at the door of a host.
$(B)/tests/programs/test_fleet_large: $(call objects,fleet/carry.c)

# Addresses and words of a fleet, without a fleet; and a fleet whose hosts the test plays.
TEST_PLAYED := $(addprefix $(B)/tests/programs/test_fleet_,blocks moves unasked)
$(addprefix $(B)/tests/,unit/test_fleet_words programs/test_fleet_engine) $(TEST_PLAYED): \
	 $(call objects,$(call sources,fleet))
$(TEST_PLAYED): $(call objects,$(call sources,tests/support/played))

# The library of fleets, and its example.
$(B)/tests/programs/test_fleet_library: $(FLEET) | $(B)/examples/fleet

# The manager and the journal take steps on shared memory, too.
$(SWEEPS): $(JOURNAL) $(filter-out %/plm_main.o,$(MANAGER))

# In sweeps of the manager forked members do nothing, and no time passes (tests/sweeps/standin.h).
PLAYED  := fork clock_gettime orphans_of orphans_unowned log_say
$(addprefix $(B)/tests/sweeps/sweep_,boot manager staff): $(call objects,$(REIGN))
$(addprefix $(B)/tests/sweeps/sweep_,manager staff): ANSWERED := $(PLAYED)
$(B)/tests/sweeps/sweep_boot: ANSWERED := $(PLAYED) getrandom loader_begin notify_say

$(TEST_MODULES): $(B)/%.so: %.c client/plm.h $(wildcard tests/support/modules/*.h)
	@mkdir -p $(@D)
	$(OUTSIDE) -shared -o $@ $<

# Tests find the programs by PLM_BIN. tools/run.sh runs several at once and keeps the logs of failed
# programs in build/VARIANT/logs.
RUN      = PLM_BIN=$(OUT) PYTHON=$(PYTHON) tools/run.sh
PYTESTS := $(wildcard tests/python/test_*.py)
WEBTESTS := $(wildcard tests/web/test_*.py)
FLEETTESTS := $(wildcard tests/fleet/test_*.py)
BARE     = COMPILE='$(CC) -I. -fvisibility=hidden $(COMMON)'

# Fuzz targets link libFuzzer; in other variants they link a main() that replays the corpus.
TARGETS := $(patsubst %.c,$(B)/%,$(wildcard verify/fuzz/fuzz_*.c))
FUZZ_LIB := $(call objects,$(addprefix verify/fuzz/,fuzz.c segment_image.c journal_file.c) \
	$(if $(filter fuzz,$(VARIANT)),,verify/fuzz/replay.c))
CLI_LIB := $(B)/verify/fuzz/libcli.a

$(CLI_LIB): $(filter-out %/plmctl.o %/plmdump.o,$(CTL) $(DUMP)) \
	$(addprefix $(B)/web/,web_guard.o web_json.o web_order.o web_query.o)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(sort $^)

.PHONY: fuzz-programs
fuzz-programs: $(TARGETS)

$(TARGETS): %: %.o $(FUZZ_LIB) $(CLI_LIB) $(JOURNAL) $(TEST_LIB) $(ROLES) $(CLIENT) \
	$(CORE)
	$(LINK) $(EXPORT) -Wl,--wrap=exit -lsqlite3 -ljansson -lz -lhiredis -lsodium -lcheck \
	    -lsubunit -lrt \
	    -lm

.PHONY: check crash crash-report kills mutants faults model explore nightly asan tsan fuzz \
	fuzz-ready soak
check: deps deps-python workload-deps
	$(Q)tools/deps.sh g++:g++ || true # without g++ the module in C++ is skipped
	$(Q)tools/web_tools.sh $(PYTHON)
	$(AGAIN) test-programs fuzz-programs python
	$(Q)$(BARE) $(RUN) $(B)/logs $(TESTS) $(TARGETS) tools/layers.sh tools/tidy.sh \
	    tools/bare.sh $(WEBTESTS) $(FLEETTESTS) \
	    $(if $(PYTHON_LACKS),,$(PYTESTS) tools/python.sh)

# Short operations are also killed at each instruction; long operations at each step alone.
SHORT   := $(basename $(shell grep -lE '\bOP."|_OP.".*false' tests/sweeps/sweep_*.c))
SWEPT   := $(SWEEPS:build/$(VARIANT)/%=build/steps/%) $(SHORT:%=build/release/%)

.PHONY: sweeps-ready
sweeps-ready:
	$(AGAIN) VARIANT=steps sweep-programs
	$(AGAIN) VARIANT=release $(SHORT:%=build/release/%)

crash: deps sweeps-ready
	$(Q)$(RUN) --show --jobs $$(nproc) build/logs/crash $(SWEPT)

kills:
	$(Q)python3 tools/steps.py kills

# MUTANTS=search tries every mutant, not only the list, and needs the logs of make crash.
MUTANTS ?= mutants
EXPLORER = build/explore/verify/explore/explore
mutants: deps
	$(AGAIN) VARIANT=steps sweep-programs
	$(AGAIN) VARIANT=explore $(EXPLORER)
	$(Q)$(if $(filter search,$(MUTANTS)),$(EXPLORER) --reached --seeds 300)
	$(Q)python3 tools/steps.py $(MUTANTS)

crash-report:
	$(Q)python3 tools/crash_report.py

# FAULT_SECONDS limits the time; without a limit each call fails at each of its uses.
faults: all
	$(Q)tools/deps.sh strace:strace
	$(Q)python3 tests/programs/faults.py $(if $(FAULT_SECONDS),--seconds $(FAULT_SECONDS)) \
	    $(if $(FAULT_SEED),--seed $(FAULT_SEED))

model:
	$(Q)tools/deps.sh spin:spin
	$(Q)CC="$(CC)" verify/models/check.sh

# The explorer is the whole runtime in one program. verify/explore/kernel.c answers its system
# calls, and every call that would leave the simulated world (--wrap). Names are looked up without
# liburcu (verify/explore/explore_names.c).
EXPLORE := $(call objects,$(call sources,verify/explore) \
	$(addprefix tests/support/,label.c mutate.c seen.c)) \
	$(filter-out $(B)/manager/plm_main.o,$(MANAGER)) $(JOURNAL) $(ROLES) \
	$(filter-out $(B)/client/names.o,$(CLIENT)) $(CORE)
INSTEAD := clock_gettime nanosleep sched_yield sched_getcpu sched_getaffinity getrusage getrandom \
	malloc calloc realloc free mmap munmap madvise posix_fallocate pthread_mutex_trylock \
	pthread_mutex_clocklock pthread_mutex_consistent pthread_mutex_unlock getpid \
	process_start_time fork exit kill waitpid waitid syscall eventfd_write close watching_add \
	watching_drop orphans_end orphans_unowned log_say check_failed record_step \
	process_bump hold_any repair_owed tell_scheduler
$(B)/verify/explore/explore: $(EXPLORE)
	$(LINK) $(EXPORT) $(addprefix -Wl$(comma)--wrap=,$(INSTEAD)) -lsqlite3 -lhiredis -lsodium

SEEDS   ?= 15000
explore: deps
	$(AGAIN) VARIANT=explore build/explore/verify/explore/explore
	$(Q)build/explore/verify/explore/explore --self-check
	$(Q)build/explore/verify/explore/explore --seeds $(SEEDS)

# libFuzzer belongs to clang, so fuzz targets have a separate tree of objects.
FUZZ_TESTS := $(addprefix build/release/tests/programs/test_,damage liar scribbler)
SECONDS ?= 60
fuzz-ready: deps
	$(Q)tools/deps.sh clang:clang
	$(Q)[ -e "$$(clang --print-file-name=libclang_rt.fuzzer-$$(uname -m).a)" ] || \
	    tools/deps.sh clang-runtime:libclang-rt-$$(clang -dumpversion | cut -d. -f1)-dev
	$(AGAIN) VARIANT=release all $(FUZZ_TESTS)
	$(AGAIN) VARIANT=fuzz CC=clang fuzz-programs

fuzz: fuzz-ready
	$(Q)PLM_BIN=. verify/fuzz/fuzz.sh $(SECONDS)

# The soak loads a runtime for minutes under every kind of fault. A test of the judge runs first
# (verify/soak/test_soak.c). MINUTES may be a fraction.
MINUTES ?= 10
SOAK    := $(B)/verify/soak/soak
JUDGE   := $(call objects,verify/soak/soak_history.c verify/soak/soak_judge.c)

$(SOAK): $(call objects,$(filter-out verify/soak/mod_%.c verify/soak/test_%.c,\
	$(call sources,verify/soak))) $(TEST_LIB) $(ROLES) \
	$(CLIENT) $(CORE) | $(B)/verify/soak/mod_soak.so
	$(LINK) $(EXPORT) -lcheck -lsubunit -lsqlite3 -lrt -lm

$(B)/verify/soak/mod_soak.so: $(call objects,\
	$(addprefix verify/soak/,mod_soak.c soak_history.c bytes.c))
	$(LINK) -shared

$(B)/verify/soak/mod_soak.o: COMMON += -Iclient
$(B)/verify/soak/test_soak: $(JUDGE)

soak: deps
	$(AGAIN) all $(SOAK) $(B)/verify/soak/test_soak
	$(Q)PLM_SOAK_MINUTES=$(MINUTES) \
	    RUN_LIMIT_S=$$(awk 'BEGIN { print int($(MINUTES) * 180 + 900) }') \
	    $(RUN) --show --jobs 1 build/logs/soak $(B)/verify/soak/test_soak $(SOAK)

# CHAOS_SEED=N repeats a run.
.PHONY: fleet-chaos
fleet-chaos: deps
	$(AGAIN) VARIANT=release all test-programs
	$(Q)python3 tests/fleet/chaos.py --minutes $(MINUTES) \
	    $(if $(CHAOS_SEED),--seed $(CHAOS_SEED))

# The night spends no time on building: all programs are built first.
NIGHT_MINUTES ?= 480
nightly: fuzz-ready sweeps-ready
	$(Q)tools/deps.sh strace:strace
	$(AGAIN) VARIANT=release all test-programs
	$(AGAIN) VARIANT=explore build/explore/verify/explore/explore
	$(Q)SWEPT='$(SWEPT)' tools/nightly.sh $(NIGHT_MINUTES)

asan: deps deps-python workload-deps
	$(AGAIN) VARIANT=asan test-programs fuzz-programs python
	$(Q)PLM_BIN=build/asan PYTHON=$(PYTHON) tools/run.sh build/asan/logs \
	    $(patsubst build/$(VARIANT)/%,build/asan/%,$(TESTS) $(TARGETS)) \
	    $(filter-out %_browser.py,$(WEBTESTS)) \
	    $(if $(PYTHON_LACKS),,tests/python/core_under_asan.sh)

# Tests with roles as threads of a process, since ThreadSanitizer does not see across processes.
TSAN_TESTS := $(addprefix build/tsan/tests/roles/,test_roles test_roles_objects)
tsan: deps
	$(AGAIN) VARIANT=tsan $(TSAN_TESTS)
	$(Q)TSAN_OPTIONS=suppressions=tests/support/tsan.supp PLM_BIN=build/tsan \
	    tools/run.sh build/tsan/logs $(TSAN_TESTS)

# tools/layers.sh also reads the symbols of the objects of the programs.
.PHONY: layers tidy
layers: $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump $(OUT)/plmweb
	@tools/layers.sh

tidy:
	@tools/tidy.sh

.PHONY: format
format:
	$(Q)git ls-files '*.[ch]' | xargs -P $$(nproc) -n 40 clang-format -i

# Compares the ordinary objects with objects from sources without test hooks.
.PHONY: bare
bare: $(CORE) $(CLIENT) $(ROLES) $(JOURNAL) $(MANAGER)
	@$(BARE) tools/bare.sh

include bench/bench.mk
include examples/workloads/workloads.mk

# ---- packages, installing, cleaning --------------------------------------------------------------

.PHONY: deps deps-python
deps:
	@tools/deps.sh

# The pictures of docs/watching.md and of the README. Playwright and a viewer of traces come from
# PyPI, into build/.
.PHONY: pictures
pictures: all
	$(Q)tools/deps.sh gnuplot:gnuplot-nox
	$(Q)$(PYTHON) tools/pictures.py

deps-python: deps
	@tools/deps.sh --python $(PYTHON)

# Completion, man pages and the systemd unit (packaging/README.md).
S       := $(B)/packaging
SHELLS  := $(addprefix $(S)/completion.,bash zsh fish)
PAGES   := $(patsubst packaging/%.in,$(S)/%,$(wildcard packaging/plm*.1.in) \
	$(if $(wildcard docs/task-files.md),packaging/plm-tasks.5.in))

.PHONY: packaging
UNITS    := $(addprefix $(S)/,plm.service plm-host.service)
packaging: $(SHELLS) $(PAGES) $(UNITS)

$(S)/interface: tools/interface.sh $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump $(OUT)/plmweb
	@mkdir -p $(@D)
	$(call say,ASK)tools/interface.sh $(OUT) > $@

$(S)/completion.%: tools/completions.sh $(S)/interface packaging/completion.%
	$(call say,GEN)tools/completions.sh $* $(S)/interface > $@

$(PAGES): $(S)/%: packaging/%.in tools/man.sh $(S)/interface $(wildcard docs/task-files.md)
	$(call say,GEN)tools/man.sh $< $(S)/interface > $@

# The units depend on PREFIX, which make does not track, so the units are made each time.
.PHONY: $(UNITS)
$(UNITS): $(S)/%: packaging/%.in
	@mkdir -p $(@D)
	$(call say,GEN)sed 's|@PREFIX@|$(PREFIX)|' $< > $@

INSTALL := install
TO      := $(DESTDIR)$(PREFIX)
BASH_TO := $(TO)/share/bash-completion/completions
ZSH_TO  := $(TO)/share/zsh/site-functions
FISH_TO := $(TO)/share/fish/vendor_completions.d
MAN_TO  := $(TO)/share/man
UNIT_TO := $(TO)/lib/systemd/user
DOC_TO  := $(TO)/share/doc/plm
PROGRAMS := plm plmctl plmdump plmweb

.PHONY: install
install: all packaging
	$(INSTALL) -d $(TO)/bin $(TO)/include $(TO)/lib/pkgconfig $(DOC_TO)/examples \
	    $(DOC_TO)/docs $(BASH_TO) $(ZSH_TO) $(FISH_TO) $(MAN_TO)/man1 $(MAN_TO)/man5 $(UNIT_TO)
	$(INSTALL) $(addprefix $(OUT)/,$(PROGRAMS)) $(TO)/bin
	$(INSTALL) -m 644 client/plm.h client/plm_inspect.h client/plm_fleet.h $(TO)/include
	$(foreach library,plm plm-fleet,$(INSTALL) $(B)/lib$(library).so \
	        $(TO)/lib/lib$(library).so.$(VERSION) && \
	    ln -sf lib$(library).so.$(VERSION) $(TO)/lib/lib$(library).so.$(SOVERSION) && \
	    ln -sf lib$(library).so.$(SOVERSION) $(TO)/lib/lib$(library).so &&) true
	$(INSTALL) -m 644 $(B)/libplm.a $(TO)/lib
	$(foreach pc,client/plm.pc fleet/library/plm-fleet.pc,sed -e 's|@PREFIX@|$(PREFIX)|' \
	    -e 's|@VERSION@|$(VERSION)|' $(pc).in > $(TO)/lib/pkgconfig/$(notdir $(pc)) &&) true
	chmod 644 $(TO)/lib/pkgconfig/plm.pc $(TO)/lib/pkgconfig/plm-fleet.pc
	$(INSTALL) -m 644 README.md LICENSE packaging/grafana-plm.json $(DOC_TO)
	$(INSTALL) -m 644 $(wildcard docs/*.md) $(DOC_TO)/docs
	$(INSTALL) -m 644 $(wildcard examples/*.c examples/tasks.* examples/*.slurm) \
	    examples/README.md $(DOC_TO)/examples
	cd examples && find python workloads -type f \( -name '*.py' -o -name '*.c' -o -name '*.h' \
	    -o -name '*.md' -o -name '*.ipynb' \) -exec \
	    $(INSTALL) -D -m 644 {} $(abspath $(DOC_TO))/examples/{} \;
	$(INSTALL) -m 644 $(filter %.1,$(PAGES)) $(MAN_TO)/man1
	$(foreach page,$(filter %.5,$(PAGES)),$(INSTALL) -m 644 $(page) $(MAN_TO)/man5)
	$(INSTALL) -m 644 $(S)/completion.bash $(BASH_TO)/plmctl
	ln -sf plmctl $(BASH_TO)/plm
	ln -sf plmctl $(BASH_TO)/plmdump
	ln -sf plmctl $(BASH_TO)/plmweb
	$(INSTALL) -m 644 $(S)/completion.zsh $(ZSH_TO)/_plmctl
	$(INSTALL) -m 644 $(S)/completion.fish $(FISH_TO)/plmctl.fish
	ln -sf plmctl.fish $(FISH_TO)/plm.fish
	ln -sf plmctl.fish $(FISH_TO)/plmdump.fish
	ln -sf plmctl.fish $(FISH_TO)/plmweb.fish
	$(INSTALL) -m 644 $(UNITS) packaging/plm-redis.service $(UNIT_TO)

# Removes files by name, and the directories that belong to plm alone.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(TO)/bin/,$(PROGRAMS)) \
	    $(addprefix $(TO)/include/,plm.h plm_inspect.h plm_fleet.h) \
	    $(addprefix $(TO)/lib/pkgconfig/,plm.pc plm-fleet.pc) \
	    $(addprefix $(TO)/lib/libplm,.a .so .so.$(SOVERSION) .so.$(VERSION) -fleet.so \
	        -fleet.so.$(SOVERSION) -fleet.so.$(VERSION)) \
	    $(addprefix $(BASH_TO)/,$(PROGRAMS)) $(ZSH_TO)/_plmctl \
	    $(addprefix $(FISH_TO)/,$(addsuffix .fish,$(PROGRAMS))) \
	    $(addprefix $(MAN_TO)/man1/,$(addsuffix .1,$(PROGRAMS))) \
	    $(MAN_TO)/man5/plm-tasks.5 \
	    $(addprefix $(UNIT_TO)/,plm.service plm-host.service plm-redis.service)
	rm -rf $(DOC_TO)

# Four Debian packages (packaging/README.md); packaging/test_deb.sh tests the packages.
DEB     := build/deb
.PHONY: deb
deb: deps
	$(Q)tools/deps.sh dpkg-shlibdeps:dpkg-dev strip:binutils
	$(Q)rm -rf $(DEB)
	$(AGAIN) VARIANT=release all packaging
	$(AGAIN) VARIANT=release install DESTDIR=$(CURDIR)/$(DEB)/root PREFIX=/usr >/dev/null
	$(Q)packaging/deb.sh $(VERSION) $(SOVERSION) $(DEB)

.PHONY: clean
clean:
	rm -rf build python/build python/plm.egg-info plm plmctl plmdump plmweb

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)

# plm - a task runtime for one machine.

## make                build plm, plmctl, plmdump, libplm and the examples
## make demo           install what is missing, build, and watch a runtime work (20 s)
## make check          install what is missing, build, run all tests, layers, tidy, bare (4 min)
## make crash          kill every operation at every step and judge what is left (8 min)
## make crash-report   what it counted, into docs/reliability.md
## make kills          is there a step that no sweep of the last make crash has killed at?
## make mutants        each rule of tests/sweeps/mutants is broken, and must be noticed (1 min)
## make faults         each system call fails at its n-th use (FAULT_SECONDS=N: a part of it)
## make explore        the runtime in one process, under SEEDS=15000 schedules a scenario (1 min)
## make model          three protocols in all their interleavings, with deaths (1 min)
## make fuzz           SECONDS=60 of wild bytes: texts, task files, journals, segments, the door
## make soak           MINUTES=10 of mixed load under a nemesis, and the judgement of what was seen
## make asan | tsan    the tests under AddressSanitizer and UBSan | under ThreadSanitizer
## make nightly        sweeps, faults, fuzz, soak, explorer: NIGHT_MINUTES=480 of seeds never seen
## make layers tidy    the rules of the tree: who may include whom; sizes, links, dead prototypes
## make format         lay the C sources out as .clang-format says
## make bare           the ordinary build has the same instructions as one without any hook (20 s)
## make bench          plm beside its peers and the limits of the machine (BENCH_FLAGS=--quick)
## make bench-peers    install the peers; bench-report: the tables and plots of docs/performance.md
## make sim            policies on simulated workers: the tables of docs/scheduling.md (20 s)
## make install        PREFIX=/usr/local DESTDIR=; programs, libplm, man pages, completion, a unit
## make uninstall      takes them away; PREFIX and DESTDIR as then
## make deps           install missing Debian packages; does nothing when all is there
## make clean          remove build/ and the three programs
##
## V=1 shows the commands; CFLAGS and LDFLAGS are added to ours; -j is welcome.

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# One tree of objects a variant: release (the product), steps (every shared step is a place to die),
# asan (with UBSan), tsan, fuzz (asan, by clang, that sees branches). The release programs stand at
# the top of the tree, others in their own.
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
# Instrumented code hides ranges from the compiler: its warnings about cut text are then false.
CFLAGS_asan    := -O1 -g -DPLM_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wno-format-truncation
CFLAGS_explore := -O2 -g -DPLM_STEPS -DPLM_LOOKS -DPLM_SMALL_RINGS
CFLAGS_tsan    := -O1 -g -fsanitize=thread -Wno-tsan
# Warnings are gcc's to give; liburcu's macros add nothing to NULL.
CFLAGS_fuzz    := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all \
	-fno-sanitize=pointer-overflow -fno-omit-frame-pointer -w
SANITIZE_asan  := -fsanitize=address,undefined
SANITIZE_fuzz  := -fsanitize=address,undefined,fuzzer
SANITIZE_tsan  := -fsanitize=thread

COMMON  := -std=c11 -D_GNU_SOURCE -fPIC -pthread $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
LIBS    := -lurcu-bp -lurcu-cds -lurcu-common -lhwloc -lnuma -pthread -lm

# One word a file; make V=1 shows the commands.
Q       := $(if $(V),,@)
say      = $(if $(V),,@echo '  $(1) $@';)
COMPILE  = $(call say,CC)$(CC) -I. -fvisibility=hidden $(COMMON)
OUTSIDE  = $(call say,CC)$(CC) -Iclient $(COMMON) # as a user of libplm compiles: plm.h alone
LINK     = $(call say,LD)$(CC) $(SANITIZE_$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)
AGAIN    = $(Q)+$(MAKE) --no-print-directory

sources  = $(sort $(wildcard $(addsuffix /*.c,$(1))))
objects  = $(patsubst %.c,$(B)/%.o,$(1))

CORE    := $(call objects,$(call sources,base shm heap store spec tables))
CLIENT  := $(call objects,$(call sources,client))
POLICY  := $(call objects,$(call sources,policy))
ROLES   := $(call objects,$(call sources,scheduler worker command)) $(POLICY)
MACHINE := $(call objects,$(call sources,topology))
JOURNAL := $(call objects,$(call sources,journal))
MANAGER := $(call objects,$(call sources,manager))
DUMP    := $(call objects,$(call sources,dump) \
	cli/output.c cli/worker_rows.c cli/view.c cli/task_row.c cli/command_text.c)
CTL     := $(call objects,$(call sources,cli cli/map cli/load))

.PHONY: all
all: $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump $(B)/libplm.so $(B)/libplm.a examples
	@:

.PHONY: help
help:
	@sed -n 's/^## \{0,1\}//p' $(firstword $(MAKEFILE_LIST))

# ---- objects, libraries, programs ----------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

$(B)/libplm.a: $(CORE) $(CLIENT)
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $^

$(B)/libplm.so: $(CORE) $(CLIENT) client/libplm.map
	$(LINK) -shared -Wl,-soname,libplm.so.$(SOVERSION) -Wl,--version-script=client/libplm.map
	@ln -sf libplm.so $@.$(SOVERSION)

# A module's plm_* calls are answered by the worker that loads it, hence the exported symbols.
EXPORT  := -Wl,--export-dynamic-symbol='plm_*'
$(OUT)/plm: $(MANAGER) $(JOURNAL) $(ROLES) $(CLIENT) $(MACHINE) $(CORE)
	$(LINK) $(EXPORT) -lsqlite3

# The JSON of task files is read by plmctl alone: libplm and the rest do without a library for it.
# Of the journal it has what reads its file.
$(OUT)/plmctl: $(CTL) $(B)/journal/history.o $(CLIENT) $(MACHINE) $(POLICY) $(CORE)
	$(LINK) -ljansson -lsqlite3

$(OUT)/plmdump: $(DUMP) $(CORE)
	$(LINK)

# ---- examples: modules and clients, built as their users build theirs ----------------------------

.PHONY: examples
examples: $(patsubst examples/mod_%.c,$(B)/examples/%.so,$(wildcard examples/mod_*.c)) \
	$(patsubst examples/client_%.c,$(B)/examples/%,$(wildcard examples/client_*.c))

$(B)/examples/%.so: examples/mod_%.c client/plm.h
	@mkdir -p $(@D)
	$(OUTSIDE) -shared -o $@ $<

$(B)/examples/%: examples/client_%.c client/plm.h $(B)/libplm.so
	@mkdir -p $(@D)
	$(OUTSIDE) -o $@ $< -L$(B) -lplm -Wl,-rpath,'$$ORIGIN/..'

.PHONY: demo
demo: deps
	$(AGAIN) all
	@$(B)/examples/demo $(OUT)

comma   := ,

# ---- tests and kill sweeps -----------------------------------------------------------------------

TESTS   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*.c tests/roles/*.c tests/programs/*.c) \
	bench/test_sim.c verify/soak/test_soak.c)
REIGN   := tests/sweeps/reign.c tests/sweeps/standin.c
SWEEPS  := $(patsubst %.c,$(B)/%,$(wildcard tests/sweeps/sweep_*.c))
TEST_MODULES := $(patsubst %.c,$(B)/%.so,$(wildcard tests/support/modules/*.c))
TEST_LIB := $(call objects,$(call sources,tests/support))

.PHONY: test-programs sweep-programs
test-programs: all $(TESTS) $(TEST_MODULES)
sweep-programs: $(SWEEPS)

# The reasons that plmctl explain gives, without plmctl.
EXPLAIN := $(addprefix $(B)/cli/,reasons.o reasons_ready.o command_text.o occupancy.o view.o \
	output.o)
$(B)/tests/unit/test_reasons: $(EXPLAIN)

# A test that runs a worker in its own process answers its modules' plm_* calls.
$(TESTS) $(SWEEPS): %: %.o $(TEST_LIB) $(ROLES) $(CLIENT) $(MACHINE) $(CORE) | $(TEST_MODULES)
	$(LINK) $(EXPORT) $(addprefix -Wl$(comma)--wrap=,$(ANSWERED)) -lcheck -lsubunit -lsqlite3 \
	    -lrt -lm

# The manager and the journal take steps on shared memory, too.
$(SWEEPS): $(JOURNAL) $(filter-out %/plm_main.o,$(MANAGER))

# In the sweeps of the manager its children do nothing and no time passes (tests/sweeps/standin.h).
PLAYED  := fork clock_gettime orphans_of orphans_unowned log_info log_warn
$(addprefix $(B)/tests/sweeps/sweep_,boot manager staff): $(call objects,$(REIGN))
$(addprefix $(B)/tests/sweeps/sweep_,manager staff): ANSWERED := $(PLAYED)
$(B)/tests/sweeps/sweep_boot: ANSWERED := $(PLAYED) getrandom loader_begin notify_say

$(TEST_MODULES): $(B)/%.so: %.c client/plm.h
	@mkdir -p $(@D)
	$(OUTSIDE) -shared -o $@ $<

# Tests find the programs by PLM_BIN. tools/run.sh runs several at once and keeps the logs of failed
# programs in build/VARIANT/logs.
RUN     := PLM_BIN=$(OUT) tools/run.sh
BARE     = COMPILE='$(CC) -I. -fvisibility=hidden $(COMMON)'

# Fuzz targets are linked with libFuzzer; in all other variants with a main() that replays the corpus.
TARGETS := $(patsubst %.c,$(B)/%,$(wildcard verify/fuzz/fuzz_*.c))
FUZZ_LIB := $(call objects,$(addprefix verify/fuzz/,fuzz.c segment_image.c journal_file.c) \
	$(if $(filter fuzz,$(VARIANT)),,verify/fuzz/replay.c))
CLI_LIB := $(B)/verify/fuzz/libcli.a

$(CLI_LIB): $(filter-out %/plmctl.o %/plmdump.o,$(CTL) $(DUMP))
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(sort $^)

.PHONY: fuzz-programs
fuzz-programs: $(TARGETS)

$(TARGETS): %: %.o $(FUZZ_LIB) $(CLI_LIB) $(JOURNAL) $(TEST_LIB) $(ROLES) $(CLIENT) $(MACHINE) \
	$(CORE)
	$(LINK) $(EXPORT) -Wl,--wrap=exit -lsqlite3 -ljansson -lcheck -lsubunit -lrt -lm

.PHONY: check crash crash-report kills mutants faults model explore nightly asan tsan fuzz \
	fuzz-ready soak
check: deps
	$(AGAIN) test-programs fuzz-programs
	$(Q)$(BARE) $(RUN) $(B)/logs $(TESTS) $(TARGETS) tools/layers.sh tools/tidy.sh \
	    tools/bare.sh

# Only short operations are killed at each machine instruction; long ones at each step alone.
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

# MUTANTS=search breaks each step instead of the list alone; it reads the logs of the last make crash.
MUTANTS ?= mutants
EXPLORER = build/explore/verify/explore/explore
mutants: deps
	$(AGAIN) VARIANT=steps sweep-programs
	$(AGAIN) VARIANT=explore $(EXPLORER)
	$(Q)$(if $(filter search,$(MUTANTS)),$(EXPLORER) --reached --seeds 300)
	$(Q)python3 tools/steps.py $(MUTANTS)

crash-report:
	$(Q)python3 tools/crash_report.py

# Ends after FAULT_SECONDS; without a limit when each system call has failed at each of its uses.
faults: all
	$(Q)tools/deps.sh strace:strace
	$(Q)python3 tests/programs/faults.py $(if $(FAULT_SECONDS),--seconds $(FAULT_SECONDS)) \
	    $(if $(FAULT_SEED),--seed $(FAULT_SEED))

model:
	$(Q)tools/deps.sh spin:spin
	$(Q)CC="$(CC)" verify/models/check.sh

# The explorer is the whole runtime in one program. verify/explore/kernel.c answers its calls to the
# kernel and all calls that would leave a schedule (--wrap); verify/explore/explore_names.c finds
# names without liburcu.
EXPLORE := $(call objects,$(call sources,verify/explore) \
	$(addprefix tests/support/,mutate.c seen.c)) \
	$(filter-out $(B)/manager/plm_main.o,$(MANAGER)) $(JOURNAL) $(ROLES) \
	$(filter-out $(B)/client/names.o,$(CLIENT)) $(MACHINE) $(CORE)
INSTEAD := clock_gettime nanosleep sched_yield sched_getcpu sched_getaffinity getrandom malloc \
	calloc realloc free mmap munmap madvise posix_fallocate pthread_mutex_trylock \
	pthread_mutex_clocklock pthread_mutex_consistent pthread_mutex_unlock getpid \
	process_start_time fork exit kill waitpid waitid syscall eventfd_write close manager_watch \
	manager_unwatch orphans_end orphans_unowned log_info log_warn check_failed record_step \
	process_bump hold_any owed_look tell_scheduler
$(B)/verify/explore/explore: $(EXPLORE)
	$(LINK) $(EXPORT) $(addprefix -Wl$(comma)--wrap=,$(INSTEAD)) -lsqlite3

SEEDS   ?= 15000
explore: deps
	$(AGAIN) VARIANT=explore build/explore/verify/explore/explore
	$(Q)build/explore/verify/explore/explore --self-check
	$(Q)build/explore/verify/explore/explore --seeds $(SEEDS)

# libFuzzer comes with clang, so the objects of fuzz targets are a separate tree.
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

# Minutes of mixed load under a nemesis. test_soak.c tests the judge of the recorded history before
# the soak runs. MINUTES may be a fraction.
MINUTES ?= 10
SOAK    := $(B)/verify/soak/soak
JUDGE   := $(call objects,verify/soak/soak_history.c verify/soak/soak_judge.c)

$(SOAK): $(call objects,$(filter-out verify/soak/mod_%.c verify/soak/test_%.c,\
	$(call sources,verify/soak))) $(TEST_LIB) $(ROLES) \
	$(CLIENT) $(MACHINE) $(CORE) | $(B)/verify/soak/mod_soak.so
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

# All programs are built before the night begins.
NIGHT_MINUTES ?= 480
nightly: fuzz-ready sweeps-ready
	$(Q)tools/deps.sh strace:strace
	$(AGAIN) VARIANT=release all
	$(AGAIN) VARIANT=explore build/explore/verify/explore/explore
	$(Q)SWEPT='$(SWEPT)' tools/nightly.sh $(NIGHT_MINUTES)

asan: deps
	$(AGAIN) VARIANT=asan test-programs fuzz-programs
	$(Q)PLM_BIN=build/asan tools/run.sh build/asan/logs \
	    $(patsubst build/$(VARIANT)/%,build/asan/%,$(TESTS) $(TARGETS))

# ThreadSanitizer sees one process, so it runs the tests whose roles are threads.
tsan: deps
	$(AGAIN) VARIANT=tsan test-programs
	$(Q)TSAN_OPTIONS=suppressions=tests/support/tsan.supp PLM_BIN=build/tsan \
	    tools/run.sh build/tsan/logs \
	    $(filter %/test_roles %/test_roles_objects,$(TESTS:build/$(VARIANT)/%=build/tsan/%))

# tools/layers.sh also reads the symbols of the programs' objects.
.PHONY: layers tidy
layers: $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump
	@tools/layers.sh

tidy:
	@tools/tidy.sh

.PHONY: format
format:
	$(Q)git ls-files '*.[ch]' | xargs -P $$(nproc) -n 40 clang-format -i

# Compares the ordinary objects with objects of a copy of the sources without any hook.
.PHONY: bare
bare: $(CORE) $(CLIENT) $(ROLES) $(JOURNAL) $(MANAGER)
	@$(BARE) tools/bare.sh

include bench/bench.mk

# ---- packages, installing, cleaning --------------------------------------------------------------

.PHONY: deps
deps:
	@tools/deps.sh

# Completion, man pages and the systemd unit (packaging/README.md).
S       := $(B)/packaging
SHELLS  := $(addprefix $(S)/completion.,bash zsh fish)
PAGES   := $(patsubst packaging/%.in,$(S)/%,$(wildcard packaging/plm*.1.in) \
	$(if $(wildcard docs/task-files.md),packaging/plm-tasks.5.in))

.PHONY: packaging
packaging: $(SHELLS) $(PAGES) $(S)/plm.service

$(S)/interface: tools/interface.sh $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump
	@mkdir -p $(@D)
	$(call say,ASK)tools/interface.sh $(OUT) > $@

$(S)/completion.%: tools/completions.sh $(S)/interface packaging/completion.%
	$(call say,GEN)tools/completions.sh $* $(S)/interface > $@

$(PAGES): $(S)/%: packaging/%.in tools/man.sh $(S)/interface $(wildcard docs/task-files.md)
	$(call say,GEN)tools/man.sh $< $(S)/interface > $@

# Where it will be found does not depend on the sources: made each time.
.PHONY: $(S)/plm.service
$(S)/plm.service: packaging/plm.service.in
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
PROGRAMS := plm plmctl plmdump

.PHONY: install
install: all packaging
	$(INSTALL) -d $(TO)/bin $(TO)/include $(TO)/lib/pkgconfig $(DOC_TO)/examples \
	    $(BASH_TO) $(ZSH_TO) $(FISH_TO) $(MAN_TO)/man1 $(MAN_TO)/man5 $(UNIT_TO)
	$(INSTALL) $(addprefix $(OUT)/,$(PROGRAMS)) $(TO)/bin
	$(INSTALL) -m 644 client/plm.h $(TO)/include
	$(INSTALL) $(B)/libplm.so $(TO)/lib/libplm.so.$(VERSION)
	ln -sf libplm.so.$(VERSION) $(TO)/lib/libplm.so.$(SOVERSION)
	ln -sf libplm.so.$(SOVERSION) $(TO)/lib/libplm.so
	$(INSTALL) -m 644 $(B)/libplm.a $(TO)/lib
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' client/plm.pc.in \
	    > $(TO)/lib/pkgconfig/plm.pc
	chmod 644 $(TO)/lib/pkgconfig/plm.pc
	$(INSTALL) -m 644 README.md LICENSE $(DOC_TO)
	$(INSTALL) -m 644 $(wildcard examples/*.c) examples/README.md $(DOC_TO)/examples
	$(INSTALL) -m 644 $(filter %.1,$(PAGES)) $(MAN_TO)/man1
	$(foreach page,$(filter %.5,$(PAGES)),$(INSTALL) -m 644 $(page) $(MAN_TO)/man5)
	$(INSTALL) -m 644 $(S)/completion.bash $(BASH_TO)/plmctl
	ln -sf plmctl $(BASH_TO)/plm
	ln -sf plmctl $(BASH_TO)/plmdump
	$(INSTALL) -m 644 $(S)/completion.zsh $(ZSH_TO)/_plmctl
	$(INSTALL) -m 644 $(S)/completion.fish $(FISH_TO)/plmctl.fish
	ln -sf plmctl.fish $(FISH_TO)/plm.fish
	ln -sf plmctl.fish $(FISH_TO)/plmdump.fish
	$(INSTALL) -m 644 $(S)/plm.service $(UNIT_TO)

# The files by name; of the directories, those that are ours alone.
.PHONY: uninstall
uninstall:
	rm -f $(addprefix $(TO)/bin/,$(PROGRAMS)) $(TO)/include/plm.h $(TO)/lib/pkgconfig/plm.pc \
	    $(addprefix $(TO)/lib/libplm,.a .so .so.$(SOVERSION) .so.$(VERSION)) \
	    $(addprefix $(BASH_TO)/,$(PROGRAMS)) $(ZSH_TO)/_plmctl \
	    $(addprefix $(FISH_TO)/,$(addsuffix .fish,$(PROGRAMS))) \
	    $(addprefix $(MAN_TO)/man1/,$(addsuffix .1,$(PROGRAMS))) \
	    $(MAN_TO)/man5/plm-tasks.5 $(UNIT_TO)/plm.service
	rm -rf $(DOC_TO)

.PHONY: clean
clean:
	rm -rf build plm plmctl plmdump

.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)

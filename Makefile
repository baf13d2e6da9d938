# plm - a task runtime for one machine.   make help

PREFIX  ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# One tree of objects a variant: release (the product), steps (every shared step is a place to die),
# asan (with UBSan), tsan.
VARIANT ?= release
B       := build/$(VARIANT)

CC      ?= gcc
# One word a file; make V=1 shows the commands.
Q       := $(if $(V),,@)
SAY      = $(if $(V),,@echo '  $(1) $@';)
WARN    := -Wall -Wextra -Wshadow -Wundef -Wpointer-arith -Wcast-qual -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Werror
CFLAGS_release := -O2 -g
CFLAGS_steps   := -O1 -g -DPLM_STEPS -DPLM_DEBUG
CFLAGS_asan    := -O1 -g -DPLM_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -fsanitize=thread -Wno-tsan
SANITIZE_asan  := -fsanitize=address,undefined
SANITIZE_tsan  := -fsanitize=thread
ALL_CFLAGS := -std=c11 -D_GNU_SOURCE -I. -fPIC -fvisibility=hidden -pthread $(WARN) \
	$(CFLAGS_$(VARIANT)) $(CFLAGS)
LIBS    := -lurcu-bp -lurcu-cds -lurcu-common -lhwloc -lnuma -pthread -ldl -lm
LINK     = $(call SAY,LD)$(CC) $(SANITIZE_$(VARIANT)) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

sources  = $(sort $(wildcard $(1)/*.c))
objects  = $(patsubst %.c,$(B)/%.o,$(1))

CORE_SRC    := $(foreach d,base shm heap store tables,$(call sources,$(d)))
CLIENT_SRC  := $(call sources,client)
ROLES_SRC   := $(call sources,scheduler) $(call sources,worker)
PLM_SRC     := $(call sources,lifecycle)
DUMP_SRC    := $(wildcard cli/plmdump.c cli/dump_*.c) cli/output.c cli/rows.c cli/view.c
CTL_SRC     := $(filter-out cli/plmdump.c cli/dump_%.c,$(call sources,cli))
TESTS       := $(patsubst tests/test_%.c,%,$(wildcard tests/test_*.c))
SWEEPS      := $(patsubst tests/sweep_%.c,%,$(wildcard tests/sweep_*.c))
BENCHES     := $(patsubst bench/bench_%.c,%,$(wildcard bench/bench_*.c))

# The release variant's programs stand at the top of the tree; the others stay in their build folder.
ifeq ($(VARIANT),release)
OUT := .
else
OUT := $(B)
endif

.PHONY: all
all: $(OUT)/plm $(OUT)/plmctl $(OUT)/plmdump $(B)/libplm.so $(B)/plm.pc modules
	@:

.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make                 build plm, plmctl, plmdump, libplm and the examples
## make demo            install what is missing, build, and watch a runtime work (20 s)
## make check           install what is missing, build, run all tests (5 min)
## make crash           kill every operation at every step and judge what is left (15 min)
## make asan | tsan     the tests under AddressSanitizer and UBSan | ThreadSanitizer
## make layers tidy     the rules of the tree: includes go down only; sizes, names, dead prototypes
## make bench           measure the machine's limits and plm beside them
## make install         PREFIX=/usr/local DESTDIR=
## make clean

# ---- objects -------------------------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

CORE   := $(call objects,$(CORE_SRC))
CLIENT := $(call objects,$(CLIENT_SRC))
ROLES  := $(call objects,$(ROLES_SRC))

$(B)/libplm.a: $(CORE) $(CLIENT)
	@rm -f $@
	$(call SAY,AR)$(AR) rcs $@ $^

$(B)/libplm.so: $(CORE) $(CLIENT) client/libplm.map
	$(call SAY,LD)$(CC) $(SANITIZE_$(VARIANT)) $(LDFLAGS) -shared -Wl,-soname,libplm.so.$(SOVERSION) \
	    -Wl,--version-script=client/libplm.map -o $@ $(filter %.o,$^) $(LIBS)
	@ln -sf libplm.so $(B)/libplm.so.$(SOVERSION)

# A module's plm_* calls are answered by the worker that loads it, hence the exported symbols.
$(OUT)/plm: $(call objects,$(PLM_SRC)) $(ROLES) $(CLIENT) $(CORE)
	$(LINK) -Wl,--export-dynamic-symbol='plm_*'

$(OUT)/plmctl: $(call objects,$(CTL_SRC)) $(CLIENT) $(CORE)
	$(LINK)

$(OUT)/plmdump: $(call objects,$(DUMP_SRC)) $(CORE)
	$(LINK)

$(B)/plm.pc: client/plm.pc.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $< > $@

.PHONY: modules
MODULES := $(patsubst examples/mod_%.c,$(B)/examples/%.so,$(wildcard examples/mod_*.c))
CLIENTS := $(patsubst examples/client_%.c,$(B)/examples/%,$(wildcard examples/client_*.c))
modules: $(MODULES) $(CLIENTS)
$(B)/examples/%.so: examples/mod_%.c client/plm.h
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -D_GNU_SOURCE -Iclient -fPIC -shared $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS) -o $@ $<
$(B)/examples/%: examples/client_%.c client/plm.h $(B)/libplm.so
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -D_GNU_SOURCE -Iclient $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS) -o $@ $< -L$(B) -lplm \
	    -Wl,-rpath,'$$ORIGIN/..' -pthread

# ---- tests ---------------------------------------------------------------------------------------

TEST_LIB := $(call objects,$(filter-out $(wildcard tests/test_*.c tests/sweep_*.c),$(wildcard tests/*.c)))
TEST_MODULES := $(patsubst tests/modules/%.c,$(B)/tests/modules/%.so,$(wildcard tests/modules/*.c))
$(B)/tests/modules/%.so: tests/modules/%.c client/plm.h
	@mkdir -p $(@D)
	$(call SAY,CC)$(CC) -std=c11 -D_GNU_SOURCE -Iclient -fPIC -shared $(WARN) $(CFLAGS_$(VARIANT)) $(CFLAGS) -o $@ $<
# A test that runs a worker in its own process answers its modules' plm_* calls.
$(B)/tests/test_%: $(B)/tests/test_%.o $(TEST_LIB) $(ROLES) $(CLIENT) $(CORE) | $(TEST_MODULES)
	$(LINK) -Wl,--export-dynamic-symbol='plm_*' -lcheck -lsubunit -lrt -lm
$(B)/tests/sweep_%: $(B)/tests/sweep_%.o $(TEST_LIB) $(ROLES) $(CLIENT) $(CORE)
	$(LINK) -lcheck -lsubunit -lrt -lm
BENCH_LIB := $(call objects,$(filter-out $(wildcard bench/bench_*.c),$(wildcard bench/*.c)))
$(B)/bench/%: $(B)/bench/bench_%.o $(BENCH_LIB) $(CLIENT) $(CORE)
	$(LINK)

.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)

# bench.mk - building, installing and running the benchmarks; included by the Makefile.

BENCHES := $(patsubst bench/bench_%.c,$(B)/bench/%,$(wildcard bench/bench_*.c))
BENCH_LIB := $(call objects,$(filter-out bench/bench_%.c bench/mod_%.c bench/sim_%.c bench/fleet_%.c bench/test_%.c,$(call sources,bench)))

$(BENCHES): $(B)/bench/%: $(B)/bench/bench_%.o $(BENCH_LIB) $(CLIENT) $(CORE)
	$(LINK)

# A fleet is measured by the verbs of its engine.
$(B)/bench/fleet: $(call objects,$(wildcard bench/fleet_*.c) $(call sources,fleet))
$(B)/bench/fleet: LIBS += -lhiredis -lsodium

# The scheduler itself, and the tables, on a stage without a runtime around them.
$(B)/bench/place $(B)/bench/locks: $(call objects,tests/support/stage.c) $(ROLES) $(MACHINE)

SIM := $(call objects,$(wildcard bench/sim_*.c) bench/measure.c) $(POLICY)
$(B)/bench/sim: $(SIM)
$(B)/bench/test_sim: $(SIM)

$(B)/bench/bench.so: bench/mod_bench.c bench/work.h client/plm.h
	@mkdir -p $(@D)
	$(OUTSIDE) -I. -shared -o $@ $<

# ---- contestants: built where the library is installed; the bench names missing ones -------------

PEERS      := $(B)/bench/peers
PEER_LIB   := $(call objects,bench/peers/peer.c)
GRAPH_LIB  := $(call objects,bench/peers/peer_graph.c)
CONTESTANTS := $(PEERS)/plm_runtime $(PEERS)/beanstalk $(PEERS)/channels $(PEERS)/graph_plm \
	$(PEERS)/graph_openmp

has = $(shell $(1) >/dev/null 2>&1 && echo yes)
ifneq ($(call has,test -f /usr/include/hiredis/hiredis.h),)
CONTESTANTS += $(PEERS)/redis_list $(PEERS)/plm_fleet
endif
ifneq ($(call has,test -f /usr/include/libgearman/gearman.h),)
CONTESTANTS += $(PEERS)/gearman
endif
ifneq ($(call has,mpicc --version),)
CONTESTANTS += $(PEERS)/graph_mpi
endif
ifneq ($(call has,pkg-config --exists starpu-1.3),)
CONTESTANTS += $(PEERS)/graph_starpu
endif

$(PEERS)/plm_runtime: $(B)/bench/peers/plm_runtime.o $(PEER_LIB) $(BENCH_LIB) $(CLIENT) $(CORE)
	$(LINK)
$(PEERS)/plm_fleet: $(B)/bench/peers/plm_fleet.o $(PEER_LIB) $(BENCH_LIB) $(CLIENT) $(CORE) \
	$(call objects,bench/fleet_world.c bench/fleet_spaces.c $(call sources,fleet))
	$(LINK) -lhiredis -lsodium
$(PEERS)/redis_list: $(B)/bench/peers/redis_list.o $(PEER_LIB)
	$(LINK) -lhiredis
$(PEERS)/gearman: $(B)/bench/peers/gearman.o $(PEER_LIB)
	$(LINK) -lgearman
$(PEERS)/beanstalk $(PEERS)/channels: %: %.o $(PEER_LIB)
	$(LINK)

$(PEERS)/graph_plm: $(B)/bench/peers/graph_plm.o $(GRAPH_LIB) $(BENCH_LIB) $(CLIENT) $(CORE)
	$(LINK)
$(PEERS)/graph_openmp: bench/peers/graph_openmp.c $(GRAPH_LIB)
	$(COMPILE) -fopenmp -o $@ $^
$(PEERS)/graph_mpi: bench/peers/graph_mpi.c $(GRAPH_LIB)
	$(COMPILE) $(shell mpicc --showme:compile 2>/dev/null | sed 's/-I/-isystem /g') \
	    -o $@ $^ $(shell mpicc --showme:link 2>/dev/null)
$(PEERS)/graph_starpu: bench/peers/graph_starpu.c $(GRAPH_LIB)
	$(COMPILE) $(shell pkg-config --cflags starpu-1.3 2>/dev/null | sed 's/-I/-isystem /g') \
	    -o $@ $^ $(shell pkg-config --libs starpu-1.3 2>/dev/null)

# ---- running -------------------------------------------------------------------------------------

.PHONY: bench bench-programs bench-peers bench-report
bench-programs: all python $(BENCHES) $(B)/bench/bench.so $(CONTESTANTS)
bench: bench-programs
	@python3 -B bench/run.py --build $(B) --plm $(OUT)/plm $(BENCH_FLAGS)

bench-peers:
	@bench/peers/install.sh

# The tables and plots of docs/performance.md, from the last run.
bench-report:
	@python3 -B bench/report.py

# The experiment of the RPC worker pool: 1 to 4 workers by 1 to 4 clients, beside the physical limit.
.PHONY: load-matrix
load-matrix: all $(B)/bench/bench.so
	$(Q)tools/deps.sh
	@python3 -B bench/load_matrix.py --plm $(OUT) --module $(B)/bench/bench.so $(LOAD_FLAGS)

# The tables of docs/scheduling.md: simulated, except the cost of a decision.
.PHONY: sim
sim: $(B)/bench/sim
	@mkdir -p build/bench
	@$< --table --csv build/bench/sim.csv
	@$< --cost --csv build/bench/sim_cost.csv
	@python3 -B bench/sim_report.py

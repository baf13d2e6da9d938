# workloads.mk - building and measuring the workloads; included by the Makefile.
#
# Each program boots a runtime for itself, and finds its module beside itself. The matrices need
# OpenBLAS (tools/deps.sh --library openblas:libopenblas-dev): without OpenBLAS they are left out,
# and one line says so.

W       := $(B)/workloads
WL      := examples/workloads
BLAS    := $(shell pkg-config --exists openblas 2>/dev/null && echo yes)
WORKLOADS := $(addprefix $(W)/,words words.so rag rag.so) $(if $(BLAS),$(W)/matrix $(W)/matrix.so)
BESIDE   = -I$(WL) $(filter %.c,$^) -L$(B) -lplm -Wl,-rpath,'$$ORIGIN/..' -lm

.PHONY: workloads workload-deps
workloads: all $(WORKLOADS)
	$(if $(BLAS),@:,@echo 'left out: the matrices: OpenBLAS is not installed (libopenblas-dev)')

workload-deps: deps-python
	$(Q)tools/deps.sh --library openblas:libopenblas-dev || true

$(WORKLOADS): client/plm.h client/plm_inspect.h $(wildcard $(WL)/*.h $(WL)/*/*.h)

$(W)/matrix.so: $(WL)/matrix/mod_matrix.c
	@mkdir -p $(@D)
	$(OUTSIDE) $(shell pkg-config --cflags openblas) -shared -o $@ $< \
	    $(shell pkg-config --libs openblas)

$(W)/matrix: $(WL)/matrix/client_matrix.c $(WL)/matrix/grid.c $(WL)/workload.c $(B)/libplm.so
	@mkdir -p $(@D)
	$(OUTSIDE) $(shell pkg-config --cflags openblas) -o $@ $(BESIDE) \
	    $(shell pkg-config --libs openblas)

$(W)/words.so: $(addprefix $(WL)/,words/mod_words.c words/table.c text.c)
	@mkdir -p $(@D)
	$(OUTSIDE) -I$(WL) -fvisibility=hidden -shared -o $@ $(filter %.c,$^)

$(W)/words: $(addprefix $(WL)/,words/client_words.c words/table.c text.c workload.c) \
	$(B)/libplm.so
	@mkdir -p $(@D)
	$(OUTSIDE) -o $@ $(BESIDE)

# Keys and values go along tokens in loops that the compiler makes into vectors at -O3.
RAG     := $(WL)/rag
$(W)/rag.so: $(addprefix $(RAG)/,mod_rag.c search.c tiny.c)
	@mkdir -p $(@D)
	$(OUTSIDE) -O3 -fvisibility=hidden -shared -o $@ $(filter %.c,$^) -lm

$(W)/rag: $(addprefix $(RAG)/,client_rag.c experiment.c answer.c tree.c predict.c session.c corpus.c \
	search.c tiny.c) $(WL)/text.c $(WL)/workload.c $(B)/libplm.so
	@mkdir -p $(@D)
	$(OUTSIDE) -O3 -o $@ $(BESIDE)

# ---- figures -------------------------------------------------------------------------------------

# Measures all workloads beside what a user would do otherwise, and writes the tables and plots of
# docs/workloads.md. EXPERIMENT_FLAGS: --quick (small sizes), --only PART, --report (no measuring).
.PHONY: experiments
experiments: workload-deps
	$(AGAIN) workloads python
	@PLM_BIN=$(OUT) PYTHON=$(PYTHON) PYTHONPATH=$(B)/python \
	    python3 -B $(WL)/experiments.py --build $(W) $(EXPERIMENT_FLAGS)

/* experiment.h - sessions of questions, without reuse, with reuse, and with each predictor. */
#ifndef RAG_EXPERIMENT_H
#define RAG_EXPERIMENT_H

#include "answer.h"
#include "session.h"

struct experiment {
	struct session_law law;
	uint32_t learned;  /* of the questions: asked earlier, known to the predictors, not run */
	uint32_t tokens;   /* of an answer */
	uint32_t think_ms; /* between an answer and the next question: somebody reads */
	bool show;         /* rows of figures */
};

/* Runs the same questions in each way; every answer must be that of the way before. */
void experiment_run(struct tree *t, const struct experiment *e);
/* The same questions with the predictor markov alone; the rows name the policy of the runtime. */
void experiment_policy(struct tree *t, const struct experiment *e, const char *policy);
/* How often each predictor names the path of the next question, and its first piece: without time,
 * so the same in each run. */
void experiment_predict(const struct corpus *c, const struct experiment *e);
/* One question many times: without a state, with the states in the store. */
void experiment_reuse(struct tree *t, uint32_t rounds, bool show);
/* Lists against the exact search: time and recall. */
void experiment_search(const struct corpus *c, uint32_t rounds, bool show);

#endif

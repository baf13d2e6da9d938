/* answer.h - one question, from its text to the last token of its answer. */
#ifndef RAG_ANSWER_H
#define RAG_ANSWER_H

#include "predict.h"
#include "tree.h"

struct answer_options {
	uint32_t hits;   /* pieces in front of the question, at most PREDICT_DEPTH */
	uint32_t probes; /* of the search; 0: exact */
	uint32_t tokens; /* of the answer */
	uint32_t kills;  /* workers to kill while the answer is generated */
	bool reuse;      /* false: all states anew, in one task */
	/* Gets each token as soon as it is there; false: the client leaves, and the tasks of the
	 * answer are cancelled. NULL: nobody watches. */
	bool (*token)(char token, void *context);
	void *context;
};

struct answer {
	struct path path;
	double first_s, all_s; /* until the first token, and until the last */
	uint32_t tokens;
};

/* text: room for options->tokens + 1 bytes. */
void answer_question(struct tree *t, const char *question, const struct answer_options *options,
    struct answer *ret, char *text);
/* The same answer by one loop of this process, without a runtime's help: for comparison. */
void answer_here(const struct tree *t, const char *question, const struct path *path,
    uint32_t tokens, char *text);

#endif

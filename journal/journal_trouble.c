#include "journal/journal_trouble.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/why.h"
#include "journal/journal.h"

void journal_say_trouble(struct journal *j, int error)
{
	struct journal_shm *shm = j->shm;
	if (sh_peek(&shm->trouble) == 0)
		log_warn("%s; tasks accepted from now on are not durable until the journal can "
			 "write again",
		    why_text());
	snprintf(shm->trouble_text, sizeof shm->trouble_text, "%s", why_text());
	sh_store(&shm->trouble, (uint32_t)-error);
	sh_add(&shm->failures, 1);
	event_post(&shm->written);
}

void journal_give_up(struct journal *j)
{
	log_warn("the journal is damaged: %s", why_text());
	sh_store(&j->shm->trouble, EUCLEAN);
	exit(1);
}

void journal_say_written(struct journal *j)
{
	struct journal_shm *shm = j->shm;
	if (sh_peek(&shm->trouble))
		log_info("the journal can be written again: nothing was lost");
	sh_store(&shm->trouble, 0);
	sh_add(&shm->groups, 1);
	sh_add(&shm->accepted, j->group.accepted);
	sh_add(&shm->ended, j->group.ended);
	event_post(&shm->written);
}

/* task.pml - the life of one task (tables/record.h): submitted, claimed, run, committed, retried,
 * cancelled, while the submitter, two workers and the scheduler may die at any step.
 *
 * The model has a variable for each field of the state word; one CAS changes several fields at once
 * (record_step()). Every hint says the same, so the model counts the hints of a ring. A dead worker
 * is replaced.
 *
 * In each end state an accepted task is settled, was committed at most once, has the value of the
 * committed attempt, and a cancelled task is cancelled. At each step only the owner of the record
 * writes the value, and the task runs no more often than the budgets allow.
 *
 * Each mutation breaks a rule, and the exploration must find an error: NO_FENCE (the manager
 * declares a slow worker dead), BLIND_COMMIT (the commit ignores owner and attempt), HINT_FIRST
 * (the hint comes before the publication), EARLY_FREE (the process slot is free before the task of
 * the dead worker is settled or queued), NO_SCAN (a new scheduler relies on hints), KEEP_VALUE
 * (the value of a dead attempt stays). */
#define WORKERS 2

#ifndef DEATHS
#define DEATHS 2
#endif
#define RING 2
#define RETRIES 1       /* of the function */
#define CRASH_RETRIES 1

mtype = { RESERVED, READY, RUNNING, DONE, FAILED, CANCELLED };

mtype state = RESERVED;  /* the word */
byte owner;              /* 1 + worker; 0: no owner */
byte attempt;
bool cancel;             /* FLAG_CANCEL */

byte value;              /* the attempt that wrote the value; 0: no value */
byte failures;
byte commits, runs, cancelled;
bool accepted;           /* the task is published, so plm_submit() may return */

byte told;               /* hints to the scheduler */
byte hint[WORKERS];      /* hints in the ring of the worker */
bool up[WORKERS];        /* the worker lives */
bool gone[WORKERS];      /* the worker is dead, as the kernel knows */
bool dead[WORKERS];      /* the manager has marked the process slot DEAD */
bool submitter_dead;
byte deaths;

#define SETTLED (state == DONE || state == FAILED || state == CANCELLED)
#define MAY_DIE if :: atomic { deaths < DEATHS -> deaths++ }; goto killed :: true fi

proctype submitter() /* client/submit.c */
{
#ifdef HINT_FIRST
	told++;
	MAY_DIE;
#endif
	atomic { state = READY; accepted = true } /* submit_publish(): one CAS */
	MAY_DIE;
#ifndef HINT_FIRST
	told++;
	MAY_DIE;
#endif
	goto end;
killed:
	submitter_dead = true;
end:
	skip
}

proctype canceller() /* tables/record.c:record_cancel() */
{
	if
	:: true /* no client cancels */
	:: accepted ->
		atomic {
			if
			:: state == READY -> state = CANCELLED; cancelled = 1
			:: state == RUNNING -> cancel = true; cancelled = 1
			:: else
			fi
		}
	fi
}

proctype worker(byte w) /* worker/run_task.c:worker_run_record() */
{
	byte mine;
begin:
	atomic { !gone[w] && !dead[w] -> up[w] = true }
end:	do
	:: hint[w] > 0 ->
		MAY_DIE;
		atomic { /* the claim: READY -> RUNNING */
			if
			:: state == READY ->
				state = RUNNING; owner = 1 + w; attempt++; cancel = false;
				mine = attempt
			:: else -> mine = 0
			fi
		}
		MAY_DIE;
		if
		:: mine == 0
		:: else ->
			assert(runs < 1 + RETRIES + CRASH_RETRIES);
			runs++;
			MAY_DIE;
			assert(state == RUNNING && owner == 1 + w && attempt == mine);
			value = mine;
			MAY_DIE;
			if
			:: true -> goto commit
			:: true -> goto fail
			fi;
commit:
			atomic {
#ifdef BLIND_COMMIT
				if
				:: state == RUNNING || state == READY ->
#else
				if
				:: state == RUNNING && owner == 1 + w && attempt == mine && cancel ->
					state = CANCELLED; value = 0
				:: state == RUNNING && owner == 1 + w && attempt == mine && !cancel ->
#endif
					commits++; state = DONE; assert(value == mine)
				:: else
				fi
			}
			goto over;
fail:                   /* worker/run_task.c:run_task_commit_failure() */
			if
			:: failures < RETRIES ->
				value = 0;
				MAY_DIE;
				failures++;
				MAY_DIE;
				atomic {
					if
					:: cancel -> state = CANCELLED
					:: else -> state = READY; told++
					fi
				}
			:: else ->
				value = 0;
				MAY_DIE;
				atomic {
					if
					:: cancel -> state = CANCELLED
					:: else -> state = FAILED
					fi
				}
			fi;
over:
			MAY_DIE
		fi;
		atomic { hint[w]--; mine = 0 } /* ring_done(): only after the work for the hint */
	od;
killed:
	atomic { up[w] = false; gone[w] = true; mine = 0 }
	goto begin
}

/* manager/members.c: a process is DEAD only when the kernel has reported the death. */
proctype manager()
{
end:	do
	:: atomic { gone[0] && !dead[0] -> dead[0] = true; gone[0] = false }
	:: atomic { gone[1] && !dead[1] -> dead[1] = true; gone[1] = false }
#ifdef NO_FENCE
	:: atomic { deaths < DEATHS && up[0] -> deaths++; dead[0] = true }
#endif
	od
}

inline place() /* scheduler/ready.c:ready_add(): a READY task goes into the task heap */
{
	queued = queued || state == READY
}

inline end_attempt(w) /* scheduler/repair.c:repair_end_attempt() */
{
	if
	:: state == RUNNING && owner == 1 + w ->
#ifndef KEEP_VALUE
		value = 0;
#endif
		MAY_DIE;
		atomic {
			if
			:: cancel -> state = CANCELLED
			:: !cancel && attempt - failures <= CRASH_RETRIES -> state = READY
			:: else -> state = FAILED
			fi
		}
	:: else
	fi
}

proctype scheduler()
{
	byte w;
	bool queued; /* the task is in the task heap */
begin:
#ifndef NO_SCAN
	place(); /* scheduler_rebuild(): queues each READY task, with or without a hint */
#endif
end:	do
	:: queued && up[0] && !dead[0] && hint[0] < RING -> hint[0]++; queued = false
	:: queued && up[1] && !dead[1] && hint[1] < RING -> hint[1]++; queued = false
	:: told > 0 ->
		place();
		MAY_DIE;
		told--;
		MAY_DIE
	:: submitter_dead ->
		place(); /* repair_record(): the submitter may have died before the hint */
		submitter_dead = false
	:: dead[0] || dead[1] ->
		if
		:: dead[0] -> w = 0
		:: dead[1] -> w = 1
		fi;
#ifdef EARLY_FREE
		dead[w] = false;
		MAY_DIE;
#endif
		end_attempt(w);
		MAY_DIE;
		hint[w] = 0;
		place();
		MAY_DIE;
		dead[w] = false /* last: until now the next scheduler finds the process slot DEAD */
	od;
killed:
	queued = false;
	goto begin
}

proctype judge()
{
end:	do
	:: timeout ->
		assert(!accepted || SETTLED);
		assert(commits <= 1);
		assert(state != DONE || (commits == 1 && value > 0));
		assert(state == DONE || value == 0);
		assert(!cancelled || state == CANCELLED);
		break
	od
}

init
{
	atomic {
		run manager(); run scheduler(); run worker(0); run worker(1);
		run submitter(); run canceller(); run judge()
	}
}

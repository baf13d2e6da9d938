/* task.pml - the life of one task (tables/record.h): submitted, claimed, run, committed, retried,
 * cancelled, while its submitter, two workers and the scheduler may die anywhere.
 *
 * The state word is one variable for each of its fields, moved by one CAS (record_step()). A hint
 * says "look", so a ring is how many it holds. Workers that die come again.
 *
 * Known when it ends: the task is settled; one commit; the value is that of the attempt that
 * committed; nobody wrote it but the owner that the word names; no more runs than the budgets allow.
 *
 * Mutations, each of which must be found: NO_FENCE (a slow worker is taken for dead), BLIND_COMMIT
 * (a commit that does not look at owner and attempt), HINT_FIRST (told before it is published),
 * EARLY_FREE (the slot of the dead is free before its task is dealt with), NO_SCAN (a new scheduler
 * relies on hints), KEEP_VALUE (a dead attempt's value stays). */
#define WORKERS 2

#ifndef DEATHS
#define DEATHS 2
#endif
#define RING 2
#define RETRIES 1       /* of the function */
#define CRASH_RETRIES 1

mtype = { RESERVED, READY, RUNNING, DONE, FAILED, CANCELLED };

mtype state = RESERVED;  /* the word */
byte owner;              /* 1 + worker; 0 nobody */
byte attempt;
bool cancel;             /* FLAG_CANCEL */

byte value;              /* the attempt whose bytes lie there; 0 none */
byte failures;
byte commits, runs, cancelled;
bool accepted;           /* plm_submit() would have returned */

byte told;               /* hints to the scheduler */
byte hint[WORKERS];      /* hints before the worker */
bool up[WORKERS];        /* it lives */
bool gone[WORKERS];      /* the kernel knows that it does not */
bool dead[WORKERS];      /* the manager has said so */
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
	atomic { state = READY; accepted = true } /* publish(): one CAS */
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

proctype canceller() /* client/outcome.c: record_cancel() */
{
	if
	:: true /* nobody cancels */
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

proctype worker(byte w) /* worker/run_task.c */
{
	byte mine;
begin:
	atomic { !gone[w] && !dead[w] -> up[w] = true }
end:	do
	:: hint[w] > 0 ->
		MAY_DIE;
		atomic { /* claim(): READY -> RUNNING */
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
		atomic { hint[w]--; mine = 0 } /* taken off only when it is dealt with */
	od;
killed:
	atomic { up[w] = false; gone[w] = true; mine = 0 }
	goto begin
}

/* manager/members.c: what the kernel says, and only that. */
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

inline place() /* scheduler/place.c: into the heap, if it is READY */
{
	queued = queued || state == READY
}

inline end_attempt(w) /* scheduler/repair.c */
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
	bool queued; /* the heap */
begin:
#ifndef NO_SCAN
	place(); /* scheduler_rebuild(): what is READY is queued, whoever was told of it */
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
		place(); /* repair_record(): published, the hint never sent */
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
		dead[w] = false /* the last line: until then a successor finds it DEAD */
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

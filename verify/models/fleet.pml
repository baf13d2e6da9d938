/* fleet.pml - a task of a fleet (fleet/fleet.lua, fleet/bridge.h): claimed, run, committed, taken
 * over, while hosts die, freeze, and lose the engine, and answers of the engine get lost.
 *
 * Each verb of the engine is one atomic step. Time is left out: a lease may end as soon as its host
 * is dead, frozen, or has fenced itself: the margins of the bridge make that true. A frozen host goes
 * on later, and is stale until the next look at the clock.
 *
 * In each end state the accepted task is settled, was committed at most once, and has the value of
 * the committed attempt. The task begins no more often than its budget allows, and never while
 * another host runs the task, unless that host is dead, frozen or stale.
 *
 * Each mutation breaks a rule, and the exploration must find an error: BLIND_COMMIT (a commit
 * ignores owner and attempt), NO_FENCE (a host cut off from the engine goes on), FORGET_CLAIM (a
 * claim is not returned when its answer was lost), FREE_RETRY (a take-over spends no crash retry),
 * TWO_STEPS (a take-over makes the task ready before the old owner is gone), NO_NUMBER (a task that
 * was given unasked is begun although a look at the claims has given the task back meanwhile),
 * FORGET_PUSH (nobody looks whether a task got lost on its way), NO_GUARD (a bridge that is stuck
 * while its host runs on is not killed before its lease), LATE_CLAIM (a claim that waited in a
 * stopped engine until the lease was over is answered). */
#define HOSTS 2

#ifndef DEATHS
#define DEATHS 2
#endif
#define CUTS 1
#define FREEZES 1
#define CRASH_RETRIES 1
#define PUSHES 2

mtype = { READY, RUNNING, DONE, FAILED };

/* ---- the engine ---- */
mtype state = READY;
byte owner;              /* 1 + host; 0: none */
byte attempt;
byte crash_retries = CRASH_RETRIES;
byte value, commits;
bool member[HOSTS];      /* the engine knows the member */

/* ---- the hosts ---- */
bool dead[HOSTS], frozen[HOSTS], stale[HOSTS], cut[HOSTS], fenced[HOSTS];
bool runs[HOSTS];        /* the task runs on the host */
bool stuck[HOSTS];       /* the bridge does nothing; its tasks run */
bool lost[HOSTS];        /* the answer to a claim did not arrive */
bool idle[HOSTS];        /* the engine may give the task unasked */
byte flies[HOSTS];       /* an attempt on its way to the host; 0: none */
byte number[HOSTS], ignored[HOSTS]; /* of the last message; of those that are void */
bool missed[HOSTS];      /* a message was lost */
byte begun, deaths, cuts, freezes, pushes;

#define AWAKE(h) (!dead[h] && !frozen[h] && !stuck[h])
#define RELIABLE(h) (!dead[h] && !frozen[h] && !stale[h])
#define MEETS(h) (AWAKE(h) && !cut[h])
#define OURS(h, mine) (state == RUNNING && owner == 1 + h && attempt == mine)

/* end_attempt() with kind x */
inline crash() {
	if
	:: crash_retries > 0 ->
#ifndef FREE_RETRY
		crash_retries--;
#endif
		state = READY; owner = 0
	:: else -> state = FAILED; owner = 0
	fi
}

proctype host(byte h) /* fleet/bridge.c */
{
	byte mine;
end:	do
	:: atomic { MEETS(h) && !member[h] && mine == 0 -> /* a new member: join */
		member[h] = true; fenced[h] = false; lost[h] = false; missed[h] = false;
		idle[h] = false; flies[h] = 0; ignored[h] = 0; number[h] = 0 } /* another channel */
	:: atomic { MEETS(h) && member[h] && !fenced[h] && mine == 0 && state != READY && !idle[h] ->
		idle[h] = true } /* a claim finds nothing */
	:: atomic { MEETS(h) && member[h] && !fenced[h] && mine == 0 && flies[h] > 0 -> /* bridge_take() */
		if
#ifdef NO_NUMBER
		:: mine = flies[h]
#else
		:: number[h] > ignored[h] -> mine = flies[h]
		:: else
#endif
		fi;
		flies[h] = 0 }
	:: atomic { MEETS(h) && member[h] && !fenced[h] && mine == 0 && (flies[h] > 0
#ifndef FORGET_PUSH
		|| missed[h]
#endif
		) && number[h] > ignored[h] -> /* member_compare() finds a claim that it does not know */
		if
		:: state == RUNNING && owner == 1 + h -> state = READY; owner = 0
		:: else
		fi;
		ignored[h] = number[h]; missed[h] = false }
#ifdef LATE_CLAIM
	:: atomic { MEETS(h) && !fenced[h] && mine == 0 && !lost[h] && state == READY -> /* claim */
#else
	:: atomic { MEETS(h) && member[h] && !fenced[h] && mine == 0 && !lost[h] &&
		state == READY -> /* claim */
#endif
		state = RUNNING; owner = 1 + h; attempt++; idle[h] = false;
		if
		:: mine = attempt
		:: cuts < CUTS -> cuts++; lost[h] = true
		fi }
#ifndef FORGET_CLAIM
	:: atomic { MEETS(h) && lost[h] -> /* member_return_unknown() */
		if
		:: member[h] && state == RUNNING && owner == 1 + h -> state = READY; owner = 0
		:: else
		fi;
		lost[h] = false }
#else
	:: atomic { MEETS(h) && lost[h] -> lost[h] = false }
#endif
	:: atomic { AWAKE(h) && mine > 0 && !runs[h] && !fenced[h] -> /* plm_submit() */
		assert(stale[h] || !(runs[1 - h] && RELIABLE(1 - h)));
		assert(begun < 1 + CRASH_RETRIES);
		begun++; runs[h] = true }
	:: atomic { MEETS(h) && mine > 0 && runs[h] -> /* commit */
		runs[h] = false;
		if
#ifdef BLIND_COMMIT
		:: state != FAILED ->
#else
		:: OURS(h, mine) ->
#endif
			state = DONE; value = mine; commits++; assert(attempt == mine)
		:: else /* void */
		fi;
		mine = 0; stale[h] = false }
#ifndef NO_FENCE
	:: atomic { AWAKE(h) && cut[h] && !fenced[h] -> /* bridge_fence() */
		runs[h] = false; mine = 0; lost[h] = false; fenced[h] = true; flies[h] = 0 }
#endif
#ifndef NO_GUARD
	:: atomic { stuck[h] && !dead[h] -> /* the timer; another bridge is another member */
		runs[h] = false; mine = 0; lost[h] = false; flies[h] = 0; fenced[h] = true;
		stuck[h] = false }
#endif
	:: atomic { MEETS(h) && mine > 0 && !member[h] -> /* -ESTALE: fenced too late */
		runs[h] = false; mine = 0; stale[h] = false }
	:: atomic { AWAKE(h) && stale[h] -> /* the clock says that the lease is over */
		if
		:: member[h] -> stale[h] = false /* not frozen for long */
		:: !member[h] -> runs[h] = false; mine = 0; lost[h] = false; stale[h] = false
		fi }
	:: dead[h] -> break
	od
}

proctype lease(byte h) /* take_over(), called by the next host or user */
{
end:	do
	:: atomic { member[h] && (dead[h] || frozen[h] || fenced[h]
#ifdef NO_FENCE
		|| cut[h]
#endif
#ifdef NO_GUARD
		|| stuck[h]
#endif
		) ->
#ifdef TWO_STEPS
		if
		:: state == RUNNING && owner == 1 + h -> state = READY
		:: else
		fi }
		atomic {
		if
		:: owner == 1 + h -> crash()
		:: else
		fi;
#else
		if
		:: state == RUNNING && owner == 1 + h -> crash()
		:: else
		fi;
#endif
		member[h] = false }
	od
}

/* push(), by a user who adds the task or by a host that gives it back. Only while no message to the
 * host flies: the channel keeps their order, and one message shows all that can happen. */
proctype push(byte h)
{
end:	do
	:: atomic { state == READY && idle[h] && member[h] && flies[h] == 0 && pushes < PUSHES ->
		pushes++;
		state = RUNNING; owner = 1 + h; attempt++; idle[h] = false;
		number[h]++; flies[h] = attempt }
	:: atomic { flies[h] > 0 && cuts < CUTS -> cuts++; flies[h] = 0; missed[h] = true }
	od
}

proctype nature(byte h)
{
end:	do
	:: atomic { deaths < DEATHS && !dead[0] && !dead[1] -> /* one host stays */
		deaths++; dead[h] = true; runs[h] = false }
	:: atomic { freezes < FREEZES && AWAKE(h) -> freezes++; frozen[h] = true }
	:: atomic { frozen[h] -> frozen[h] = false; stale[h] = true }
	:: atomic { freezes < FREEZES && AWAKE(h) -> freezes++; stuck[h] = true }
	:: atomic { cuts < CUTS && AWAKE(h) && !cut[h] -> cuts++; cut[h] = true }
#ifdef NO_FENCE
	:: atomic { cut[h] -> cut[h] = false }
#else
	:: atomic { cut[h] && (fenced[h] || dead[h]) -> cut[h] = false }
#endif
	od
}

init
{
	if
	:: member[0] = true; idle[0] = true /* a host waits when the task is added */
	:: skip
	fi;
	atomic { run host(0); run host(1); run lease(0); run lease(1); run nature(0); run nature(1);
		run push(0); run push(1) }
	timeout; /* nothing can move any more */
	assert(state == DONE || state == FAILED);
	assert(commits <= 1);
	assert(state != DONE || (commits == 1 && value > 0))
}

/* event.pml - the event count (shm/event.h): two posters and two waiters, which may die at any
 * step.
 *
 * A waiter waits until each poster has published or is declared dead. Other processes see a store
 * late, as with the store buffer of a processor; a fence or a locked operation empties the buffer.
 * The model has no safety tick, so a waiter that sleeps for ever is an invalid end state.
 *
 * Each mutation breaks a rule, and the exploration must find an error: NO_FENCE (no fence between
 * the publication and the look at the event), LOOK_FIRST (the waiter looks before it announces its
 * sleep), NO_BUMP (no wake after a death), WAKE_FIRST (the wake before the publication). */
#define POSTERS 2
#define WAITERS 2
#define WORDS 32 /* bit 0 and a count. The count never wraps here; in C, 2^31 posts between a look
                  * and the following sleep would go unnoticed until the safety tick */

#ifndef DEATHS
#define DEATHS 1
#endif

byte word;               /* the event */
bool published[POSTERS]; /* as other processes see the store */
bool buffered[POSTERS];  /* stored, not seen by other processes yet */
bool mourned[POSTERS];   /* declared dead by the manager */
bool died[POSTERS];
bool asleep[WAITERS];    /* in the kernel, on the word */
byte to_bump;            /* deaths known to the manager, without a bump yet */
byte deaths;

#define MAY_DIE(then) if :: atomic { deaths < DEATHS -> deaths++ }; then :: true fi

inline flush(p)
{
	if
	:: buffered[p] -> published[p] = true; buffered[p] = false
	:: else
	fi
}

inline futex_wake()
{
	d_step {
		byte i = 0;
		do
		:: i < WAITERS -> asleep[i] = false; i++
		:: else -> break
		od
	}
}

proctype store_buffer(byte p) /* the processor empties the buffer at any time */
{
end:	do
	:: atomic { buffered[p] -> flush(p) }
	od
}

proctype poster(byte p)
{
	byte seen;
	MAY_DIE(goto dead);
#ifdef WAKE_FIRST
	goto post;
publish:
#endif
	buffered[p] = true;              /* the publication */
#ifdef WAKE_FIRST
	goto done;
post:
#endif
	MAY_DIE(goto dead);
#ifndef NO_FENCE
	atomic { flush(p) }              /* sh_fence() */
	MAY_DIE(goto dead);
#endif
	seen = word;                     /* event_post_fenced(): sh_peek() */
	MAY_DIE(goto dead);
	if
	:: seen & 1 ->
		atomic {                 /* sh_cas() */
			if
			:: word == seen -> word = (seen + 1) % WORDS; flush(p)
			:: else -> goto posted   /* another poster has moved the word */
			fi
		}
		MAY_DIE(goto dead);
		futex_wake()
	:: else
	fi;
posted:
#ifdef WAKE_FIRST
	goto publish;
done:
#endif
	goto end;
dead:
	atomic { seen = 0; flush(p); died[p] = true; to_bump++ } /* the store is seen in the end */
end:
	skip
}

#define KNOWN(p) (published[p] || mourned[p])

proctype waiter(byte w)
{
	byte seen;
	do
	:: KNOWN(0) && KNOWN(1) -> break
	:: else ->
		MAY_DIE(goto dead);
#ifdef LOOK_FIRST
		if
		:: KNOWN(0) && KNOWN(1) -> break
		:: else
		fi;
#endif
		atomic { word = word | 1; seen = word }  /* event_prepare(): sh_or() */
		MAY_DIE(goto dead);
#ifndef LOOK_FIRST
		if
		:: KNOWN(0) && KNOWN(1) -> break
		:: else
		fi;
#endif
		MAY_DIE(goto dead);
		atomic {                                 /* event_sleep(): sh_futex_wait() */
			if
			:: word == seen -> asleep[w] = true
			:: else
			fi
		}
		atomic { !asleep[w] -> seen = 0 } /* a death asleep would change nothing */
	od;
	goto end;
dead:
	atomic { asleep[w] = false; to_bump++ }
end:
	skip
}

/* manager/members.c:watched_gone(): marks the process slot DEAD, then wakes all (event_bump()). */
proctype manager()
{
end:	do
	:: to_bump > 0 ->
		d_step {
			to_bump--;
			mourned[0] = died[0];
			mourned[1] = died[1]
		}
#ifndef NO_BUMP
		atomic { word = ((word | 1) + 1) % WORDS }
		futex_wake()
#endif
	od
}

init
{
	atomic {
		run store_buffer(0); run store_buffer(1);
		run poster(0); run poster(1);
		run waiter(0); run waiter(1);
		run manager()
	}
}

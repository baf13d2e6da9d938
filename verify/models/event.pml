/* event.pml - the event count (shm/event.h): two posters, two waiters, all of whom may die anywhere.
 *
 * A waiter wants to know of each poster that it has published, or that it is dead. Stores are seen
 * late, as a processor's store buffer makes them; only what C asks for (a fence, a locked operation)
 * empties it. There is no safety tick here: who sleeps for ever is found as an invalid end.
 *
 * Mutations, each of which must be found: NO_FENCE, LOOK_FIRST, NO_BUMP, WAKE_FIRST. */
#define POSTERS 2
#define WAITERS 2
#define WORDS 32 /* bit 0, and a count that does not come round here: in C, 2^31 posts between a
                  * look and the sleep behind it would go unnoticed until the safety tick */

#ifndef DEATHS
#define DEATHS 1
#endif

byte word;               /* the event */
bool published[POSTERS]; /* as others see it */
bool buffered[POSTERS];  /* stored, not seen by others yet */
bool mourned[POSTERS];   /* declared dead by the manager */
bool died[POSTERS];
bool asleep[WAITERS];    /* in the kernel, on the word */
byte to_bump;            /* deaths that the manager has seen, and not told yet */
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

proctype store_buffer(byte p) /* the processor, which empties it when it likes */
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
	buffered[p] = true;              /* what it publishes */
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
			:: else -> goto posted   /* another poster was faster */
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
	atomic { seen = 0; flush(p); died[p] = true; to_bump++ } /* what was stored is seen in the end */
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
		atomic { !asleep[w] -> seen = 0 } /* killed asleep: nobody would notice */
	od;
	goto end;
dead:
	atomic { asleep[w] = false; to_bump++ }
end:
	skip
}

/* manager/members.c:members_gone(): says DEAD, then wakes everybody (event_bump()). */
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

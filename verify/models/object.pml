/* object.pml - the life of an object (tables/record.h, client/refs.c, scheduler/hints.c, free.c): one
 * slot of the table, reserved, sealed, handed to another process, dropped by both, free, and reserved
 * again, while either process and the scheduler may die anywhere.
 *
 * A hold is a bit of the record for each process. The bit of who reserves it is set before anybody
 * sees the record; every other bit is set, and every bit cleared, by the scheduler, in the order of
 * the hints in that process's ring. A reference is the generation.
 *
 * Known: who holds it, granted, finds it DONE in the generation it asked for, and its bytes whole;
 * what is not sealed is read by nobody; when all have dropped it or died, the slot is FREE.
 *
 * Mutations, each of which must be found: SEAL_FIRST (visible before it is filled), OWN_FREE (who
 * drops frees), NO_MOURNING (holds of the dead stay), NO_GENERATION (a late hint meets the next
 * life). */
#ifndef DEATHS
#define DEATHS 2
#endif
#define LIVES 2          /* how often the giver makes one */
#define RING 4

mtype = { FREE, RESERVED, DONE };
mtype = { DROP, IMPORT };

mtype state = FREE;      /* the word */
byte generation;
bool holds[2];           /* giver 0, taker 1 */
byte bytes;              /* the value's: 0 nothing, 1 half, 2 whole; freed: 0 */

chan ring[2] = [RING] of { mtype, byte }; /* hints, each with a generation */
chan gift = [1] of { byte };              /* the reference, by any way outside */
byte answered;           /* process.imported: the generation that was answered */
bool gone[2], buried[2];
byte deaths;

#define MAY_DIE if :: atomic { deaths < DEATHS -> deaths++ }; goto killed :: true fi

inline free_now()
{
	d_step { state = FREE; bytes = 0; holds[0] = false; holds[1] = false }
}

proctype giver()
{
	byte lives, mine;
	do
	:: lives == LIVES -> break
	:: lives < LIVES && state == FREE ->
		lives++;
		atomic { /* tables_record_claim(): under the pool's lock */
			if
			:: state == FREE -> generation++; state = RESERVED; holds[0] = true
			:: else -> goto killed
			fi;
			mine = generation
		}
		MAY_DIE;
#ifdef SEAL_FIRST
		state = DONE;
#endif
		bytes = 1;
		MAY_DIE;
		bytes = 2;
		MAY_DIE;
		state = DONE;                /* plm_seal(): one CAS */
		MAY_DIE;
		if
		:: empty(gift) -> gift ! mine
		:: true              /* nobody is told of it */
		fi;
		MAY_DIE;
		if                   /* it waits for the taker, or does not: that is told -ESTALE */
		:: answered == mine || gone[1] || buried[1]
		:: true
		fi;
		ring[0] ! DROP, mine;
		MAY_DIE
	od;
	goto end;
killed:
	gone[0] = true;
end:
	skip
}

proctype taker()
{
	byte wanted;
end:	do
	:: gift ? wanted ->
		ring[1] ! IMPORT, wanted;     /* client/refs.c:ref_import_locked() */
		MAY_DIE;
		do                            /* each tick again: a scheduler may have died with it */
		:: answered == wanted -> break
		:: answered != wanted && empty(ring[1]) -> ring[1] ! IMPORT, wanted
		od;
		MAY_DIE;
		if
		:: holds[1] && generation == wanted ->  /* hold_test(), record_lookup() */
			MAY_DIE;
			assert(generation == wanted && state == DONE);
			assert(bytes == 2);   /* it reads where it lies */
			MAY_DIE;
			assert(generation == wanted && state == DONE && bytes == 2);
#ifdef OWN_FREE
			free_now();
#else
			ring[1] ! DROP, wanted;
#endif
			MAY_DIE
		:: else                       /* -ESTALE: dropped by all before we asked */
		fi;
		wanted = 0
	od;
killed:
	gone[1] = true
}

inline free_if_unneeded()
{
	if
	:: state == DONE && !holds[0] && !holds[1] -> free_now()
	:: else
	fi
}

#ifdef NO_GENERATION
#define FITS true
#else
#define FITS (about == generation)  /* hint_fits() */
#endif

proctype scheduler()
{
	mtype what;
	byte about, p;
begin:
	free_if_unneeded();              /* scheduler_rebuild() */
end:	do
	:: nempty(ring[0]) || nempty(ring[1]) ->
		if
		:: nempty(ring[0]) -> p = 0
		:: nempty(ring[1]) -> p = 1
		fi;
		ring[p] ? <what, about>;         /* looked at, not taken off */
		MAY_DIE;
		if
		:: what == IMPORT ->
			if
			:: FITS && state != FREE -> holds[p] = true
			:: else
			fi;
			MAY_DIE;
			ring[p] ? what, about; /* off, before the answer */
			MAY_DIE;
			answered = about
		:: what == DROP ->
			if
			:: FITS ->
				holds[p] = false;
				MAY_DIE;
				free_if_unneeded()
			:: else
			fi;
			MAY_DIE;
			ring[p] ? what, about
		fi;
		atomic { what = 0; about = 0; p = 0 }
#ifndef NO_MOURNING
	:: atomic { gone[0] && empty(ring[0]) } -> p = 0; goto bury
	:: atomic { gone[1] && empty(ring[1]) } -> p = 1; goto bury
#endif
	od;
bury:                                    /* scheduler/repair.c:repair_bury(): its hints first, then it */
	holds[p] = false;
	MAY_DIE;
	if
	:: p == 0 && state == RESERVED -> free_now() /* free_abandoned() */
	:: else -> free_if_unneeded()
	fi;
	MAY_DIE;
	atomic { buried[p] = true; gone[p] = false; p = 0 } /* the last line */
	goto end;
killed:
	atomic { what = 0; about = 0; p = 0 }
	goto begin
}

proctype judge()
{
end:	do
	:: timeout ->
		assert(state == FREE && bytes == 0);
		break
	od
}

init
{
	atomic { run scheduler(); run giver(); run taker(); run judge() }
}

/* object.pml - the life of an object (tables/record.h, client/refs.c, scheduler/hints.c, free.c): a
 * record is reserved, sealed, handed to another process, dropped by both processes, freed, and
 * reserved again, while both processes and the scheduler may die at any step.
 *
 * A hold is a bit of the record for each process. The process that reserves the record sets its own
 * bit before any other process sees the record. The scheduler sets all other bits and clears all
 * bits, in the order of the hints in the ring of the process. A reference is the generation.
 *
 * A process with a granted hold finds the record DONE, in the wanted generation, with all bytes. No
 * process reads an unsealed object. When all processes have dropped the object or died, the record
 * is FREE.
 *
 * Each mutation breaks a rule, and the exploration must find an error: SEAL_FIRST (the object is
 * visible before its bytes), OWN_FREE (the process that drops the object frees the record),
 * NO_MOURNING (holds of dead processes stay), NO_GENERATION (a late hint changes the next life of
 * the record). */
#ifndef DEATHS
#define DEATHS 2
#endif
#define LIVES 2          /* how many objects the giver makes */
#define RING 4

mtype = { FREE, RESERVED, DONE };
mtype = { DROP, IMPORT };

mtype state = FREE;      /* the word */
byte generation;
bool holds[2];           /* giver 0, taker 1 */
byte bytes;              /* of the value: 0 none or freed, 1 half, 2 all */

chan ring[2] = [RING] of { mtype, byte }; /* hints, each with a generation */
chan gift = [1] of { byte };              /* the reference, by a way outside plm */
byte answered;           /* process.imported: the generation of the last answer */
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
		:: true              /* the giver tells no process */
		fi;
		MAY_DIE;
		if                   /* the giver waits; or not: then the taker gets -ESTALE */
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
		ring[1] ! IMPORT, wanted;     /* client/ref_ask.c:ref_ask_once() */
		MAY_DIE;
		do                            /* again at each tick: a scheduler may have died with the hint */
		:: answered == wanted -> break
		:: answered != wanted && empty(ring[1]) -> ring[1] ! IMPORT, wanted
		od;
		MAY_DIE;
		if
		:: holds[1] && generation == wanted ->  /* ref_import_locked(): hold_test() */
			MAY_DIE;
			assert(generation == wanted && state == DONE);
			assert(bytes == 2);   /* the taker reads the value in place */
			MAY_DIE;
			assert(generation == wanted && state == DONE && bytes == 2);
#ifdef OWN_FREE
			free_now();
#else
			ring[1] ! DROP, wanted;
#endif
			MAY_DIE
		:: else                       /* -ESTALE: all holds had ended before the request */
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
		ring[p] ? <what, about>;         /* ring_look(): the hint stays in the ring */
		MAY_DIE;
		if
		:: what == IMPORT ->
			if
			:: FITS && state != FREE -> holds[p] = true
			:: else
			fi;
			MAY_DIE;
			ring[p] ? what, about; /* ring_done(), before the answer */
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
bury:                                    /* scheduler/repair.c:repair_bury(): after its hints */
	holds[p] = false;
	MAY_DIE;
	if
	:: p == 0 && state == RESERVED -> free_now() /* free_abandoned() */
	:: else -> free_if_unneeded()
	fi;
	MAY_DIE;
	atomic { buried[p] = true; gone[p] = false; p = 0 } /* last, as in repair_bury() */
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

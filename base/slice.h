/* slice.h - how long the kernel lets a process of the runtime run before others have their turn.
 *
 * A waiting worker gives the core away by sched_yield(), again and again. Linux 6.12 and later make
 * each yield cost the rest of the slice, 3 ms: the worker owes the time to all others, and starts
 * late when the next task wakes it. With the shortest slice, 0.1 ms, a yield costs little and a
 * wake is soon followed by the task. A busy process loses nothing: the slice counts only while
 * another process wants the core.
 * Where: the process itself.  Blocks: never.  Allocates: never.
 * Death: nothing remains. Older kernels ignore the call. */
#ifndef PLM_SLICE_H
#define PLM_SLICE_H

/* For the scheduler and the workers. Processes with a real-time policy keep theirs. */
void slice_shorten(void);

/* For the command of a task, which inherits the slice of its worker: back to the kernel's slice.
 * System calls alone: safe after vfork(). */
void slice_restore(void);

#endif

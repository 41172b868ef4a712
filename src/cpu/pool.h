/* pool.h - a fixed team of threads that share out the tiles of one op at a time.
 *
 * The caller is thread 0 and works too. Every thread has a fixed chunk of neighbouring items, so that in one op after the other it
 * meets the same rows; who is done takes whole items from the end of others' chunks. Who computes which item is therefore
 * chance: an item must write only its own results, and its sums must not depend on the thread.
 *
 * A run ends when its items are done: a thread that got no processor in time is not waited for. Idle threads spin for some
 * microseconds, because the next op follows at once, then sleep; they spin less where waits have lately been long.
 * On a machine of several NUMA nodes the workers stay on the nodes that they are spread over, in order of their chunks. */
#ifndef SDW_CPU_POOL_H
#define SDW_CPU_POOL_H

#include <stdatomic.h>

#include "core/status.h"

enum { SDW_CPU_THREADS_MAX = 256 };

typedef struct sdw_cpu_pool sdw_cpu_pool;
/* Computes item `index` of 0..count-1 on thread 0..threads-1. */
typedef void sdw_cpu_task(void *ctx, int index, int thread);

/* threads 0: sdw_cpu_threads_available(). The pool belongs to one thread at a time. */
sdw_status sdw_cpu_pool_create(int threads, sdw_cpu_pool **ret, sdw_error *err);
void sdw_cpu_pool_free(sdw_cpu_pool *p); /* joins the workers; accepts NULL */
int sdw_cpu_pool_threads(const sdw_cpu_pool *p);
/* Runs every item and returns when all are done. Once *cancel (may be NULL) is true, items not begun are left out. */
void sdw_cpu_pool_run(sdw_cpu_pool *p, int count, sdw_cpu_task *task, void *ctx, const atomic_bool *cancel);
/* Processors that the affinity mask and the cgroup's CPU quota leave to this process; at least 1. */
int sdw_cpu_threads_available(void);

#endif

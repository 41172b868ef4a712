/* engine_thread.h - the parts of the engine thread, which share its data and nothing of anybody else's: whose turn it is
 * (engine_thread.c), models (loading.c), a job's start (starting.c), a unit of work (turns.c), previews (previews.c). */
#ifndef SDW_WORKER_ENGINE_THREAD_H
#define SDW_WORKER_ENGINE_THREAD_H

#include "worker/worker_impl.h"

/* ---- engine_thread.c ---- */
/* While a unit runs it may be interrupted: by a stop, or when all jobs that it works for are to end. Those of one job lie side
 * by side. */
void sdw_unit_begin(sdw_worker *w, sdw_model_entry *m, sdw_ticket *const *jobs, int count);
void sdw_unit_end(sdw_worker *w);
sdw_wish sdw_ticket_wish(sdw_worker *w, const sdw_ticket *t);
/* Takes the job out of the active ones: it counts as finishing, and the engine's hold goes to the caller, until release. */
void sdw_engine_leave(sdw_worker *w, sdw_ticket *t);
void sdw_engine_release(sdw_worker *w, sdw_ticket *t);
/* Leaves, ends it with FAILED, releases. */
void sdw_engine_fail(sdw_worker *w, sdw_ticket *t, const char *code, const char *message);

/* ---- loading.c ---- */
void sdw_engine_unload_model(sdw_worker *w, sdw_model_entry *m);
/* waiting: who hears of it, or NULL. */
void sdw_engine_load_model(sdw_worker *w, sdw_model_entry *m, sdw_ticket *waiting);

/* ---- starting.c ---- */
void sdw_engine_start(sdw_worker *w, sdw_ticket *t);

/* ---- turns.c ---- */
void sdw_engine_turn(sdw_worker *w, sdw_ticket *t);

/* ---- previews.c ---- */
/* A picture of how t looks after its step; event: readers get it, else it is only kept as the latest. */
void sdw_preview_project(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s, bool event);
/* The same by the decoder, in the turns that follow. */
void sdw_preview_begin(sdw_worker *w, sdw_ticket *t, const sdw_exec_state *s);
sdw_status sdw_preview_go_on(sdw_worker *w, sdw_ticket *t, sdw_error *err);
void sdw_preview_end(sdw_worker *w, sdw_ticket *t);

#endif

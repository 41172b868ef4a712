/* ops.c - see ops.h. Names and labels are those of http-apis 6: no label holds a prompt, a job's id or a user. */
#include "server/ops.h"

#include "server/loading.h"
#include "server/process.h"
#include "server/server.h"

static void gauge(sdw_prom *p, const char *name, const char *help, double value)
{
    sdw_prom_family(p, name, SDW_PROM_GAUGE, help);
    sdw_prom_value(p, value);
}

static void counter(sdw_prom *p, const char *name, const char *help, uint64_t value)
{
    sdw_prom_family(p, name, SDW_PROM_COUNTER, help);
    sdw_prom_count(p, value);
}

static void write_model(sdw_worker *w, const sdw_worker_state *state, sdw_prom *p)
{
    sdw_worker_model_info *model = NULL;
    const sdw_model_info *m = sdw_worker_model(w, &model) ? sdw_worker_model_info_of(model) : NULL;
    sdw_prom_family(p, "sdw_model_loaded", SDW_PROM_GAUGE, "1 for the model that is loaded.");
    if (m) {
        sdw_prom_labels(p, "model", state->model_id, "dtype", m->part_count > 0 ? m->parts[0].dtypes : "", NULL);
        sdw_prom_value(p, 1);
    }
    sdw_worker_model_info_free(model);
    sdw_prom_family(p, "sdw_model_memory_bytes", SDW_PROM_GAUGE, "Memory of weights and activations that is held now.");
    sdw_prom_labels(p, "component", "total", NULL);
    sdw_prom_count(p, state->memory_bytes);
}

/* ---- jobs ---- */

static const char *const kind_name[SDW_JOB_KINDS] = { "generation", "transform", "inpaint" };

static void write_jobs(const sdw_worker_stats *n, sdw_prom *p)
{
    static const char *const outcome[] = { "completed", "failed", "cancelled" };
    sdw_prom_family(p, "sdw_jobs_total", SDW_PROM_COUNTER, "Jobs that ended, by kind and outcome.");
    for (int kind = 0; kind < SDW_JOB_KINDS; kind++) {
        for (int i = 0; i < 3; i++) {
            sdw_prom_labels(p, "kind", kind_name[kind], "outcome", outcome[i], NULL);
            sdw_prom_count(p, n->jobs[kind][i]);
        }
    }
    sdw_prom_family(p, "sdw_images_total", SDW_PROM_COUNTER, "Finished pictures.");
    for (const sdw_model_stats *m = n->model; m < n->model + SDW_STATS_MODELS; m++) {
        for (int kind = 0; m->model[0] && kind < SDW_JOB_KINDS; kind++) {
            sdw_prom_labels(p, "kind", kind_name[kind], "model", m->model, NULL);
            sdw_prom_count(p, m->images[kind]);
        }
    }
    counter(p, "sdw_preview_frames_total", "Previews made.", n->previews);
    sdw_prom_family(p, "sdw_cache_hits_total", SDW_PROM_COUNTER, "Encoded prompts that were there already; jobs whose model was loaded when they started.");
    for (int cache = 0; cache < SDW_CACHE_COUNT; cache++) {
        sdw_prom_labels(p, "cache", sdw_cache_name((sdw_cache)cache), NULL);
        sdw_prom_count(p, n->cache_hits[cache]);
    }
}

static void write_times(const sdw_worker_stats *n, sdw_prom *p)
{
    sdw_prom_family(p, "sdw_job_queue_duration_seconds", SDW_PROM_HISTOGRAM, "From a job's arrival to its start.");
    sdw_prom_histogram(p, sdw_stats_limits, SDW_STATS_LIMITS, n->queue.bucket, n->queue.sum);
    sdw_prom_family(p, "sdw_job_run_duration_seconds", SDW_PROM_HISTOGRAM, "From a job's start to its end.");
    for (const sdw_model_stats *m = n->model; m < n->model + SDW_STATS_MODELS; m++) {
        for (int kind = 0; m->model[0] && kind < SDW_JOB_KINDS; kind++) {
            sdw_prom_labels(p, "kind", kind_name[kind], "model", m->model, NULL);
            sdw_prom_histogram(p, sdw_stats_limits, SDW_STATS_LIMITS, m->run[kind].bucket, m->run[kind].sum);
        }
    }
    sdw_prom_family(p, "sdw_stage_duration_seconds", SDW_PROM_HISTOGRAM, "One unit of work of each stage.");
    for (int stage = 0; stage < SDW_STAGE_COUNT; stage++) {
        sdw_prom_labels(p, "stage", sdw_stage_name((sdw_stage)stage), NULL);
        sdw_prom_histogram(p, sdw_stats_limits, SDW_STATS_LIMITS, n->stage[stage].bucket, n->stage[stage].sum);
    }
    gauge(p, "sdw_model_load_duration_seconds", "The last load of a model; 0 = none yet.", n->load_s);
}

void sdw_ops_write_worker(const sdw_server *s, const char *git, sdw_prom *p)
{
    sdw_worker *w = sdw_server_worker(s);
    sdw_worker_state state;
    sdw_worker_state_of(w, &state);
    sdw_prom_family(p, "sdw_build_info", SDW_PROM_GAUGE, "1; what was built.");
    sdw_prom_labels(p, "version", SDW_VERSION, "backend", sdw_server_options_of(s)->backend, "git", git, NULL);
    sdw_prom_value(p, 1);
    gauge(p, "sdw_queue_depth", "Jobs that wait.", state.queued);
    gauge(p, "sdw_queue_capacity", "Jobs that may wait.", state.queue_max);
    gauge(p, "sdw_jobs_running", "Jobs that run.", state.running);
    gauge(p, "sdw_slots", "Pictures that may share one step.", state.slots);
    counter(p, "sdw_denoise_steps_total", "Steps of jobs, whether alone or shared.", state.steps_done);
    counter(p, "sdw_pixels_total", "Pixels of finished pictures.", state.pixels_done);
    counter(p, "sdw_hub_download_bytes_total", "Bytes of models that came over the network.", sdw_loading_fetched(sdw_server_options_of(s)->loading));
    write_model(w, &state, p);
    sdw_worker_stats stats;
    sdw_worker_stats_of(w, &stats);
    write_jobs(&stats, p);
    write_times(&stats, p);
}

void sdw_ops_write_process(sdw_prom *p)
{
    sdw_process_stats stats;
    sdw_process_stats_of(&stats);
    sdw_prom_family(p, "process_cpu_seconds_total", SDW_PROM_COUNTER, "Processor time of all threads, user and system.");
    sdw_prom_value(p, stats.cpu_s);
    gauge(p, "process_resident_memory_bytes", "Memory that lies in RAM.", (double)stats.resident_bytes);
    gauge(p, "process_virtual_memory_bytes", "Address space in use.", (double)stats.virtual_bytes);
    gauge(p, "process_open_fds", "Open file descriptors.", stats.open_fds);
    gauge(p, "process_max_fds", "Most file descriptors that may be open.", stats.max_fds);
    gauge(p, "process_start_time_seconds", "Start of the process, seconds since 1970.", stats.started_at);
}

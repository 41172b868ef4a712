/* narration.h - the worker's sentences for people, as the JSON objects that go into a job's events. Any thread. */
#ifndef SDW_WORKER_NARRATION_H
#define SDW_WORKER_NARRATION_H

#include "sdw/worker.h"

/* {"action":...,"actor":"sd-worker","emitted_at_ms":...,"formatted":...,"human":sentence,"target":...,"type":"narration"}
 * NULL without memory. A sentence that is no UTF-8 is told with its bad bytes replaced. */
sdw_blob *sdw_narration(const char *action, const char *target, const char *sentence);

#endif

/* bench_report.h - what sdw bench found, as a table for people and as JSON to keep. */
#ifndef SDW_CLI_BENCH_REPORT_H
#define SDW_CLI_BENCH_REPORT_H

#include "core/json.h"
#include "oracle/bench.h"

/* plan: every operation instead of the slowest. before: an earlier JSON object to compare with, or NULL. */
void sdw_bench_print_table(const sdw_model_info *m, const sdw_bench_result *r, bool plan, yyjson_doc *before);
sdw_status sdw_bench_print_json(const sdw_model_info *m, const sdw_bench_result *r, sdw_error *err);
sdw_status sdw_bench_save(const char *path, const sdw_model_info *m, const sdw_bench_result *r, sdw_error *err);

#endif

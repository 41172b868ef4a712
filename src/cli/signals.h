/* signals.h - Ctrl-C and SIGTERM become a cancelled engine. Globals of the process, as signals are. */
#ifndef SDW_CLI_SIGNALS_H
#define SDW_CLI_SIGNALS_H

#include "sdw/sdw.h"

/* From now on SIGINT and SIGTERM are noted; the second one ends the process at once, as without us. */
void sdw_cli_catch_signals(void);
/* The engine that a signal cancels; NULL before closing it. */
void sdw_cli_signals_cancel(sdw_engine *e);
/* 0, or the signal that came first. */
int sdw_cli_signal(void);

#endif

/* main.c - the fake hub as a program, for shell tests and for other programs:
 *     fake_hub [--tls] [--page N] [--cut BYTES:TIMES] [--slow MS] ROOT
 * --cut: so many answers of the other host break off; --slow: a pause before each 64 KiB of large files. Every folder
 * ROOT/ORG/NAME is a repository. Prints three lines (endpoint, host of large files, certificate or "-"), then serves until
 * its standard input ends, a thousand seconds at most. GET /fake/log tells what was asked. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_hub.h"

int main(int argc, char **argv)
{
    fake_hub_options o = { 0 };
    fake_rule rule = { .host = FAKE_FILES, .trickle_bytes = 65536 };
    const char *root = NULL;
    bool has_rule = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--tls")) o.tls = true;
        else if (!strcmp(argv[i], "--page") && i + 1 < argc) o.page = strtoul(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--cut") && i + 1 < argc) has_rule = sscanf(argv[++i], "%zu:%d", &rule.cut_after, &rule.times) == 2;
        else if (!strcmp(argv[i], "--slow") && i + 1 < argc) has_rule = sscanf(argv[++i], "%u", &rule.trickle_ms) == 1;
        else if (argv[i][0] != '-' && !root) root = argv[i];
        else return fprintf(stderr, "usage: fake_hub [--tls] [--page N] [--cut BYTES:TIMES] [--slow MS] ROOT\n"), 2;
    }
    if (!root) return fprintf(stderr, "fake_hub: no ROOT\n"), 2;
    fake_hub *h = fake_hub_start(&o);
    fake_hub_add_folder(h, root);
    if (has_rule) fake_hub_rule(h, &rule);
    printf("%s\n%s\n%s\n", fake_hub_url(h), fake_hub_files(h), o.tls ? fake_hub_ca(h) : "-");
    fflush(stdout);
    char byte;
    struct pollfd in = { .fd = 0, .events = POLLIN };
    while (poll(&in, 1, 1000000) > 0 && read(0, &byte, 1) > 0) continue;
    fake_hub_stop(h);
    return 0;
}

/*
 * settings: what diagnostics.otel of the config says. Pure.
 */
#ifndef ACTORS_OTEL_SETTINGS_H
#define ACTORS_OTEL_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/base/span.h"

#define SETTINGS_URL_MAX 1024
#define SETTINGS_HEADERS_MAX 8192 /* bytes of header lines */
#define SETTINGS_FLUSH_LEAST_MS 1000U

struct settings_url {
    char host[256];
    char port[8];
    char path[512];
};

struct settings {
    bool has_traces; /* to be exported; both false: nothing is done */
    bool has_metrics;
    double sample_rate; /* share of the traces */
    uint32_t flush_ms;
    char service[128];
    struct settings_url traces;
    struct settings_url metrics;
    char headers[SETTINGS_HEADERS_MAX]; /* "Name: value\r\n" each; secrets among them */
};

enum {
    SETTINGS_E_REFUSED = 1,
};

/* `config` is packed: { diagnostics: { otel: … } }. `ret_why` gets what is wrong, in words. */
int settings_read(struct span config, struct settings *ret_settings, char *ret_why, size_t why_size);

#endif

/*
 * audit: one line for each write of the config by this actor, made or refused (schema/base/config_audit.h).
 */
#ifndef ACTORS_CONFIG_AUDIT_H
#define ACTORS_CONFIG_AUDIT_H

#include "bus/base/span.h"

struct config;
struct type_client;

struct audit {
    const char *method;
    const char *path;
    const struct type_client *client;
    struct span before;
    struct span after;
    const char *result; /* "rename" or "rejected" */
    const char *reason;
};

/* A line that cannot be written is told in the log; the write itself goes on. */
void audit_write(const struct config *self, const struct audit *audit);

#endif

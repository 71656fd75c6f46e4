/*
 * config_audit: one line in logs/config-audit.jsonl of the state directory for each write of
 * the config, made or refused, whoever made it.
 */
#ifndef SCHEMA_BASE_CONFIG_AUDIT_H
#define SCHEMA_BASE_CONFIG_AUDIT_H

#include "bus/base/span.h"

#define CONFIG_AUDIT_BYTES_MAX (1U << 20) /* then the file becomes config-audit.1.jsonl */

struct config_audit {
    const char *state_dir;
    const char *config_path;
    const char *path;   /* of the file that changes: the config, or one that it includes */
    const char *when;   /* ISO 8601 */
    const char *method; /* "config.set", or the command line that did it */
    struct span client_id;
    struct span device_id;
    struct span remote_ip;
    struct span before; /* an empty pointer: there was no file */
    struct span after;
    const char *result; /* "rename" or "rejected" */
    const char *reason; /* "": none */
};

/* 0, or a negative errno: a link or anything that is no file in its place is not written to. */
int config_audit_write(const struct config_audit *self);

#endif

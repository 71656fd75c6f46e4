/*
 * secrets_report: what an audit of secrets has found. Pure.
 */
#ifndef EDGE_CLI_SECRETS_REPORT_H
#define EDGE_CLI_SECRETS_REPORT_H

#include <stddef.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define SECRETS_MESSAGE_MAX 768U /* bytes of a message or a place */

enum secrets_code {
    SECRETS_PLAINTEXT_FOUND,
    SECRETS_REF_UNRESOLVED,
    SECRETS_REF_SHADOWED,
    SECRETS_LEGACY_RESIDUE,
};
#define SECRETS_CODES_N 4

struct secrets_report {
    struct pack findings; /* an open packed array of {code, severity, file, jsonPath, message, provider?, profileId?} */
    struct pack files;    /* likewise: every file that was looked at, sorted */
    size_t counts[SECRETS_CODES_N];
    size_t findings_n;
    size_t refs_checked_n;
    size_t refs_skipped_n;
};
void secrets_report_init(struct secrets_report *self);
void secrets_report_deinit(struct secrets_report *self);
/* Closes the arrays. 0 or a fault. */
int secrets_report_end(struct secrets_report *self);
/* "clean", "findings" or "unresolved" */
const char *secrets_report_status(const struct secrets_report *self);

struct secrets_finding {
    enum secrets_code code;
    const char *severity; /* "info", "warn" or "error" */
    const char *file;
    const char *place;
    const char *message;
    struct span provider; /* may be empty */
    struct span profile;  /* likewise */
};
void secrets_report_tell(struct secrets_report *self, const struct secrets_finding *finding);

#endif

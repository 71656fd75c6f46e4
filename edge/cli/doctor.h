/*
 * doctor: what is wrong with this gateway's config, state directory and place on the
 * machine, and what would mend it. Looking changes nothing; each finding says what its
 * repair would do, and carries it out only when told.
 */
#ifndef EDGE_CLI_DOCTOR_H
#define EDGE_CLI_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bus/json.h"
#include "bus/pack.h"
#include "edge/cli/cli.h"
#include "schema/base/config_document.h"

#define DOCTOR_FINDINGS_MAX 256U
#define DOCTOR_TEXT_MAX 768

enum doctor_level {
    DOCTOR_NOTE,    /* worth knowing */
    DOCTOR_WARNING, /* works, and should not stay so */
    DOCTOR_PROBLEM, /* the gateway will not start, or not do what it should */
};

struct doctor;
struct doctor_finding;
/* Returns an exit code, having explained itself unless it is CLI_EXIT_OK. */
typedef int (*doctor_repair)(struct doctor *self, const struct doctor_finding *finding);

struct doctor_finding {
    const char *topic; /* "config", "state", "gateway" */
    enum doctor_level level;
    char text[DOCTOR_TEXT_MAX];
    char fix[DOCTOR_TEXT_MAX]; /* what the repair would do, or what a person can do; may be empty */
    doctor_repair repair;      /* NULL: only a person can */
    bool is_held;              /* there is a repair, and something else stands in its way */
    char path[PATH_MAX];       /* for the repair */
    mode_t mode;               /* for the repair */
};

/* A file that the config includes, and what the repairs make of it. */
struct doctor_included {
    char path[PATH_MAX];
    struct text_buf disk;
    struct text_buf fresh; /* wiped, like the other */
    bool is_written;
};

#define DOCTOR_INCLUDED_MAX 256U

struct doctor {
    const struct cli *cli;
    struct doctor_finding *findings;
    size_t n;
    size_t left_out; /* beyond what the list holds */
    bool is_deep;
    bool wants_token;       /* make one although there is one */
    bool wants_suggestions; /* about the workspace */
    bool is_running;        /* a gateway holds the lock of the state directory */
    pid_t holder;           /* its pid; 0: it has not said */
    char host[64];          /* what runs is this host alone, of a gateway elsewhere; empty: it is a gateway */
    struct text_buf disk;   /* the config file as it is */
    bool has_disk;
    bool is_link;                      /* and a symbolic link in its place, which is never written to */
    struct text_buf fresh;             /* what its repair would make of it; wiped */
    struct doctor_included **included; /* those that a repair changes */
    size_t included_n;
    bool is_usable;      /* the config as it is would be taken */
    bool is_token_alone; /* nothing else of the config is to change */
    bool is_written;
    char kept[PATH_MAX]; /* where the text went that was replaced; empty: nowhere, or the gateway knows */
};

void doctor_init(struct doctor *self, const struct cli *cli);
void doctor_deinit(struct doctor *self);

/* Adds a finding; the texts are made by the format functions below. Never NULL: beyond the limit it is a spare one. */
struct doctor_finding *doctor_add(struct doctor *self, const char *topic, enum doctor_level level, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void doctor_fix_say(struct doctor_finding *finding, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* doctor_json.c: appends `ok` and `findings` to an open map. */
void doctor_findings_pack(const struct doctor *self, struct pack *out);

/* doctor_state.c: directories, files and who may read them. */
void doctor_state_look(struct doctor *self);
/* doctor_config.c: the config file. Needs `is_running`. */
void doctor_config_look(struct doctor *self);
/* The same: a repair that puts back the newest copy that would do, of the last good config before all. */
void doctor_config_spare(struct doctor *self, struct doctor_finding *finding);
/* doctor_included.c: what is to be repaired in files that the config includes. Needs `fresh`. 0 or a fault. */
int doctor_included_legacy(struct doctor *self);
/* The file takes part in the repairs from now on; NULL when the source is none of its own. */
struct doctor_included *doctor_included_open(struct doctor *self, const struct config_sources *sources,
                                             const struct config_source *source);
/* The files make up a document, though it may refer to variables that are not set. */
bool doctor_included_is_read(const struct config_document *document);
/* The document of the repaired texts, as config_document_build has it. */
int doctor_included_build(struct doctor *self, struct config_document *document, struct config_error *error);
/* doctor_unknown.c: keys that nobody knows. Needs `fresh`. 0 or a fault. */
int doctor_unknown_look(struct doctor *self);
/* doctor_history.c: what the original keeps, and this gateway does not take over. */
void doctor_history_look(struct doctor *self);
/* doctor_gateway.c: who runs, and who holds the port. Sets `is_running`; comes first. */
void doctor_lock_look(struct doctor *self);
void doctor_gateway_look(struct doctor *self);

#endif

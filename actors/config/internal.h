/*
 * internal: the state of the config actor, shared by its files.
 */
#ifndef ACTORS_CONFIG_INTERNAL_H
#define ACTORS_CONFIG_INTERNAL_H

#include <limits.h>

#include "actors/config/activation.h"
#include "actors/config/commands.h"
#include "actors/config/followers.h"
#include "actors/config/listening.h"
#include "actors/config/rotation.h"
#include "actors/config/snapshot.h"
#include "actors/config/watch.h"
#include "bus/actor.h"
#include "bus/pack.h"
#include "schema_gen.h"

#define CONFIG_EDGES_MAX 8
#define CONFIG_PATH_MAX 513 /* of config_read, with terminator */
#define CONFIG_TIME_LEN 25  /* "2026-01-02T03:04:05.678Z" */

struct config {
    struct actor *actor;
    char path[PATH_MAX];
    char state_dir[PATH_MAX];
    uint64_t version;
    struct snapshot snapshot;
    struct config_error issue; /* why the file now on disk is not the snapshot; empty: it is */
    struct pack issues;        /* the same as a packed array of {path, message, …}; empty when there is none */
    size_t issues_left_out;    /* beyond that */
    char **refused;            /* the files that it is made of, which are watched for a repair; NULL-ended, or NULL */
    struct pack scratch;
    char unserved[256];                                         /* sections that were last reported as not served */
    char was_refused[sizeof(((struct config_error *)0)->text)]; /* the refusal that was last told */
    char spare_problem[160];                                    /* why there is no copy of the last good config */
    bool is_unproved;                                           /* no edge has served with this snapshot yet */
    struct watch watch;
    unsigned missing_n; /* looks in a row that found no file */
    uv_timer_t restart; /* of the edges, a moment later */
    bool has_restart;
    char edges[CONFIG_EDGES_MAX][ACTOR_ADDRESS_MAX];
    size_t edges_n;
    struct followers followers;
    struct activation activation;
    struct listening listening;
    struct rotation rotation;
    struct commands commands;
    struct write *write;   /* the one that waits for its secrets to be judged, or NULL */
    struct write *waiting; /* those after it, in order */
    unsigned waiting_n;
};

/* --- load.c ------------------------------------------------------------------------------------- */

/* Builds a snapshot of the files on disk. 0, SNAPSHOT_E_REFUSED (issue and issues say why), or a fault. */
int config_load(struct config *self, struct snapshot *ret_snapshot);
/* Nothing is refused any more. */
void config_refused_forget(struct config *self);
/* What is wrong with the file on disk in detail; NULL: nothing is known of that. */
void config_details_set(struct config *self, const struct config_issues *issues);
/* Puts `fresh` in force and tells everybody what differs. `fresh` is empty afterwards. */
int config_apply(struct config *self, struct snapshot *fresh, struct actor_ctx *cause);
/* Other secrets under the same references are in force than were in `before`: tells those whom it concerns. The rollout
 * is NULL when there are none. 0 or a fault. */
int config_renewed(struct config *self, const struct secret_set *before, struct rollout **ret_rollout);
/* Says of this actor what most needs saying: shown by health and `bus actors`. */
void config_status_tell(struct config *self);
/* The file cannot be used: what is in force stays. Told once for each reason. */
void config_refuse(struct config *self);
/* A gateway serves with the snapshot in force: it is good enough to come back to. */
void config_prove(struct config *self);
/* The first snapshot of this life: of the file, else of the copy of the last good one. */
int config_first_load(struct config *self);

/* The same as an actor of this address may see it, nil when there is none; borrows from `text` or the snapshot. 0 or a
 * fault. */
int config_part(const struct config *self, struct span path, struct span address, struct text_buf *text,
                struct span *ret_value);

/* --- show.c ---------------------------------------------------------------------------------------- */

/* ISO 8601 in UTC with milliseconds. */
void config_time(int64_t wall_ms, char out[CONFIG_TIME_LEN]);

int config_on_read(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_get(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_schema(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_schema_lookup(void *arg, struct actor_ctx *ctx, const void *msg);
int config_on_models(void *arg, struct actor_ctx *ctx, const void *msg);

#endif

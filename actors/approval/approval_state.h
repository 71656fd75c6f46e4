/*
 * approval_state: the state of the actor, shared by the files of this folder.
 */
#ifndef ACTORS_APPROVAL_APPROVAL_STATE_H
#define ACTORS_APPROVAL_APPROVAL_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/shelf.h"
#include "schema_gen.h"

#define APPROVALS_MAX 512U /* of each kind, decided ones included */
#define APPROVALS_PAST_MAX 1024U
#define GRANTS_MAX 500U
#define APPROVAL_GRACE_MS 15000 /* a decided one can still be asked for */
#define APPROVAL_TIMEOUT_MAX_MS 86400000
#define APPROVAL_BODY_MAX 8388608U
#define ID_MAX 513U

/* Kinds of records on the shelf. The body of a record is {request, createdAtMs, expiresAtMs, connId?, deviceId?,
 * asker, askerName?, operation?, resolvedAtMs?, decision?, resolvedBy?, resolver?, isUsed?}. */
enum {
    KIND_EXEC,
    KIND_PLUGIN,
    KIND_PAST,         /* owner: the id of one that was decided; at_ms: when; body: what clients see of it */
    KIND_GRANT,        /* owner: the principal of whoever asked; see grants.c */
    KIND_SYSTEM_AGENT, /* asked by the system agent, which other gateways have */
};

struct waiter;

struct approval {
    struct actor *actor;
    struct shelf *shelf;
    struct disk_watch disk;
    struct waiter *waiters;
    uv_timer_t timer; /* of what expires next */
    bool has_timer;
    struct pack pack;     /* an answer under construction */
    struct pack scratch;  /* part of one */
    struct pack record;   /* a record under construction */
    struct text_buf text; /* text under construction */
};

/* --- records.c ------------------------------------------------------------------------------ */

enum {
    RECORD_FOUND,
    RECORD_NONE,
    RECORD_AMBIGUOUS, /* the beginning of several ids */
};

struct record {
    const struct shelf_item *item;
    struct span request;
    int64_t created_ms;
    int64_t expires_ms;
    struct span decision; /* empty: none (yet) */
    bool is_resolved;
    bool is_used; /* an allow-once that a run has used up */
};

struct record record_read(const struct shelf_item *item);
/* By its id or, when that is unique, the beginning of it. Among those that wait, or those
 * that were decided. */
int record_find(struct approval *self, unsigned kind, struct span id, bool is_resolved, struct record *ret_record);
/* A request as it comes. */
struct asked {
    unsigned kind;
    struct span id;
    struct span request;   /* packed map */
    struct span operation; /* what exactly is to be done, as a digest; empty where there are no grants */
    uint64_t timeout_ms;
    const struct type_client *client;
};
/* Puts it on the shelf. 0, a FAIL_* or a fault. */
int record_add(struct approval *self, const struct asked *asked);
/* How a record ends. */
struct closing {
    struct span decision; /* empty: without one */
    struct span by;
    const struct type_client *client; /* NULL: nobody decided */
};
/* 0, a FAIL_* or a fault. */
int record_close(struct approval *self, unsigned kind, struct span id, const struct closing *closing);
/* Tells everyone who waits for it. 0 or a fault. */
int record_tell(struct approval *self, unsigned kind, struct span id);
/* An allow-once is good for one run. */
int record_use(struct approval *self, const struct shelf_item *item);
/* Closes what has expired, forgets what was decided long ago, and sets the timer. 0 or a fault. */
int records_review(struct approval *self);
/* Appends {id, request, createdAtMs, expiresAtMs} */
void record_pack(const struct record *record, struct pack *out);

/* --- asking.c ---------------------------------------------------------------------------------- */

/* A request that was put on the shelf: tells people, then waits for them, unless there is
 * nobody to ask. Answers the call in hand, later. */
int asking_start(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id,
                 const struct type_client *client, bool is_two_phase);
/* The rest of waitDecision, resolve and list, for both kinds. */
int asking_wait(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id);
int asking_list(struct approval *self, struct actor_ctx *ctx, unsigned kind);
/* Answers the call in hand with what was decided about a record that nobody had to be asked about. */
int asking_answer(struct approval *self, struct actor_ctx *ctx, unsigned kind, struct span id);
struct verdict {
    unsigned kind;
    struct span id;
    struct span decision;
    uint32_t days; /* how long "always" holds; 0: until it is revoked */
    const struct type_client *client;
};
int asking_resolve(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict);
/* Decides a record that waits, and tells everybody; answers nothing. 0, a FAIL_* or a fault. */
int asking_decide(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict,
                  const struct record *record);
/* Says that the request does not allow this decision. */
int asking_not_allowed(struct approval *self, struct actor_ctx *ctx, const struct verdict *verdict,
                       const struct record *record);
/* Fails the call in hand because `r` of record_find is not RECORD_FOUND. */
int asking_unknown(struct approval *self, struct actor_ctx *ctx, int r, bool may_say_ambiguous);
/* Which decisions the request allows: appends the list. */
void asking_allowed(struct span request, struct pack *out);
bool asking_allows(struct span request, struct span decision);
/* Everyone who waits for that record. 0 or a fault. */
int waiters_answer(struct approval *self, unsigned kind, const struct record *record);
void on_approval_cancel(void *state, struct actor *actor, void *cookie);
void waiters_free(struct approval *self);

/* --- past.c ------------------------------------------------------------------------------------- */

/* What was decided is remembered for 30 days, as much of it as there is room for. 0, a FAIL_* or a fault. */
int past_keep(struct approval *self, unsigned kind, const struct record *record);
int on_approval_get(void *arg, struct actor_ctx *ctx, const void *msg);
int on_approval_history(void *arg, struct actor_ctx *ctx, const void *msg);
int on_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- grants.c ----------------------------------------------------------------------------------- */

/* Counts the use of a grant of that asker for that operation, when there is one: `ret_id` says which, or is empty. 0, a
 * FAIL_* or a fault. */
int grants_use(struct approval *self, struct span asker, struct span operation, char ret_id[37]);
/* For what was allowed always; `days` as in a verdict. 0, a FAIL_* or a fault. */
int grants_mint(struct approval *self, const struct record *record, uint32_t days);
int on_exec_approval_grants_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approval_grants_revoke(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- handlers ------------------------------------------------------------------------------------ */

int on_exec_approval_request(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approval_get(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approval_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approval_wait(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg);
int on_openclaw_approval_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_plugin_approval_request(void *arg, struct actor_ctx *ctx, const void *msg);
int on_plugin_approval_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_plugin_approval_wait(void *arg, struct actor_ctx *ctx, const void *msg);
int on_plugin_approval_resolve(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_run_check(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approvals_get(void *arg, struct actor_ctx *ctx, const void *msg);
/* The commandPreview of a request, when it says more than the command: text, or empty. Valid until self->text changes.
 */
struct span exec_preview(struct approval *self, struct span request);
int on_exec_approvals_set(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- small services -------------------------------------------------------------------------------- */

static inline struct span buf_span(const struct text_buf *buf)
{
    return (struct span){ buf->data, buf->len };
}

static inline int shelf_failure(int r)
{
    return r == SHELF_E_DISK ? FAIL_STORAGE : r == SHELF_E_FULL ? FAIL_UNAVAILABLE : r;
}

/* key and text, or key and nil when there is none */
void pack_kv_or_nil(struct pack *out, const char *key, struct span text);
/* The value under `key` of a packed map as text without spaces around it; empty when absent. */
struct span map_text(struct span map, const char *key);
/* A random UUID, terminated. */
void approval_uuid(char out[37]);

#endif

/*
 * node_state: the state of the actor, shared by the files of this folder.
 */
#ifndef ACTORS_NODE_NODE_STATE_H
#define ACTORS_NODE_NODE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "actors/node/ids.h"
#include "actors/node/policy.h"
#include "bus/actor.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_follow.h"
#include "schema/base/shelf.h"
#include "schema_gen.h"

#define NODE_SESSIONS_MAX 1024U
#define NODE_PAIRED_MAX 1024U
#define NODE_REQUESTS_MAX 256U
#define NODE_SEEN_MAX 4096U
#define NODE_WORK_MAX 4096U
#define NODE_ACTIONS_MAX 4096U
#define NODE_MARKS_MAX 16U
#define NODE_BODY_MAX 33554432U

/* Kinds of records on the shelf. */
enum {
    KIND_PAIRED,   /* id: node; body: {nodeId, token, …} */
    KIND_REQUEST,  /* id: request, owner: node; body: {requestId, nodeId, …, ts} */
    KIND_SEEN,     /* id: node; body: {deviceId?, displayName?, …, lastSeenAtMs, lastSeenReason} */
    KIND_WORK,     /* id, owner: node; body: {type, priority, createdAtMs, expiresAtMs?} */
    KIND_ACTION,   /* id, owner: node; body: {command, paramsJSON, idempotencyKey, enqueuedAtMs} */
    KIND_REVISION, /* id: node; at_ms is the revision of its work */
    KIND_MARK,     /* id: what is done once in the life of the database */
};

/* One connection of role node. */
struct session {
    struct session *next; /* older */
    char conn_id[65];
    char edge[ACTOR_ADDRESS_MAX];
    struct text_buf facts;    /* the body of node_join … */
    struct msg_node_join who; /* … decoded; its spans point into it */
    enum policy_platform platform;
    struct text_buf commands; /* packed list of what it may be asked for now */
};

struct invoke;
struct outcome;

struct node {
    struct actor *actor;
    struct shelf *shelf;
    struct disk_watch disk;
    struct session *sessions; /* newest first */
    size_t sessions_n;
    struct text_buf config; /* gateway.nodes, packed */
    struct policy policy;   /* points into it */
    struct invoke *invokes;
    unsigned invokes_n;
    struct outcome *outcomes; /* newest first */
    size_t outcomes_n;
    size_t outcome_bytes;
    uv_timer_t timer; /* of the invoke that times out next */
    struct config_follow follow;
    bool has_timers;
    struct pack pack;     /* an answer under construction */
    struct pack scratch;  /* part of one */
    struct text_buf text; /* JSON under construction */
};

/* --- sessions.c --------------------------------------------------------------------------- */

int on_node_join(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_leave(void *arg, struct actor_ctx *ctx, const void *msg);
/* Everyone who came through the edge at that address. */
void sessions_drop_edge(struct node *self, struct span edge);
void sessions_free(struct node *self);
/* The newest connection of a node, or NULL. */
struct session *session_of_node(const struct node *self, struct span node_id);
struct session *session_of_conn(const struct node *self, struct span conn_id);
/* Works out anew what the connections of a node (of all nodes, when it is empty) may be asked for. */
void sessions_review(struct node *self, struct span node_id);
/* Who asks as a node: its device, else its program. */
struct span caller_node_id(const struct type_client *client);
/* Notes in the database when and why a node was last seen. 0, a FAIL_* or a fault. */
int seen_note(struct node *self, const struct session *session, const char *reason, int64_t now_ms);

/* --- catalog.c ------------------------------------------------------------------------------ */

int on_node_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_describe(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- pairing.c ------------------------------------------------------------------------------ */

int on_node_pair_request(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pair_list(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pair_approve(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pair_reject(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pair_remove(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pair_verify(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_rename(void *arg, struct actor_ctx *ctx, const void *msg);
/* A node that connected with commands nobody has approved. 0, a FAIL_* or a fault. */
int pairing_ask_for(struct node *self, const struct session *session, struct span commands);
/* Requests older than this are gone. */
#define PAIRING_REQUEST_TTL_MS 300000
/* The device is not trusted any more: nothing that was approved for it counts. 0 or a fault. */
int pairing_forget(struct node *self, struct span node_id);
/* The request of a node that waits for an operator, or NULL. */
const struct shelf_item *pairing_request_of(struct node *self, struct span node_id);

/* --- invoke.c --------------------------------------------------------------------------------- */

int on_node_invoke(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_invoke_progress(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_invoke_result(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approvals_node_get(void *arg, struct actor_ctx *ctx, const void *msg);
int on_exec_approvals_node_set(void *arg, struct actor_ctx *ctx, const void *msg);
void on_node_cancel(void *state, struct actor *actor, void *cookie);
/* The connection is gone: what it was asked fails. */
void invokes_drop_session(struct node *self, const struct session *session);
void invokes_free(struct node *self);

/* --- pending.c --------------------------------------------------------------------------------- */

int on_node_pending_enqueue(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pending_drain(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pending_pull(void *arg, struct actor_ctx *ctx, const void *msg);
int on_node_pending_ack(void *arg, struct actor_ctx *ctx, const void *msg);
/* Keeps a command for when the app of an iOS node is in the foreground again. 0, a FAIL_*
 * or a fault; `ret_id` names the action. */
int pending_action_add(struct node *self, struct span node_id, struct span command, struct span params_json,
                       struct span key, char ret_id[IDS_UUID_MAX]);
void pending_forget(struct node *self, struct span node_id);

/* --- event.c ------------------------------------------------------------------------------------ */

int on_node_event(void *arg, struct actor_ctx *ctx, const void *msg);

/* --- legacy.c ------------------------------------------------------------------------------------ */

/* Takes over what the original kept of nodes in the state directory: in the folder "nodes", and in its later generation
 * in a database; each once, when it is found for the first time. What cannot be read is told of in the log, and tried
 * again at the next start. 0 or a fault. */
int legacy_take(struct node *self, const char *state_dir);

/* --- small services, node.c --------------------------------------------------------------------- */

static inline struct span buf_span(const struct text_buf *buf)
{
    return (struct span){ buf->data, buf->len };
}

/* A shelf's outcome as the failure that the asker gets; faults and 0 as they are. */
int shelf_failure(int r);
/* key and text when there is any */
void pack_kv_some(struct pack *out, const char *key, struct span text);
/* The value under `key` of a packed map as text; empty when absent. */
struct span map_text(struct span map, const char *key);

#endif

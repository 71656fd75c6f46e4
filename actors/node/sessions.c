#include <stdio.h>
#include <stdlib.h>

#include "actors/node/node_state.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/value.h"

struct session *session_of_node(const struct node *self, struct span node_id)
{
    struct session *at = self->sessions;

    while (at && !span_is(at->who.node_id, node_id)) {
        at = at->next;
    }
    return at;
}

struct session *session_of_conn(const struct node *self, struct span conn_id)
{
    struct session *at = self->sessions;

    while (at && !span_is_text(conn_id, at->conn_id)) {
        at = at->next;
    }
    return at;
}

struct span caller_node_id(const struct type_client *client)
{
    return client->has_device_id && client->device_id.len ? client->device_id : client->client_id;
}

/* --- what it may be asked for --------------------------------------------------------------- */

/* The commands that the policy lets a connection declare, packed; valid until pack `out` changes. */
static void declared_pack(const struct node *self, const struct session *session, struct pack *out)
{
    policy_filter(&self->policy, session->platform, session->who.commands, NULL, out);
}

/* Declared, allowed here, and approved by an operator. Without memory it may do nothing. */
static void session_review(struct node *self, struct session *session)
{
    const struct shelf_item *paired = shelf_find(self->shelf, KIND_PAIRED, session->who.node_id);
    struct span approved = paired ? value_get(paired->body, "commands") : (struct span){ 0 };
    CLEANUP(pack_deinit) struct pack list;

    pack_init(&list, 0);
    policy_filter(&self->policy, session->platform, session->who.commands, &approved, &list);
    session->commands.len = 0;
    if (pack_error(&list) || text_buf_add(&session->commands, pack_span(&list))) {
        session->commands.len = 0;
    }
}

void sessions_review(struct node *self, struct span node_id)
{
    for (struct session *at = self->sessions; at; at = at->next) {
        if (node_id.len == 0 || span_is(at->who.node_id, node_id)) {
            session_review(self, at);
        }
    }
}

/* Is everything that it declares, and may declare, approved? */
static bool is_all_approved(const struct session *session, struct span declared)
{
    return value_count(declared) == value_count(buf_span(&session->commands));
}

/* --- when it was last seen ------------------------------------------------------------------- */

static void seen_pack(const struct session *session, struct span before, const char *reason, int64_t now_ms,
                      struct pack *out)
{
    const struct msg_node_join *who = &session->who;

    pack_map_begin(out);
    pack_kv_some(out, "deviceId", who->device_id);
    pack_kv_some(out, "displayName", who->display_name);
    pack_kv_some(out, "platform", who->platform);
    pack_kv_some(out, "clientId", who->client_id);
    pack_kv_some(out, "clientMode", who->client_mode);
    pack_kv_some(out, "remoteIp", who->remote_ip);
    pack_kv_i64(out, "approvedAtMs", value_i64(value_get(before, "approvedAtMs"), now_ms));
    pack_kv_i64(out, "lastConnectedAtMs", who->connected_ms);
    pack_kv_i64(out, "lastSeenAtMs", now_ms);
    pack_kv_text(out, "lastSeenReason", reason);
    pack_map_end(out);
}

/* Makes room by forgetting who has not been seen for longest. */
static int seen_prune(struct node *self)
{
    const struct shelf_item *oldest = shelf_first(self->shelf, KIND_SEEN);

    if (!oldest || shelf_count(self->shelf, KIND_SEEN) < NODE_SEEN_MAX) {
        return 0;
    }
    for (const struct shelf_item *at = oldest->next; at; at = at->next) {
        oldest = at->at_ms < oldest->at_ms ? at : oldest;
    }
    return shelf_drop(self->shelf, KIND_SEEN, span_from(oldest->id));
}

int seen_note(struct node *self, const struct session *session, const char *reason, int64_t now_ms)
{
    const struct shelf_item *before = shelf_find(self->shelf, KIND_SEEN, session->who.node_id);
    CLEANUP(pack_deinit) struct pack body;
    int r;

    pack_init(&body, 0);
    seen_pack(session, before ? before->body : (struct span){ 0 }, reason, now_ms, &body);
    r = pack_error(&body);
    r = r || before ? r : seen_prune(self);
    r = r ? r : shelf_put(self->shelf, KIND_SEEN, session->who.node_id, (struct span){ 0 }, now_ms, pack_span(&body));
    return shelf_failure(r);
}

/* --- coming and going -------------------------------------------------------------------------- */

static void session_free(struct session *session)
{
    text_buf_deinit(&session->facts);
    text_buf_deinit(&session->commands);
    free(session);
}

static void session_drop(struct node *self, struct session *session)
{
    struct session **at = &self->sessions;

    while (*at != session) {
        at = &(*at)->next;
    }
    *at = session->next;
    self->sessions_n--;
    invokes_drop_session(self, session);
    session_free(session);
}

/* NULL without memory. */
static struct session *session_new(struct actor_ctx *ctx)
{
    struct session *session = mem_new(sizeof(*session));
    struct codec_error error;

    if (text_buf_add(&session->facts, actor_ctx_body(ctx)) ||
        codec_decode(MSG_NODE_JOIN->type, buf_span(&session->facts), &session->who, &error)) {
        session_free(session);
        return NULL;
    }
    (void)snprintf(session->conn_id, sizeof(session->conn_id), "%.*s", SPAN_FMT(session->who.conn_id)); /* fits */
    (void)snprintf(session->edge, sizeof(session->edge), "%.*s", SPAN_FMT(actor_ctx_from(ctx)));        /* fits */
    session->platform = policy_platform_of(session->who.platform, session->who.device_family);
    return session;
}

/* Commands that no operator has approved are asked for; until then they stay off. */
static int session_reconcile(struct node *self, struct session *session)
{
    CLEANUP(pack_deinit) struct pack declared;
    int r;

    session_review(self, session);
    pack_init(&declared, 0);
    declared_pack(self, session, &declared);
    r = pack_error(&declared);
    if (r || (shelf_find(self->shelf, KIND_PAIRED, session->who.node_id) &&
              is_all_approved(session, pack_span(&declared)))) {
        return r;
    }
    return pairing_ask_for(self, session, pack_span(&declared));
}

/* A full disk must not keep a node out: what could not be written is written the next time. */
static int unless_disk(int r)
{
    return r > 0 ? 0 : r;
}

int on_node_join(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_join *in = msg;
    struct session *session = session_of_conn(self, in->conn_id);
    int r;

    if (session) {
        return 0; /* an edge that told us before */
    }
    if (self->sessions_n == NODE_SESSIONS_MAX) {
        return actor_fail(ctx, FAIL_UNAVAILABLE, "more than %u nodes are connected", NODE_SESSIONS_MAX);
    }
    session = session_new(ctx);
    if (!session) {
        return FAULT(-ENOMEM);
    }
    session->next = self->sessions;
    self->sessions = session;
    self->sessions_n++;
    r = unless_disk(seen_note(self, session, "connect", clock_wall_ms()));
    return r ? r : unless_disk(session_reconcile(self, session));
}

int on_node_leave(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_leave *in = msg;
    struct session *session = session_of_conn(self, in->conn_id);

    (void)ctx;
    if (session) {
        session_drop(self, session); /* else one that joined before we were started again */
    }
    return 0;
}

void sessions_drop_edge(struct node *self, struct span edge)
{
    struct session *next;

    for (struct session *at = self->sessions; at; at = next) {
        next = at->next;
        if (span_is_text(edge, at->edge)) {
            session_drop(self, at);
        }
    }
}

void sessions_free(struct node *self)
{
    while (self->sessions) {
        struct session *session = self->sessions;

        self->sessions = session->next;
        session_free(session);
    }
}

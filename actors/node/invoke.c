/*
 * invoke: asking a node for a command, and what comes of it.
 *
 * A command goes to one connection as the event node.invoke.request, and ends by that
 * connection's node.invoke.result, by its end, or by the time the asker gave it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "actors/node/invoke_internal.h"
#include "actors/node/outcome.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define TIMEOUT_DEFAULT_MS 30000U
#define TIMEOUT_MAX_MS 3600000U
#define CHECK_MS 10000U
#define INVOKES_MAX 4096U

/* What is asked of a node. */
struct order {
    struct span node_id;
    struct span command;
    struct span params; /* packed, or empty */
    struct span idempotency_key;
    struct span principal;
    uint64_t timeout_ms; /* 0: the default */
    bool is_own;         /* of the gateway itself: no policy of commands, no repetition, bare payload */
};

uint64_t invoke_now(const struct node *self)
{
    return uv_now(actor_loop(self->actor));
}

/* --- saying no -------------------------------------------------------------------------------- */

/* A refusal whose details are {key: value, …}; `what` may be empty. */
static int refuse(struct node *self, struct actor_ctx *ctx, int code, const char *message, const char *key,
                  struct span value, struct span command)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_str(&self->scratch, key, value);
    pack_kv_some(&self->scratch, "command", command);
    pack_map_end(&self->scratch);
    return actor_fail_with(ctx, &(struct failure){ .code = code,
                                                   .message = span_from(message),
                                                   .retryable = code == FAIL_UNAVAILABLE,
                                                   .details = pack_span(&self->scratch) });
}

static int not_connected(struct node *self, struct actor_ctx *ctx)
{
    return refuse(self, ctx, FAIL_UNAVAILABLE, "node not connected", "code", SPAN_LIT("NOT_CONNECTED"),
                  (struct span){ 0 });
}

/* Why the node may not be asked for the command; 0 when it may. The texts are the protocol's. */
static int command_check(struct node *self, struct actor_ctx *ctx, const struct session *session, struct span command)
{
    struct span platform = session->who.platform.len ? session->who.platform : SPAN_LIT("unknown");
    const struct shelf_item *request = pairing_request_of(self, session->who.node_id);
    char text[FAILURE_MESSAGE_MAX];
    struct span reason;

    if (!policy_allows(&self->policy, session->platform, command)) {
        reason = SPAN_LIT("command not allowlisted");
        (void)snprintf(text, sizeof(text),
                       "node command not allowed: \"%.*s\" is not in the allowlist for platform \"%.*s\"",
                       SPAN_FMT(command), SPAN_FMT(platform)); /* may be cut */
    } else if (policy_list_has(buf_span(&session->commands), command)) {
        return 0;
    } else if (!value_count(session->who.commands)) {
        reason = SPAN_LIT("node did not declare commands");
        (void)snprintf(text, sizeof(text), "node command not allowed: the node did not declare any supported commands");
    } else if (!policy_list_has(session->who.commands, command)) {
        reason = SPAN_LIT("command not declared by node");
        (void)snprintf(text, sizeof(text),
                       "node command not allowed: the node (platform: %.*s) does not support \"%.*s\"",
                       SPAN_FMT(platform), SPAN_FMT(command));
    } else {
        reason = SPAN_LIT("command not approved");
        (void)snprintf(text, sizeof(text),
                       "node command not allowed: no operator has approved it for this node; run `openclaw nodes "
                       "approve %s`",
                       request ? request->id : "<requestId>");
    }
    return refuse(self, ctx, FAIL_INVALID_REQUEST, text, "reason", reason, command);
}

/* Profiles of a node's browser outlive the command: nobody makes or removes them through it. */
static bool is_profile_change(struct span params)
{
    struct span method = map_text(params, "method");
    struct span path = map_text(params, "path");

    while (path.len && path.ptr[0] == '/') {
        path.ptr++;
        path.len--;
    }
    while (path.len && path.ptr[path.len - 1] == '/') {
        path.len--;
    }
    if (method.len == 4 && strncasecmp(method.ptr, "POST", 4) == 0) {
        return span_is(path, SPAN_LIT("profiles/create")) || span_is(path, SPAN_LIT("reset-profile"));
    }
    return method.len == 6 && strncasecmp(method.ptr, "DELETE", 6) == 0 && span_starts(path, "profiles/") &&
           !memchr(path.ptr + 9, '/', path.len - 9);
}

static int order_check(struct node *self, struct actor_ctx *ctx, const struct order *order)
{
    if (span_is(order->command, SPAN_LIT("system.execApprovals.get")) ||
        span_is(order->command, SPAN_LIT("system.execApprovals.set"))) {
        return refuse(self, ctx, FAIL_INVALID_REQUEST,
                      "node.invoke does not allow system.execApprovals.*; use exec.approvals.node.*", "command",
                      order->command, (struct span){ 0 });
    }
    if (span_is(order->command, SPAN_LIT("browser.proxy")) && is_profile_change(order->params)) {
        return refuse(self, ctx, FAIL_INVALID_REQUEST,
                      "node.invoke cannot mutate persistent browser profiles via browser.proxy", "command",
                      order->command, (struct span){ 0 });
    }
    return 0;
}

/* --- the end of one ------------------------------------------------------------------------------ */

static void invoke_free(struct node *self, struct invoke *invoke)
{
    struct invoke **at = &self->invokes;

    while (*at && *at != invoke) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = invoke->next;
        self->invokes_n--;
    }
    while (invoke->waiters) {
        struct waiter *waiter = invoke->waiters;

        invoke->waiters = waiter->next;
        free(waiter);
    }
    text_buf_deinit(&invoke->node_id);
    text_buf_deinit(&invoke->params);
    free(invoke->command);
    free(invoke->idempotency_key);
    free(invoke->key);
    free(invoke);
}

/* A deferred call that was given up meanwhile is answered into the void, which is allowed. */
static int token_answer(struct node *self, struct actor_token token, const struct result *result)
{
    struct failure failure = {
        .code = result->code, .message = result->message, .retryable = result->retryable, .details = result->details
    };

    return result->code ? actor_token_fail(self->actor, token, &failure)
                        : actor_token_reply_span(self->actor, token, result->body);
}

/* Everyone who waits gets the result; `invoke` is gone after it unless approval still has the word. */
int invoke_end(struct node *self, struct invoke *invoke, const struct result *result)
{
    int r = 0;

    while (!r && invoke->waiters) {
        struct waiter *waiter = invoke->waiters;

        r = token_answer(self, waiter->token, result);
        invoke->waiters = waiter->next;
        free(waiter);
    }
    if (invoke->is_checking) {
        invoke->session = NULL;
    } else {
        invoke_free(self, invoke);
    }
    return r;
}

static void node_error_pack(struct span code, struct span message, struct pack *out)
{
    pack_map_begin(out);
    pack_key(out, "nodeError");
    pack_map_begin(out);
    pack_kv_some(out, "code", code);
    pack_kv_some(out, "message", message);
    pack_map_end(out);
    pack_map_end(out);
}

/* Fails with "CODE: message" and details.nodeError, as for an error that the node reported. */
int invoke_fail(struct node *self, struct invoke *invoke, struct span code, struct span message, bool is_final)
{
    struct span said = message.len ? message : SPAN_LIT("node invoke failed");
    struct result result = { .code = FAIL_UNAVAILABLE };
    char text[FAILURE_MESSAGE_MAX];

    (void)snprintf(text, sizeof(text), "%.*s%s%.*s", SPAN_FMT(code), code.len ? ": " : "", SPAN_FMT(said));
    pack_reset(&self->scratch);
    node_error_pack(code, said, &self->scratch);
    result.message = span_from(text);
    result.details = pack_span(&self->scratch);
    if (is_final && invoke->key) {
        outcome_keep(self, invoke->key, invoke_now(self), &result);
    }
    return invoke_end(self, invoke, &result);
}

/* --- time ------------------------------------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer)
{
    struct node *self = timer->data;
    uint64_t now = invoke_now(self);
    struct invoke *next;
    int r = 0;

    for (struct invoke *at = self->invokes; !r && at; at = next) {
        next = at->next;
        if (at->session && at->deadline <= now) {
            r = invoke_cancel(self, at);
            r = r ? r : invoke_fail(self, at, SPAN_LIT("TIMEOUT"), SPAN_LIT("node invoke timed out"), false);
        }
    }
    if (r) {
        (void)actor_fault(self->actor, r);
        return;
    }
    invoke_timer_set(self);
}

void invoke_timer_set(struct node *self)
{
    uint64_t now = invoke_now(self);
    uint64_t first = UINT64_MAX;

    for (const struct invoke *at = self->invokes; at; at = at->next) {
        first = at->session && at->deadline < first ? at->deadline : first;
    }
    if (first == UINT64_MAX) {
        (void)uv_timer_stop(&self->timer);
    } else {
        (void)uv_timer_start(&self->timer, on_timer, first > now ? first - now : 0, 0); /* has a callback */
    }
}

/* --- the beginning of one ---------------------------------------------------------------------------- */

static int waiter_add(struct actor_ctx *ctx, struct invoke *invoke, const struct type_client *client)
{
    struct waiter *waiter = mem_new(sizeof(*waiter));

    waiter->invoke = invoke;
    if (client->has_caps && policy_list_has(client->caps, SPAN_LIT("node-progress"))) {
        (void)snprintf(waiter->conn_id, sizeof(waiter->conn_id), "%.*s", SPAN_FMT(client->conn_id));
    }
    waiter->next = invoke->waiters;
    waiter->token = actor_defer(ctx, waiter);
    invoke->waiters = waiter;
    return 0;
}

static struct invoke *invoke_new(struct node *self, const struct order *order, struct session *session)
{
    struct invoke *invoke = mem_new(sizeof(*invoke));
    uint64_t timeout_ms = order->timeout_ms ? order->timeout_ms : TIMEOUT_DEFAULT_MS;

    ids_uuid(invoke->id);
    invoke->session = session;
    invoke->is_bare = order->is_own;
    invoke->timeout_ms = (uint32_t)(timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS);
    invoke->deadline = invoke_now(self) + invoke->timeout_ms;
    invoke->command = mem_text(order->command.ptr, order->command.len);
    invoke->idempotency_key = mem_text(order->idempotency_key.ptr, order->idempotency_key.len);
    invoke->key = order->is_own ? NULL : outcome_key(order->principal, order->node_id, order->idempotency_key);
    invoke->next = self->invokes;
    self->invokes = invoke;
    self->invokes_n++;
    if (text_buf_add(&invoke->node_id, order->node_id) || text_buf_add(&invoke->params, order->params) ||
        (!order->is_own && !invoke->key)) {
        invoke_free(self, invoke);
        return NULL;
    }
    return invoke;
}

/* Might it have to wait until the app is on the screen? Then it is said a second time. */
bool invoke_is_deferrable(const struct invoke *invoke)
{
    return invoke->session->platform == POLICY_IOS && policy_needs_foreground(span_from(invoke->command));
}

/* Puts the request on its way, and keeps its params only when they may be needed again: they may be large, and
 * the wait long. 0 or a fault. */
static int invoke_send(struct node *self, struct invoke *invoke)
{
    CLEANUP(pack_deinit) struct pack conn_ids;
    struct event_node_invoke_request event = {
        .id = span_from(invoke->id),
        .node_id = buf_span(&invoke->node_id),
        .command = span_from(invoke->command),
        .has_params_json = invoke->params.len > 0,
        .has_timeout_ms = true,
        .timeout_ms = invoke->timeout_ms,
        .has_idempotency_key = invoke->idempotency_key[0] != '\0',
        .idempotency_key = span_from(invoke->idempotency_key),
        .has_conn_ids = true,
    };
    int r = 0;

    pack_init(&conn_ids, 4096);
    pack_array_begin(&conn_ids);
    pack_text(&conn_ids, invoke->session->conn_id);
    pack_array_end(&conn_ids);
    self->text.len = 0;
    if (invoke->params.len) {
        r = json_from_value(buf_span(&invoke->params), &self->text);
    }
    r = r ? r : pack_error(&conn_ids);
    if (r) {
        return r;
    }
    if (!invoke_is_deferrable(invoke)) {
        text_buf_deinit(&invoke->params);
        invoke->params = (struct text_buf){ 0 };
    }
    event.params_json = buf_span(&self->text);
    event.conn_ids = pack_span(&conn_ids);
    invoke_timer_set(self);
    return actor_publish(self->actor, EVENT_NODE_INVOKE_REQUEST, &event, NULL);
}

/* --- system.run, which approval looks at first --------------------------------------------------------- */

static int checked_take(struct node *self, struct invoke *invoke, const struct actor_answer *answer)
{
    const struct msg_exec_run_checked *checked = answer->msg;

    if (answer->failure) {
        struct result result = { .code = answer->failure->code,
                                 .retryable = answer->failure->retryable,
                                 .message = answer->failure->message,
                                 .details = answer->failure->details };

        return invoke_end(self, invoke, &result);
    }
    invoke->params.len = 0;
    if (text_buf_add(&invoke->params, checked->params)) {
        return FAULT(-ENOMEM);
    }
    return invoke_send(self, invoke);
}

static void on_checked(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct node *self = state;
    struct invoke *invoke = cookie;
    int r = 0;

    invoke->is_checking = false;
    if (!invoke->session) {
        invoke_free(self, invoke); /* it ended meanwhile */
    } else {
        r = checked_take(self, invoke, answer);
    }
    if (r) {
        (void)actor_fault(actor, r);
    }
}

static int run_check(struct node *self, struct actor_ctx *ctx, struct invoke *invoke, const struct type_client *client)
{
    struct msg_exec_run_check in = { .node_id = buf_span(&invoke->node_id),
                                     .has_params = invoke->params.len > 0,
                                     .params = buf_span(&invoke->params),
                                     .has_client = true,
                                     .client = *client };
    struct actor_call call = { .to = "approval",
                               .msg = MSG_EXEC_RUN_CHECK,
                               .in = &in,
                               .deadline_ms = CHECK_MS,
                               .cause = ctx,
                               .on_answer = on_checked,
                               .cookie = invoke };

    invoke->is_checking = true;
    return actor_call(self->actor, &call, NULL);
}

/* --- asking ------------------------------------------------------------------------------------------- */

static struct invoke *invoke_with_key(const struct node *self, const char *key)
{
    struct invoke *at = self->invokes;

    while (at && !(at->key && at->session && strcmp(at->key, key) == 0)) {
        at = at->next;
    }
    return at;
}

/* A repeated request: the first result, or the wait for it. Returns false when it is a new one. */
static bool is_repeated(struct node *self, struct actor_ctx *ctx, const struct order *order,
                        const struct type_client *client, int *ret_r)
{
    CLEANUP(mem_free) char *key = outcome_key(order->principal, order->node_id, order->idempotency_key);
    struct invoke *running = key ? invoke_with_key(self, key) : NULL;
    struct result result;

    if (running) {
        *ret_r = waiter_add(ctx, running, client);
        return true;
    }
    if (!key || !outcome_find(self, key, invoke_now(self), &result)) {
        return false;
    }
    *ret_r = result.code ? actor_fail_with(ctx, &(struct failure){ .code = result.code,
                                                                   .message = result.message,
                                                                   .retryable = result.retryable,
                                                                   .details = result.details })
                         : actor_reply_span(ctx, result.body);
    return true;
}

static int order_start(struct node *self, struct actor_ctx *ctx, const struct order *order,
                       const struct type_client *client)
{
    struct session *session = session_of_node(self, order->node_id);
    struct invoke *invoke;
    int r;

    if (!session) {
        return not_connected(self, ctx);
    }
    r = order->is_own ? 0 : command_check(self, ctx, session, order->command);
    if (r) {
        return r;
    }
    if (self->invokes_n == INVOKES_MAX) {
        return refuse(self, ctx, FAIL_UNAVAILABLE, "too many commands wait for nodes", "code", SPAN_LIT("TOO_MANY"),
                      order->command);
    }
    invoke = invoke_new(self, order, session);
    if (!invoke) {
        return FAULT(-ENOMEM);
    }
    r = waiter_add(ctx, invoke, client);
    if (!order->is_own && span_is(order->command, SPAN_LIT("system.run"))) {
        return run_check(self, ctx, invoke, client);
    }
    return r ? r : invoke_send(self, invoke);
}

int on_node_invoke(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_node_invoke *in = msg;
    struct order order = { .node_id = in->node_id,
                           .command = in->command,
                           .params = in->params,
                           .idempotency_key = in->idempotency_key,
                           .principal = in->client.principal,
                           .timeout_ms = in->timeout_ms };
    int r = 0;

    if (is_repeated(self, ctx, &order, &in->client, &r)) {
        return r;
    }
    r = order_check(self, ctx, &order);
    return r ? r : order_start(self, ctx, &order, &in->client);
}

int on_exec_approvals_node_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_exec_approvals_node_get *in = msg;
    struct order order = { .node_id = in->node_id,
                           .command = SPAN_LIT("system.execApprovals.get"),
                           .params = SPAN_LIT("\x80"),
                           .is_own = true };

    return order_start(arg, ctx, &order, &in->client);
}

int on_exec_approvals_node_set(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct node *self = arg;
    const struct msg_exec_approvals_node_set *in = msg;
    struct order order = { .node_id = in->node_id, .command = SPAN_LIT("system.execApprovals.set"), .is_own = true };

    /* The node's own program checks the file; it gets it as the client sent it. */
    pack_reset(&self->pack);
    pack_map_begin(&self->pack);
    pack_kv_raw(&self->pack, "file", value_get(actor_ctx_body(ctx), "file"));
    pack_kv_some(&self->pack, "baseHash", in->base_hash);
    pack_map_end(&self->pack);
    order.params = pack_span(&self->pack);
    return pack_error(&self->pack) ? pack_error(&self->pack) : order_start(self, ctx, &order, &in->client);
}

/* --- giving up -------------------------------------------------------------------------------------------- */

/* The node goes on, since the asker may come back with the same key; only he does not wait any more. */
void on_node_cancel(void *state, struct actor *actor, void *cookie)
{
    struct waiter *waiter = cookie;
    struct waiter **at;

    (void)state;
    (void)actor;
    if (!waiter) {
        return; /* of event.c, where nothing is kept for the asker */
    }
    at = &waiter->invoke->waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
    free(waiter);
}

void invokes_drop_session(struct node *self, const struct session *session)
{
    struct invoke *next;
    int r = 0;

    for (struct invoke *at = self->invokes; !r && at; at = next) {
        next = at->next;
        if (at->session == session) {
            r = invoke_fail(self, at, SPAN_LIT("DISCONNECTED"), SPAN_LIT("node disconnected"), false);
        }
    }
    if (r) {
        (void)actor_fault(self->actor, r);
    }
    invoke_timer_set(self);
}

void invokes_free(struct node *self)
{
    while (self->invokes) {
        invoke_free(self, self->invokes);
    }
    outcomes_free(self);
}

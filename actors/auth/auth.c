/*
 * auth: decides who may connect, as whom, and with which scopes; keeps devices, their
 * tokens and the requests to pair one.
 *
 * Accepts    auth_connect, auth_http, auth_edge_settings, device.pair.*, device.token.*,
 *            device.scopes.*, config_update
 * Answers    auth_decision, auth_edge_settings_value
 * Publishes  auth_generation and auth_revoked, when decisions made so far are void;
 *            auth_edge_settings_changed; device.pair.requested, device.pair.resolved,
 *            device.pair.changed, device.pair.setup.completed
 * Follows    gateway.auth and what else of the config says who may in
 * Asks       tailscaled on this machine, where the config lets Tailscale speak for people
 * On restart devices and the generation are in the database; what is known about
 * addresses that guessed secrets is forgotten.
 */
#include "actors/auth/auth.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "actors/auth/answer.h"
#include "actors/auth/auth_state.h"
#include "actors/auth/judge.h"
#include "actors/auth/legacy.h"
#include "actors/auth/scopes.h"
#include "actors/auth/whois.h"
#include "bus/actor.h"
#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/codec.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "schema/base/config_follow.h"
#include "schema/base/database.h"
#include "schema/base/db_problem.h"
#include "schema/base/disk_watch.h"
#include "schema_gen.h"

#define BURST_MS 10000
#define WAITERS_MAX 64
#define LIST_MAX (64U << 20)
#define PLACE_MAX (1U << 20)

/* A connection that waits for tailscaled's word. */
struct waiter {
    struct waiter *next;
    struct auth *auth;
    struct actor_token token;
    struct whois *whois;
    char *body; /* owned; holds secrets */
    size_t body_len;
};

static struct judge_time now(void)
{
    return (struct judge_time){ .wall_ms = clock_wall_ms(), .mono_ms = clock_mono_ms() };
}

static struct answer_to in_hand(struct auth *self, struct actor_ctx *ctx)
{
    return (struct answer_to){ .actor = self->actor, .ctx = ctx };
}

/* What strangers can cause at will is logged once per burst, with a number. */
static void refusal_note(struct auth *self, struct span remote, const char *why)
{
    uint64_t now_ms = clock_mono_ms();

    if (self->refused_ms && now_ms - self->refused_ms < BURST_MS) {
        self->refused_held++;
        return;
    }
    log_warning("auth_refused", "remote=%.*s why=\"%s\" before=%u", SPAN_FMT(remote), why, self->refused_held);
    self->refused_ms = now_ms;
    self->refused_held = 0;
}

int auth_disk_note(struct auth *self, int outcome)
{
    if (outcome == STORE_E_FULL) {
        disk_watch_refused(&self->disk);
    }
    return outcome;
}

static int on_disk_probe(void *arg)
{
    struct auth *self = arg;

    return database_probe(self->judge.store->db.handle);
}

/* --- connections ------------------------------------------------------------------------ */

static int connect_tell(struct auth *self, const struct answer_to *to, const struct judge_ask *ask,
                        struct judge_verdict *verdict)
{
    char text[REFUSAL_TEXT_MAX];
    int r = 0;

    if (verdict->is_newly_approved) {
        log_info("device_approved", "device=%.32s role=%s remote=%.*s", verdict->device_id,
                 connect_role_name(verdict->role), SPAN_FMT(ask->peer->client));
        upgrades_drop(&self->upgrades, verdict->device_id, "");
        r = device_calls_resolved(self, verdict->request.id, verdict->device_id, "approved");
    }
    if (verdict->is_newly_asked) {
        upgrades_drop(&self->upgrades, verdict->device_id, verdict->request.id);
        r = device_calls_requested(self, &verdict->request);
    }
    if (r) {
        return r;
    }
    if (verdict->is_setup_done) {
        r = setup_calls_completed(self, &verdict->setup);
    }
    if (r) {
        return r;
    }
    if (verdict->refusal == REFUSAL_NONE) {
        return answer_connect_admit(to, &self->judge, ask, verdict, self->generation);
    }
    refusal_text(verdict->refusal, &verdict->facts, text);
    refusal_note(self, ask->peer->client, text);
    return answer_connect_refuse(to, ask, verdict);
}

static struct connect_peer peer_of(const struct auth *self, struct connect_peer peer)
{
    peer.has_proxy_header = peer.has_proxy_header || proxy_is_hinted(peer.headers);
    peer.client = proxy_client_address(&self->judge.settings.proxies, peer.remote, peer.headers,
                                       self->judge.settings.is_real_ip_allowed);
    return peer;
}

static int fail_text(const struct answer_to *to, int code, const char *text)
{
    return answer_fail(to, &(struct failure){ .code = code, .message = span_from(text) });
}

static int waiter_start(struct auth *self, struct actor_ctx *ctx, const struct proxy_tailscale *claim);

/* `whois` NULL: tailscaled may have to be asked first, when there is a message in hand to put off. */
static int connect_answer(struct auth *self, const struct answer_to *to, const struct msg_auth_connect *in,
                          const struct judge_whois *whois)
{
    struct connect_request request;
    struct connect_peer peer = peer_of(self, (struct connect_peer){
                                                 .remote = in->remote,
                                                 .origin = in->origin,
                                                 .host = in->host,
                                                 .is_loopback = in->is_loopback,
                                                 .has_proxy_header = in->has_proxy_header,
                                                 .has_uid = in->has_peer_uid,
                                                 .uid = in->peer_uid,
                                                 .headers = in->headers,
                                             });
    struct judge_ask ask = {
        .peer = &peer,
        .request = &request,
        .protocol = in->protocol,
        .nonce = in->nonce,
        .now = now(),
        .whois = whois,
    };
    struct proxy_tailscale claim;
    struct judge_verdict verdict;

    if (connect_parse(in->params, &request)) {
        return fail_text(to, FAIL_INVALID_REQUEST, "invalid connect params");
    }
    if (!whois && to->ctx && judge_wants_whois(&self->judge, &ask, &claim) && self->waiters_n < WAITERS_MAX) {
        return waiter_start(self, to->ctx, &claim);
    }
    int r = auth_disk_note(self, judge_connect(&self->judge, &ask, &verdict));
    r = r == STORE_E_FULL ? answer_no_room(to) : r ? r : connect_tell(self, to, &ask, &verdict);
    mem_wipe(verdict.tokens, sizeof(verdict.tokens));
    return r;
}

static int on_connect(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    struct answer_to to = in_hand(self, ctx);

    return self->generation ? connect_answer(self, &to, msg, NULL) : answer_starting(&to);
}

/* --- waiting for tailscaled ----------------------------------------------------------------- */

static void waiter_destroy(struct waiter *waiter)
{
    struct auth *self = waiter->auth;

    for (struct waiter **at = &self->waiters; *at; at = &(*at)->next) {
        if (*at == waiter) {
            *at = waiter->next;
            self->waiters_n--;
            break;
        }
    }
    whois_cancel(&waiter->whois);
    mem_wipe(waiter->body, waiter->body_len);
    free(waiter->body);
    free(waiter);
}

static void on_whois(void *arg, const char *login)
{
    struct waiter *waiter = arg;
    struct auth *self = waiter->auth;
    struct judge_whois whois = { .is_known = login[0] != '\0' };
    struct answer_to to = { .actor = self->actor, .token = waiter->token };
    struct msg_auth_connect in;

    snprintf(whois.login, sizeof(whois.login), "%s", login);
    waiter->whois = NULL; /* it ends by itself now */
    int r = codec_decode(MSG_AUTH_CONNECT->type, (struct span){ waiter->body, waiter->body_len }, &in, NULL);
    r = r ? FAULT_FOLD(r) : connect_answer(self, &to, &in, &whois);
    waiter_destroy(waiter);
    if (r < 0) {
        actor_fault(self->actor, r);
    }
}

static int waiter_start(struct auth *self, struct actor_ctx *ctx, const struct proxy_tailscale *claim)
{
    struct waiter *waiter = mem_new(sizeof(*waiter));
    struct span body = actor_ctx_body(ctx);

    waiter->auth = self;
    waiter->body = mem_text(body.ptr, body.len);
    waiter->body_len = body.len;
    waiter->next = self->waiters;
    self->waiters = waiter;
    self->waiters_n++;
    waiter->token = actor_defer(ctx, waiter);
    waiter->whois = whois_start(actor_loop(self->actor), self->tailscaled, claim->address, on_whois, waiter);
    return 0;
}

/* Nobody waits for the answer any more. */
static void auth_on_cancel(void *state, struct actor *actor, void *cookie)
{
    struct auth *self = state;

    (void)actor;
    if (!upgrades_cancel(&self->upgrades, cookie)) {
        waiter_destroy(cookie);
    }
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static const char *http_refusal(bool is_hook, bool is_rate)
{
    if (is_hook) {
        return is_rate ? "hook: too many attempts" : "hook: unauthorized";
    }
    return is_rate ? "http: too many attempts" : "http: unauthorized";
}

static int on_http(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_auth_http *in = msg;
    struct answer_to to = in_hand(self, ctx);
    struct connect_peer peer = peer_of(self, (struct connect_peer){
                                                 .remote = in->remote,
                                                 .origin = in->origin,
                                                 .host = in->host,
                                                 .is_loopback = in->is_loopback,
                                                 .has_proxy_header = in->has_proxy_header,
                                                 .has_uid = in->has_peer_uid,
                                                 .uid = in->peer_uid,
                                                 .headers = in->headers,
                                             });
    struct judge_bearer_verdict verdict;

    if (!self->generation) {
        return answer_starting(&to);
    }
    if (in->has_surface && span_is_text(in->surface, "join")) {
        return setup_calls_join(self, &to, &peer, in->bearer);
    }
    if (in->has_surface) {
        judge_hook(&self->judge, &peer, in->bearer, now(), &verdict);
    } else {
        judge_bearer(&self->judge, &peer, in->bearer, now(), &verdict);
    }
    if (verdict.refusal == REFUSAL_NONE) {
        return answer_http_admit(&to, &self->judge, &peer, &verdict, self->generation);
    }
    refusal_note(self, peer.client, http_refusal(in->has_surface, verdict.refusal == REFUSAL_RATE));
    return answer_http_refuse(&to, &verdict);
}

static int on_edge_settings(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    struct answer_to to = in_hand(self, ctx);

    (void)msg;
    if (!self->generation) {
        return answer_starting(&to);
    }
    return actor_reply(ctx, MSG_AUTH_EDGE_SETTINGS_VALUE,
                       &(struct msg_auth_edge_settings_value){ .headers = pack_span(&self->judge.settings.headers) });
}

/* --- settings --------------------------------------------------------------------------------- */

static int settings_publish(struct auth *self, uint64_t generation)
{
    bool is_first = !self->generation;
    bool is_new = generation != self->generation;

    self->generation = generation;
    if (is_first) {
        actor_ready(self->actor);
    }
    int r = actor_publish(
        self->actor, MSG_AUTH_EDGE_SETTINGS_CHANGED,
        &(struct msg_auth_edge_settings_changed){ .headers = pack_span(&self->judge.settings.headers) }, NULL);
    return r || !is_new || is_first ? r
                                    : actor_publish(self->actor, MSG_AUTH_GENERATION,
                                                    &(struct msg_auth_generation){ .generation = generation }, NULL);
}

static int generation_update(struct auth *self)
{
    uint64_t generation = 0;
    pack_reset_secret(&self->scratch, true);
    struct span facts = settings_describe(&self->judge.settings, &self->scratch);
    int r = facts.len ? store_generation(self->judge.store, facts, &generation) : FAULT(-ENOMEM);

    pack_reset_secret(&self->scratch, false);
    if (r > 0) {
        r = FAULT(-EIO);
        db_problem_tell(self->actor, self->disk.path, r);
    }
    return r ? r : settings_publish(self, generation);
}

/* Other origins count: pages come again, everybody else stays. So they do for a new life of this actor. */
static int pages_update(struct auth *self)
{
    struct span fresh = settings_describe_pages(&self->judge.settings, &self->scratch);

    if (!fresh.len) {
        return FAULT(-ENOMEM);
    }
    if (span_is(fresh, pack_span(&self->pages))) {
        return 0;
    }
    pack_reset(&self->pages);
    pack_raw(&self->pages, fresh);
    if (pack_error(&self->pages)) {
        return pack_error(&self->pages);
    }
    return actor_publish(self->actor, MSG_AUTH_REVOKED,
                         &(struct msg_auth_revoked){ .has_is_page = true,
                                                     .is_page = true,
                                                     .code = AUTH_CLOSE_CHANGED,
                                                     .reason = SPAN_LIT("gateway auth changed") },
                         NULL);
}

static int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_config_update *in = msg;

    if (settings_apply(&self->judge.settings, value_get(in->config, "gateway"), value_get(in->config, "hooks"))) {
        /* What was in force stays in force: config refuses such values before anybody sees them. */
        actor_status(self->actor, "gateway.auth cannot be understood");
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "gateway.auth cannot be understood");
    }
    actor_status(self->actor, self->judge.settings.bad_nets_n ? "an entry of gateway.trustedProxies or "
                                                                "gateway.nodes.pairing.autoApproveCidrs is no address"
                                                              : "");
    judge_rules_update(&self->judge);
    int fault = setup_calls_configure(self, in->config);
    fault = fault ? fault : generation_update(self);
    fault = fault ? fault : pages_update(self);
    return fault ? fault : config_follow_applied(ctx, msg);
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct auth *self = arg;
    int fault = config_follow_life(&self->follow, life);

    (void)address;
    if (fault) {
        (void)actor_fault(actor, fault);
    }
}

/* --- life ---------------------------------------------------------------------------------------- */

static int db_path(const char *state, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s/db", state) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    if (mkdir(path, 0700) && errno != EEXIST) {
        return FAULT(-errno);
    }
    return snprintf(path, PATH_MAX, "%s/db/auth.sqlite", state) < PATH_MAX ? 0 : FAULT(-ENAMETOOLONG);
}

/* Without it devices have to be paired anew, which is no reason to let nobody in. */
static int legacy_tell(const char *path, int r, const struct legacy_counts *counts, const char *why)
{
    if (r == LEGACY_E_UNUSABLE) {
        log_warning("devices_not_imported",
                    "from=%s problem=\"%s\" fix=\"put back a copy of it and restart the gateway, or move it away\"",
                    path, why);
        return 0;
    }
    if (r) {
        return r > 0 ? FAULT(-EIO) : r;
    }
    if (counts->sources) {
        log_info("devices_imported", "from=%s devices=%u requests=%u left=%u", path, counts->devices, counts->requests,
                 counts->left);
    }
    return 0;
}

/* What the original left behind, each once, the newer first; and where it puts setup codes. */
static int legacy_take(struct auth *self, const char *state)
{
    char folder[PATH_MAX];
    char why[LEGACY_WHY_MAX];
    struct legacy_counts counts;

    if (snprintf(folder, sizeof(folder), "%s/devices", state) >= PATH_MAX ||
        snprintf(self->judge.bootstrap_file, PATH_MAX, "%s/devices/bootstrap.json", state) >= PATH_MAX ||
        snprintf(self->judge.bootstrap_db, PATH_MAX, "%s/state/openclaw.sqlite", state) >= PATH_MAX) {
        return FAULT(-ENAMETOOLONG);
    }
    int r = legacy_import_state(self->judge.store, self->judge.bootstrap_db, clock_wall_ms(), &counts, why);
    r = legacy_tell(self->judge.bootstrap_db, r, &counts, why);
    if (r) {
        return r;
    }
    r = legacy_import_files(self->judge.store, folder, clock_wall_ms(), &counts, why);
    return legacy_tell(folder, r, &counts, why);
}

/* Nobody is let in without it, so the log is the one place that can say why. */
static int store_start(struct auth *self, const char *path)
{
    int fault = judge_init(&self->judge, path);

    if (fault) {
        db_problem_tell(self->actor, path, fault);
        return fault;
    }
    disk_watch_open(&self->disk, self->actor, path, on_disk_probe, self);
    return 0;
}

static int auth_init(void *state, struct actor *actor, const char *arg)
{
    struct auth *self = state;
    const char *dir = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *tailscaled = getenv("TS_SOCKET");   /* NOLINT(concurrency-mt-unsafe): the same */
    char path[PATH_MAX];

    (void)arg;
    self->actor = actor;
    pack_init(&self->scratch, LIST_MAX);
    pack_init(&self->place, PLACE_MAX);
    pack_init(&self->pages, 0);
    config_follow_open(&self->follow, actor);
    upgrades_init(&self->upgrades, actor);
    tailscaled = tailscaled && *tailscaled ? tailscaled : WHOIS_SOCKET;
    if (!dir || snprintf(self->tailscaled, sizeof(self->tailscaled), "%s", tailscaled) >= PATH_MAX) {
        return FAULT(-EINVAL);
    }
    int fault = db_path(dir, path);
    fault = fault ? fault : store_start(self, path);
    fault = fault ? fault : legacy_take(self, dir);
    return fault ? fault : actor_watch(actor, "config", on_config_life);
}

static void auth_deinit(void *state, struct actor *actor)
{
    struct auth *self = state;

    (void)actor;
    config_follow_close(&self->follow);
    upgrades_deinit(&self->upgrades);
    disk_watch_close(&self->disk);
    while (self->waiters) {
        waiter_destroy(self->waiters);
    }
    judge_deinit(&self->judge);
    pack_deinit(&self->scratch);
    pack_deinit(&self->place);
    pack_deinit(&self->pages);
}

static const struct actor_route auth_routes[] = {
    { MSG_AUTH_CONNECT, on_connect, 0 },
    { MSG_AUTH_HTTP, on_http, 0 },
    { MSG_AUTH_EDGE_SETTINGS, on_edge_settings, 0 },
    { MSG_DEVICE_PAIR_LIST, on_pair_list, 0 },
    { MSG_DEVICE_PAIR_APPROVE, on_pair_approve, 0 },
    { MSG_DEVICE_PAIR_REJECT, on_pair_reject, 0 },
    { MSG_DEVICE_PAIR_REMOVE, on_pair_remove, 0 },
    { MSG_DEVICE_TOKEN_ROTATE, on_token_rotate, 0 },
    { MSG_DEVICE_PAIR_RENAME, on_pair_rename, 0 },
    { MSG_DEVICE_TOKEN_REVOKE, on_token_revoke, 0 },
    { MSG_DEVICE_SCOPES_REQUEST_UPGRADE, on_scopes_request, 0 },
    { MSG_DEVICE_SCOPES_WAIT_UPGRADE, on_scopes_wait, 0 },
    { MSG_DEVICE_PAIR_SETUP_CODE, on_setup_code, 0 },
    { MSG_DEVICE_PAIR_SETUP_STATUS, on_setup_status, 0 },
    { MSG_CONFIG_UPDATE, on_config_update, 0 },
};
_Static_assert(ARRAY_LEN(auth_routes) == AUTH_ACCEPTS_N, "auth: routes, schema differ");

const struct actor_def auth_actor = {
    .name = "auth",
    .state_size = sizeof(struct auth),
    .routes = auth_routes,
    .routes_n = ARRAY_LEN(auth_routes),
    .init = auth_init,
    .deinit = auth_deinit,
    .on_cancel = auth_on_cancel,
    .is_ready_late = true,
};

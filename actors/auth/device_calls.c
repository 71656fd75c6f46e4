/*
 * device_calls: the methods device.*, which operators and devices call.
 */
#include <stdio.h>
#include <string.h>

#include "actors/auth/auth_state.h"
#include "actors/auth/manage.h"
#include "actors/auth/scopes.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

/* --- telling others ------------------------------------------------------------------ */

int device_calls_resolved(struct auth *self, const char *request_id, const char *device_id, const char *decision)
{
    return actor_publish(self->actor, EVENT_DEVICE_PAIR_RESOLVED,
                         &(struct event_device_pair_resolved){
                             .request_id = span_from(request_id),
                             .device_id = span_from(device_id),
                             .decision = span_from(decision),
                             .ts = (uint64_t)clock_wall_ms(),
                         },
                         NULL);
}

int device_calls_requested(struct auth *self, const struct pair_request *request)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    manage_request_pack(request, &self->scratch);
    pack_map_end(&self->scratch);
    return actor_publish_span(self->actor, EVENT_DEVICE_PAIR_REQUESTED, pack_span(&self->scratch), NULL);
}

/* `role` NULL: in every role. */
static int revoked_publish(struct auth *self, const char *device_id, const char *role)
{
    return actor_publish(self->actor, MSG_AUTH_REVOKED,
                         &(struct msg_auth_revoked){
                             .has_device_id = true,
                             .device_id = span_from(device_id),
                             .has_role = role != NULL,
                             .role = span_from(role),
                             .code = AUTH_CLOSE_CHANGED,
                             .reason = SPAN_LIT("device removed"),
                         },
                         NULL);
}

/* --- devices ------------------------------------------------------------------------------------ */

static struct manage_caller caller_of(const struct type_client *client)
{
    bool is_by_token = span_is_text(client->auth_method, "device-token");

    return (struct manage_caller){
        .scopes = scopes_from_list(client->scopes),
        .device_id = is_by_token ? client->device_id : (struct span){ 0 },
        .own_id = client->device_id,
    };
}

static struct manage_result result_into(struct auth *self)
{
    pack_reset(&self->scratch);
    return (struct manage_result){ .out = &self->scratch };
}

/* Sends what `manage` packed, or says why there is nothing. The scratch may hold a token. */
static int manage_answer(struct auth *self, struct actor_ctx *ctx, int r, const struct manage_result *result)
{
    if (r == MANAGE_E_REFUSED) {
        log_warning("device_refused", "device=%.32s request=%s why=\"%s\"", result->device_id, result->request_id,
                    result->text);
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", result->text);
    }
    if (auth_disk_note(self, r) > 0) {
        return actor_fail(ctx, FAIL_STORAGE, "nothing was changed: disk full or failing");
    }
    r = r ? r : actor_reply_span(ctx, pack_span(&self->scratch));
    mem_wipe(self->scratch.data, self->scratch.len);
    return r;
}

/* What the device gets to hear: of an approval its new token, so the body is secret. */
static int upgrade_pack(struct auth *self, const char *request_id, const char *device_id, bool is_approved)
{
    struct device_record record = { 0 };
    char text[SECRET_TOKEN_LEN] = "";
    bool is_found = false;
    int r = is_approved ? store_begin(self->judge.store) : 0;

    if (is_approved && !r) {
        r = devices_find(self->judge.store, device_id, &is_found, &record);
        r = r || !is_found ? r : devices_token_tell(self->judge.store, &record, CONNECT_ROLE_OPERATOR, text);
        r = store_finish(self->judge.store, r);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "status", is_approved ? "approved" : "rejected");
    pack_kv_text(&self->scratch, "requestId", request_id);
    if (is_approved) {
        pack_kv_text(&self->scratch, "deviceToken", text);
        pack_key(&self->scratch, "scopes");
        scopes_pack(record.tokens[CONNECT_ROLE_OPERATOR].scopes, &self->scratch);
    }
    pack_map_end(&self->scratch);
    mem_wipe(text, sizeof(text));
    return r ? r : pack_error(&self->scratch);
}

static int upgrade_tell(struct auth *self, const struct manage_result *result, bool is_approved)
{
    int r;

    if (!upgrades_note(&self->upgrades, result->request_id, result->device_id, is_approved)) {
        return 0; /* nobody waits for it */
    }
    r = upgrade_pack(self, result->request_id, result->device_id, is_approved);
    r = r > 0 ? 0 : r; /* a disk that fails: the device learns its token when it connects */
    r = r ? r : upgrades_answer(&self->upgrades, result->request_id, pack_span(&self->scratch));
    mem_wipe(self->scratch.data, self->scratch.len);
    return r;
}

int on_pair_list(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_list *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);

    return manage_answer(self, ctx, manage_list(self->judge.store, &caller, clock_wall_ms(), &result), &result);
}

int on_pair_approve(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_approve *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    int r = manage_approve(self->judge.store, &caller, in->request_id, clock_wall_ms(), &result);
    bool is_approved = r == 0;

    if (is_approved) {
        log_info("device_approved", "device=%.32s role=%s by=%.*s", result.device_id, connect_role_name(result.role),
                 SPAN_FMT(in->client.principal));
        r = device_calls_resolved(self, result.request_id, result.device_id, "approved");
    }
    r = manage_answer(self, ctx, r, &result);
    return r || !is_approved ? r : upgrade_tell(self, &result, true);
}

int on_pair_reject(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_reject *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    int r = manage_reject(self->judge.store, &caller, in->request_id, clock_wall_ms(), &result);
    bool is_rejected = r == 0;

    r = r ? r : device_calls_resolved(self, result.request_id, result.device_id, "rejected");
    r = manage_answer(self, ctx, r, &result);
    return r || !is_rejected ? r : upgrade_tell(self, &result, false);
}

/* The answer goes out first: it may be for one of the connections that end now. */
static int revoke_answer(struct auth *self, struct actor_ctx *ctx, int r, const struct manage_result *result,
                         const char *what, const char *role)
{
    int answered = manage_answer(self, ctx, r, result);

    if (r || answered) {
        return answered;
    }
    log_info("device_revoked", "device=%.32s what=%s role=%s", result->device_id, what, role ? role : "*");
    return revoked_publish(self, result->device_id, role);
}

int on_pair_remove(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_remove *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    int r = manage_remove(self->judge.store, &caller, in->device_id, &result);

    return revoke_answer(self, ctx, r, &result, "pairing", NULL);
}

int on_pair_rename(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_pair_rename *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    int r = manage_rename(self->judge.store, &caller, in->device_id, in->label, &result);

    if (!r) {
        log_info("device_renamed", "device=%.32s by=%.*s", result.device_id, SPAN_FMT(in->client.principal));
        r = actor_publish_span(self->actor, EVENT_DEVICE_PAIR_CHANGED, SPAN_LIT("\x80"), ctx); /* an empty map */
    }
    return manage_answer(self, ctx, r, &result);
}

int on_token_rotate(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_token_rotate *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    struct span scopes = in->has_scopes ? in->scopes : (struct span){ 0 };
    int r = manage_rotate(self->judge.store, &caller, in->device_id, in->role, scopes, clock_wall_ms(), &result);

    return revoke_answer(self, ctx, r, &result, "older token", connect_role_name(result.role));
}

int on_token_revoke(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_token_revoke *in = msg;
    struct manage_caller caller = caller_of(&in->client);
    struct manage_result result = result_into(self);
    int r = manage_revoke(self->judge.store, &caller, in->device_id, in->role, clock_wall_ms(), &result);

    return revoke_answer(self, ctx, r, &result, "token", connect_role_name(result.role));
}

/* --- more scopes for who is here already -------------------------------------------------------- */

/* The device behind the connection, paired as an operator; false when there is none. */
static int upgrade_owner(struct auth *self, const struct type_client *client, struct device_record *ret_record,
                         bool *ret_is_owner)
{
    char id[DEVICE_ID_LEN];
    bool is_found = false;

    *ret_is_owner = false;
    if (client->device_id.len != DEVICE_ID_LEN - 1 || !span_is(client->role, SPAN_LIT("operator"))) {
        return 0;
    }
    (void)snprintf(id, sizeof(id), "%.*s", SPAN_FMT(client->device_id));
    int r = devices_find(self->judge.store, id, &is_found, ret_record);
    *ret_is_owner = !r && is_found && ret_record->tokens[CONNECT_ROLE_OPERATOR].is_approved;
    return r;
}

static int device_required(struct auth *self, struct actor_ctx *ctx)
{
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "code", "DEVICE_IDENTITY_REQUIRED");
    pack_kv_text(&self->scratch, "recommendedNextStep", "reopen_control_ui_securely");
    pack_map_end(&self->scratch);
    return actor_fail_with(ctx, &(struct failure){ .code = FAIL_INVALID_REQUEST,
                                                   .message = SPAN_LIT("only a paired device can ask for more scopes"),
                                                   .details = pack_span(&self->scratch) });
}

/* Why these scopes cannot be asked for, or NULL. */
static const char *upgrade_lacks(const struct msg_device_scopes_request_upgrade *in)
{
    uint32_t wanted = scopes_from_list(in->scopes);
    struct scope_list known = { 0 };

    scope_list_add(&known, in->scopes);
    if (known.n != value_count(in->scopes)) {
        return "requested scopes contain an unknown operator scope, or one twice";
    }
    return scopes_cover(scopes_expand(wanted), scopes_from_list(in->client.scopes))
               ? NULL
               : "requested scopes must include the connection's current scopes";
}

static int upgrade_put(struct auth *self, const struct device_record *record, struct span scopes,
                       struct pair_request *ret_request, bool *ret_is_new)
{
    *ret_request = (struct pair_request){
        .identity = record->identity,
        .roles = 1U << CONNECT_ROLE_OPERATOR,
        .is_repair = true,
    };
    ret_request->identity.role = CONNECT_ROLE_OPERATOR;
    scope_list_add(&ret_request->scopes, scopes);
    int r = store_begin(self->judge.store);
    r = r ? r : requests_put(self->judge.store, ret_request, clock_wall_ms(), ret_is_new);
    return store_finish(self->judge.store, r);
}

int on_scopes_request(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_scopes_request_upgrade *in = msg;
    struct device_record record = { 0 };
    struct pair_request request;
    bool is_owner = false;
    bool is_new = false;
    const char *lacks = upgrade_lacks(in);
    int r = upgrade_owner(self, &in->client, &record, &is_owner);

    if (r || !is_owner || lacks) {
        return r ? r : !is_owner ? device_required(self, ctx) : actor_fail(ctx, FAIL_INVALID_REQUEST, "%s", lacks);
    }
    r = auth_disk_note(self, upgrade_put(self, &record, in->scopes, &request, &is_new));
    if (r) {
        return r > 0 ? actor_fail(ctx, FAIL_STORAGE, "nothing was changed: disk full or failing") : r;
    }
    log_info("device_asks", "device=%.32s request=%s", record.identity.id, request.id);
    if (is_new) {
        upgrades_drop(&self->upgrades, record.identity.id, request.id);
        r = device_calls_requested(self, &request);
    }
    pack_reset(&self->scratch);
    pack_map_begin(&self->scratch);
    pack_kv_text(&self->scratch, "requestId", request.id);
    pack_map_end(&self->scratch);
    r = r ? r : pack_error(&self->scratch);
    return r ? r : actor_reply_span(ctx, pack_span(&self->scratch));
}

int on_scopes_wait(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct auth *self = arg;
    const struct msg_device_scopes_wait_upgrade *in = msg;
    struct device_record record = { 0 };
    struct pair_request request = { 0 };
    char id[REQUESTS_ID_LEN];
    bool is_owner = false;
    bool is_found = false;
    bool is_approved = false;
    int r = upgrade_owner(self, &in->client, &record, &is_owner);

    if (r || !is_owner) {
        return r ? r : device_required(self, ctx);
    }
    (void)snprintf(id, sizeof(id), "%.*s", SPAN_FMT(in->request_id));
    if (upgrades_find(&self->upgrades, id, record.identity.id, &is_approved)) {
        r = upgrade_pack(self, id, record.identity.id, is_approved);
        r = r > 0 ? actor_fail(ctx, FAIL_STORAGE, "the token cannot be stored: disk full or failing")
            : r   ? r
                  : actor_reply_span(ctx, pack_span(&self->scratch));
        mem_wipe(self->scratch.data, self->scratch.len);
        return r;
    }
    r = requests_find(self->judge.store, id, clock_wall_ms(), &is_found, &request);
    if (r || !is_found || strcmp(request.identity.id, record.identity.id) != 0) {
        return r ? r : actor_fail(ctx, FAIL_INVALID_REQUEST, "scope upgrade expired or not found");
    }
    upgrades_wait(&self->upgrades, ctx, id, record.identity.id, request.created_ms + REQUESTS_TTL_MS);
    return 0;
}

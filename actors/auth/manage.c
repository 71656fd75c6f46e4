#include "actors/auth/manage.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"

static int refuse(struct manage_result *result, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct manage_result *result, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(result->text, sizeof(result->text), fmt, args);
    va_end(args);
    return MANAGE_E_REFUSED;
}

static bool is_admin(const struct manage_caller *caller)
{
    return (caller->scopes & SCOPES_ADMIN) != 0;
}

/* Whoever came with the token of a device manages that device alone, unless he is an administrator. */
static bool is_foreign(const struct manage_caller *caller, struct span device_id)
{
    return caller->device_id.len && !is_admin(caller) && !span_is(caller->device_id, device_id);
}

/* What was taken from a device comes back by the word of others, not by what it has in another role. */
static bool is_taken_from(const struct manage_caller *caller, const struct device_record *record,
                          enum connect_role role)
{
    return record->tokens[role].revoked_ms && !is_admin(caller) && span_is_text(caller->own_id, record->identity.id);
}

static void id_copy(char *out, size_t out_len, struct span id)
{
    snprintf(out, out_len, "%.*s", SPAN_FMT(id));
}

/* --- showing --------------------------------------------------------------------------- */

static void text_pack(struct pack *out, const char *key, const char *text)
{
    struct span value = span_from(text);

    if (value.len) {
        pack_kv_str(out, key, value);
    }
}

static void roles_pack(uint32_t roles, struct pack *out)
{
    pack_array_begin(out);
    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        if (roles & (1U << i)) {
            pack_text(out, connect_role_name((enum connect_role)i));
        }
    }
    pack_array_end(out);
}

static void identity_pack(const struct device_identity *identity, uint32_t roles, const struct scope_list *scopes,
                          struct pack *out)
{
    pack_kv_text(out, "deviceId", identity->id);
    pack_kv_text(out, "publicKey", identity->public_key);
    text_pack(out, "displayName", identity->display_name);
    text_pack(out, "platform", identity->platform);
    text_pack(out, "deviceFamily", identity->device_family);
    text_pack(out, "clientId", identity->client_id);
    text_pack(out, "clientMode", identity->client_mode);
    pack_kv_text(out, "role", connect_role_name(identity->role));
    pack_key(out, "roles");
    roles_pack(roles, out);
    pack_key(out, "scopes");
    scope_list_pack(scopes, out);
    text_pack(out, "remoteIp", identity->remote_ip);
}

void manage_request_pack(const struct pair_request *request, struct pack *out)
{
    pack_kv_text(out, "requestId", request->id);
    identity_pack(&request->identity, request->roles, &request->scopes, out);
    pack_kv_bool(out, "silent", false);
    pack_kv_bool(out, "isRepair", request->is_repair);
    pack_kv_i64(out, "ts", request->created_ms);
}

static void token_pack(const struct device_token *token, enum connect_role role, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "role", connect_role_name(role));
    pack_key(out, "scopes");
    scopes_pack(token->scopes, out);
    pack_kv_i64(out, "createdAtMs", token->created_ms);
    if (token->rotated_ms) {
        pack_kv_i64(out, "rotatedAtMs", token->rotated_ms);
    }
    if (token->revoked_ms) {
        pack_kv_i64(out, "revokedAtMs", token->revoked_ms);
    }
    pack_map_end(out);
}

static void device_pack(const struct device_record *record, struct pack *out)
{
    static const enum connect_role by_name[] = { CONNECT_ROLE_NODE, CONNECT_ROLE_OPERATOR };

    pack_map_begin(out);
    identity_pack(&record->identity, devices_roles(record), &record->scopes, out);
    text_pack(out, "operatorLabel", record->label);
    pack_kv_i64(out, "createdAtMs", record->created_ms);
    pack_kv_i64(out, "approvedAtMs", record->approved_ms);
    pack_key(out, "tokens");
    pack_array_begin(out);
    for (size_t i = 0; i < ARRAY_LEN(by_name); i++) {
        if (record->tokens[by_name[i]].is_approved) {
            token_pack(&record->tokens[by_name[i]], by_name[i], out);
        }
    }
    pack_array_end(out);
    pack_map_end(out);
}

struct listing {
    const struct manage_caller *caller;
    struct pack *out;
};

static int request_list(void *arg, const struct pair_request *request)
{
    struct listing *listing = arg;

    if (!is_foreign(listing->caller, span_from(request->identity.id))) {
        pack_map_begin(listing->out);
        manage_request_pack(request, listing->out);
        pack_map_end(listing->out);
    }
    return 0;
}

static int device_list(void *arg, const struct device_record *record)
{
    struct listing *listing = arg;

    if (!is_foreign(listing->caller, span_from(record->identity.id))) {
        device_pack(record, listing->out);
    }
    return 0;
}

int manage_list(struct store *store, const struct manage_caller *caller, int64_t now_ms, struct manage_result *result)
{
    struct listing listing = { caller, result->out };

    pack_map_begin(result->out);
    pack_key(result->out, "pending");
    pack_array_begin(result->out);
    int r = requests_each(store, now_ms, request_list, &listing);
    pack_array_end(result->out);
    pack_key(result->out, "paired");
    pack_array_begin(result->out);
    r = r ? r : devices_each(store, device_list, &listing);
    pack_array_end(result->out);
    pack_map_end(result->out);
    return r ? r : pack_error(result->out);
}

/* --- requests ---------------------------------------------------------------------------- */

static int request_look(struct store *store, const struct manage_caller *caller, struct span id, int64_t now_ms,
                        const char *denied, struct manage_result *result, struct pair_request *ret_request)
{
    bool is_found = false;

    id_copy(result->request_id, sizeof(result->request_id), id);
    int r = id.len < REQUESTS_ID_LEN ? requests_find(store, result->request_id, now_ms, &is_found, ret_request) : 0;
    if (r) {
        return r;
    }
    bool is_own = is_found && !is_foreign(caller, span_from(ret_request->identity.id));
    if (!is_own && caller->device_id.len && !is_admin(caller)) {
        return refuse(result, "%s", denied); /* also whether it exists is none of his business */
    }
    if (!is_found) {
        return refuse(result, "unknown requestId");
    }
    memcpy(result->device_id, ret_request->identity.id, sizeof(result->device_id));
    return 0;
}

static bool is_any_taken_from(const struct manage_caller *caller, const struct device_record *record, uint32_t roles)
{
    bool is_any = false;

    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        is_any = is_any || ((roles & (1U << i)) && is_taken_from(caller, record, (enum connect_role)i));
    }
    return is_any;
}

/* Nobody can give what he does not have. A request that names no scopes keeps those of the device. */
static int approval_check(struct store *store, const struct manage_caller *caller, const struct pair_request *request,
                          struct manage_result *result)
{
    uint32_t given = scopes_expand(scope_list_mask(&request->scopes));
    struct device_record record = { 0 };
    bool is_found = false;
    int r = devices_find(store, request->identity.id, &is_found, &record);

    if (r) {
        return r;
    }
    if (is_any_taken_from(caller, &record, request->roles)) {
        return refuse(result, "device pairing approval denied");
    }
    if ((request->roles & (1U << CONNECT_ROLE_NODE)) && !is_admin(caller)) {
        return refuse(result, "device pairing approval denied: a node needs the approval of operator.admin");
    }
    if (!(request->roles & (1U << CONNECT_ROLE_OPERATOR))) {
        return given ? refuse(result, "invalid scope for requested roles: %s", scopes_first(given)) : 0;
    }
    given |= scopes_expand(scope_list_mask(&record.scopes));
    uint32_t missing = given & ~scopes_covered(caller->scopes, given);
    return missing ? refuse(result, "missing scope: %s", scopes_first(missing)) : 0;
}

int manage_approve(struct store *store, const struct manage_caller *caller, struct span request_id, int64_t now_ms,
                   struct manage_result *result)
{
    struct pair_request request = { 0 };
    struct device_record record = { 0 };
    int r = request_look(store, caller, request_id, now_ms, "device pairing approval denied", result, &request);

    r = r ? r : approval_check(store, caller, &request, result);
    if (r) {
        return r;
    }
    r = store_begin(store);
    r = r ? r : devices_approve(store, &request.identity, request.roles, &request.scopes, now_ms, &record);
    r = r ? r : requests_drop_device(store, request.identity.id);
    r = store_finish(store, r);
    if (r) {
        return r;
    }
    result->role = request.identity.role;
    pack_map_begin(result->out);
    pack_kv_text(result->out, "requestId", result->request_id);
    pack_key(result->out, "device");
    device_pack(&record, result->out);
    pack_map_end(result->out);
    return pack_error(result->out);
}

int manage_reject(struct store *store, const struct manage_caller *caller, struct span request_id, int64_t now_ms,
                  struct manage_result *result)
{
    struct pair_request request = { 0 };
    int r = request_look(store, caller, request_id, now_ms, "device pairing rejection denied", result, &request);

    r = r ? r : requests_drop(store, request.id);
    if (r) {
        return r;
    }
    pack_map_begin(result->out);
    pack_kv_text(result->out, "requestId", request.id);
    pack_kv_text(result->out, "deviceId", request.identity.id);
    pack_map_end(result->out);
    return pack_error(result->out);
}

/* --- devices and tokens --------------------------------------------------------------------- */

static int device_look(struct store *store, struct span id, struct manage_result *result, bool *ret_is_found,
                       struct device_record *ret_record)
{
    id_copy(result->device_id, sizeof(result->device_id), id);
    *ret_is_found = false;
    return id.len < DEVICE_ID_LEN ? devices_find(store, result->device_id, ret_is_found, ret_record) : 0;
}

int manage_remove(struct store *store, const struct manage_caller *caller, struct span device_id,
                  struct manage_result *result)
{
    struct device_record record = { 0 };
    bool is_found = false;

    if (is_foreign(caller, device_id)) {
        return refuse(result, "device pairing removal denied");
    }
    int r = device_look(store, device_id, result, &is_found, &record);
    if (r || !is_found) {
        return r ? r : refuse(result, "unknown deviceId");
    }
    r = store_begin(store);
    r = r ? r : devices_remove(store, result->device_id, &is_found);
    r = r ? r : requests_drop_device(store, result->device_id);
    r = store_finish(store, r);
    if (r) {
        return r;
    }
    pack_map_begin(result->out);
    pack_kv_text(result->out, "deviceId", result->device_id);
    pack_map_end(result->out);
    return pack_error(result->out);
}

int manage_rename(struct store *store, const struct manage_caller *caller, struct span device_id, struct span label,
                  struct manage_result *result)
{
    struct device_record record = { 0 };
    bool is_found = false;

    label = span_trim(label);
    if (!label.len) {
        return refuse(result, "label required");
    }
    if (is_foreign(caller, device_id)) {
        return refuse(result, "device pairing rename denied");
    }
    int r = device_look(store, device_id, result, &is_found, &record);
    if (r || !is_found) {
        return r ? r : refuse(result, "unknown deviceId");
    }
    r = store_begin(store);
    r = r ? r : devices_label(store, result->device_id, label);
    r = store_finish(store, r);
    if (r) {
        return r;
    }
    pack_map_begin(result->out);
    pack_kv_text(result->out, "deviceId", result->device_id);
    pack_kv_str(result->out, "label", label);
    pack_map_end(result->out);
    return pack_error(result->out);
}

static bool role_find(struct span name, enum connect_role *ret_role)
{
    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        if (span_is_text(name, connect_role_name((enum connect_role)i))) {
            *ret_role = (enum connect_role)i;
            return true;
        }
    }
    return false;
}

/*
 * A token in an approved role, all of whose scopes the caller has himself. Who sees the device in the list is told
 * what is wrong; to others it is denied, whether there is such a device or not.
 */
static int token_look(struct store *store, const struct manage_caller *caller, struct span device_id, struct span role,
                      const char *denied, struct manage_result *result, struct device_record *ret_record)
{
    bool is_found = false;
    int r = device_look(store, device_id, result, &is_found, ret_record);

    if (r) {
        return r;
    }
    if (is_foreign(caller, device_id)) {
        return refuse(result, "%s", denied);
    }
    if (!is_found) {
        return refuse(result, "unknown deviceId");
    }
    if (!role_find(role, &result->role)) {
        return refuse(result, "%s: there is no such role, only operator and node", denied);
    }
    const struct device_token *token = &ret_record->tokens[result->role];
    if (!token->is_approved) {
        return refuse(result, "%s: the device was never approved as %s", denied, connect_role_name(result->role));
    }
    uint32_t missing = token->scopes & ~scopes_covered(caller->scopes, token->scopes);
    return missing ? refuse(result, "%s: missing scope: %s", denied, scopes_first(missing)) : 0;
}

static int rotated_pack(struct store *store, const struct manage_caller *caller, struct device_record *record,
                        struct manage_result *result)
{
    const struct device_token *token = &record->tokens[result->role];
    bool is_own = span_is_text(caller->device_id, result->device_id);
    char text[SECRET_TOKEN_LEN];

    pack_map_begin(result->out);
    pack_kv_text(result->out, "deviceId", result->device_id);
    pack_kv_text(result->out, "role", connect_role_name(result->role));
    if (is_own) {
        int r = devices_token_tell(store, record, result->role, text);
        if (r) {
            return r;
        }
        pack_kv_text(result->out, "token", text);
        mem_wipe(text, sizeof(text));
    }
    pack_key(result->out, "scopes");
    scopes_pack(token->scopes, result->out);
    pack_kv_i64(result->out, "rotatedAtMs", token->rotated_ms);
    pack_map_end(result->out);
    return pack_error(result->out);
}

int manage_rotate(struct store *store, const struct manage_caller *caller, struct span device_id, struct span role,
                  struct span scopes, int64_t now_ms, struct manage_result *result)
{
    const char *denied = "device token rotation denied";
    struct device_record record = { 0 };
    int r = token_look(store, caller, device_id, role, denied, result, &record);

    r = r ? r : is_taken_from(caller, &record, result->role) ? refuse(result, "%s", denied) : 0;
    if (r) {
        return r;
    }
    const struct device_token *token = &record.tokens[result->role];
    uint32_t wanted = scopes.len ? scopes_expand(scopes_from_list(scopes)) : token->scopes;
    uint32_t beyond = wanted & ~scopes_covered(scope_list_mask(&record.scopes), wanted);
    uint32_t missing = wanted & ~scopes_covered(caller->scopes, wanted);
    if (scopes.len && value_count(scopes) && !wanted) {
        return refuse(result, "%s: none of the scopes asked for is known", denied);
    }
    if (result->role == CONNECT_ROLE_NODE && wanted) {
        return refuse(result, "%s: a node has no scopes", denied);
    }
    if (beyond || missing) {
        return refuse(result, beyond ? "%s: the device was never approved for %s" : "%s: missing scope: %s", denied,
                      scopes_first(beyond ? beyond : missing));
    }
    r = store_begin(store);
    r = r ? r : devices_token_rotate(store, &record, result->role, wanted, now_ms);
    r = store_finish(store, r);
    return r ? r : rotated_pack(store, caller, &record, result);
}

int manage_revoke(struct store *store, const struct manage_caller *caller, struct span device_id, struct span role,
                  int64_t now_ms, struct manage_result *result)
{
    struct device_record record = { 0 };
    int r = token_look(store, caller, device_id, role, "device token revocation denied", result, &record);

    if (r) {
        return r;
    }
    r = devices_token_revoke(store, &record, result->role, now_ms);
    if (r) {
        return r;
    }
    pack_map_begin(result->out);
    pack_kv_text(result->out, "deviceId", result->device_id);
    pack_kv_text(result->out, "role", connect_role_name(result->role));
    pack_kv_i64(result->out, "revokedAtMs", now_ms);
    pack_map_end(result->out);
    return pack_error(result->out);
}

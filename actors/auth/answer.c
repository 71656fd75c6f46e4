#include "actors/auth/answer.h"

#include <stdio.h>

#include "actors/auth/scopes.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema_gen.h"

#define STARTUP_RETRY_MS 500
#define STORAGE_RETRY_MS 5000
#define DETAILS_MAX 65536

int answer_fail(const struct answer_to *to, const struct failure *failure)
{
    return to->ctx ? actor_fail_with(to->ctx, failure) : actor_token_fail(to->actor, to->token, failure);
}

static int admit(const struct answer_to *to, const struct msg_auth_decision *decision)
{
    return to->ctx ? actor_reply(to->ctx, MSG_AUTH_DECISION, decision)
                   : actor_token_reply(to->actor, to->token, MSG_AUTH_DECISION, decision);
}

/* For now: the client shall come again later. */
static int answer_later(const struct answer_to *to, int code, const char *reason, const char *closing,
                        const char *message, uint32_t retry_after_ms)
{
    CLEANUP(pack_deinit) struct pack details;

    pack_init(&details, DETAILS_MAX);
    pack_map_begin(&details);
    pack_kv_text(&details, "reason", reason);
    pack_kv_i64(&details, "_closeCode", 1013);
    pack_kv_text(&details, "_closeReason", closing);
    pack_kv_i64(&details, "_httpStatus", 503);
    pack_map_end(&details);
    return answer_fail(to, &(struct failure){
                               .code = code,
                               .message = span_from(message),
                               .retryable = true,
                               .retry_after_ms = retry_after_ms,
                               .details = pack_span(&details),
                           });
}

int answer_starting(const struct answer_to *to)
{
    return answer_later(to, FAIL_UNAVAILABLE, "startup-sidecars", "gateway starting", "gateway starting; retry shortly",
                        STARTUP_RETRY_MS);
}

int answer_no_room(const struct answer_to *to)
{
    return answer_later(to, FAIL_STORAGE, "storage", "storage full",
                        "the device cannot be stored: the disk is full or failing", STORAGE_RETRY_MS);
}

/* --- WebSocket ---------------------------------------------------------------------- */

static void principal_write(const struct judge *judge, const struct judge_ask *ask, const struct judge_verdict *verdict,
                            char out[ACTOR_PRINCIPAL_MAX])
{
    int n;

    if (verdict->device_id[0]) {
        n = snprintf(out, ACTOR_PRINCIPAL_MAX, "device/%.32s", verdict->device_id);
    } else if (verdict->user[0]) {
        n = snprintf(out, ACTOR_PRINCIPAL_MAX, "user/%.57s", verdict->user);
    } else if (verdict->proof == PAIRING_PROOF_OWNER) {
        n = snprintf(out, ACTOR_PRINCIPAL_MAX, "owner/%u", judge->owner_uid);
    } else {
        n = snprintf(out, ACTOR_PRINCIPAL_MAX, "shared/%.*s", SPAN_FMT(ask->peer->client));
    }
    (void)n; /* cut where it does not fit: it names, it does not prove */
}

/* Tokens of roles other than the one that connects. */
static void others_pack(const struct judge_verdict *verdict, struct pack *out)
{
    pack_array_begin(out);
    for (unsigned i = 0; i < DEVICES_ROLES; i++) {
        const struct judge_token *token = &verdict->tokens[i];
        if (!token->is_there || i == (unsigned)verdict->role) {
            continue;
        }
        pack_map_begin(out);
        pack_kv_text(out, "deviceToken", token->text);
        pack_kv_text(out, "role", connect_role_name((enum connect_role)i));
        pack_key(out, "scopes");
        scopes_pack(token->scopes, out);
        pack_kv_i64(out, "issuedAtMs", token->issued_at_ms);
        pack_map_end(out);
    }
    pack_array_end(out);
}

static void wipe(struct pack *pack)
{
    if (pack->data) {
        mem_wipe(pack->data, pack->len);
    }
    pack_deinit(pack);
}

int answer_connect_admit(const struct answer_to *to, const struct judge *judge, const struct judge_ask *ask,
                         const struct judge_verdict *verdict, uint64_t generation)
{
    const struct judge_token *own = &verdict->tokens[verdict->role];
    char principal[ACTOR_PRINCIPAL_MAX];
    CLEANUP(pack_deinit) struct pack scopes;
    CLEANUP(wipe) struct pack others;

    pack_init(&scopes, DETAILS_MAX);
    pack_init(&others, DETAILS_MAX);
    judge_scopes_pack(ask, verdict, &scopes);
    others_pack(verdict, &others);
    principal_write(judge, ask, verdict, principal);
    return admit(to, &(struct msg_auth_decision){
                         .principal = span_from(principal),
                         .role = span_from(connect_role_name(verdict->role)),
                         .scopes = pack_span(&scopes),
                         .generation = generation,
                         .method = span_from(verdict->method),
                         .is_local = verdict->is_local,
                         .has_device_id = verdict->device_id[0] != '\0',
                         .device_id = span_from(verdict->device_id),
                         .has_device_token = own->is_there,
                         .device_token = span_from(own->text),
                         .has_issued_at_ms = own->is_there,
                         .issued_at_ms = own->issued_at_ms,
                         .has_device_tokens = value_count(pack_span(&others)) > 0,
                         .device_tokens = pack_span(&others),
                         .has_remote_ip = ask->peer->client.len > 0,
                         .remote_ip = ask->peer->client,
                         .has_user = verdict->user[0] != '\0',
                         .user = span_from(verdict->user),
                         .has_auth_mode = true,
                         .auth_mode = span_from(settings_mode_name(judge->settings.mode)),
                     });
}

int answer_connect_refuse(const struct answer_to *to, const struct judge_ask *ask, struct judge_verdict *verdict)
{
    CLEANUP(pack_deinit) struct pack details;
    CLEANUP(pack_deinit) struct pack scopes;
    char text[REFUSAL_TEXT_MAX];

    pack_init(&details, DETAILS_MAX);
    pack_init(&scopes, DETAILS_MAX);
    scopes_pack_asked(ask->request->scopes, &scopes);
    verdict->facts.requested_scopes = pack_span(&scopes);
    refusal_pack(verdict->refusal, &verdict->facts, &details);
    refusal_text(verdict->refusal, &verdict->facts, text);
    return answer_fail(to, &(struct failure){
                               .code = refusal_code(verdict->refusal),
                               .message = span_from(text),
                               .retry_after_ms = verdict->refusal == REFUSAL_RATE ? verdict->wait_ms : 0,
                               .details = pack_span(&details),
                           });
}

/* --- HTTP ----------------------------------------------------------------------------- */

int answer_http_admit(const struct answer_to *to, const struct judge *judge, const struct connect_peer *peer,
                      const struct judge_bearer_verdict *verdict, uint64_t generation)
{
    char principal[ACTOR_PRINCIPAL_MAX];
    CLEANUP(pack_deinit) struct pack scopes;

    pack_init(&scopes, DETAILS_MAX);
    scopes_pack(verdict->scopes, &scopes);
    if (verdict->user[0]) {
        (void)snprintf(principal, sizeof(principal), "user/%.57s", verdict->user); /* cut: it only names */
    } else {
        (void)snprintf(principal, sizeof(principal), "http/%.*s", SPAN_FMT(peer->client)); /* the same */
    }
    return admit(to, &(struct msg_auth_decision){
                         .principal = span_from(principal),
                         .role = SPAN_LIT("operator"),
                         .scopes = pack_span(&scopes),
                         .generation = generation,
                         .method = span_from(verdict->method),
                         .is_local = verdict->is_local,
                         .has_remote_ip = peer->client.len > 0,
                         .remote_ip = peer->client,
                         .has_user = verdict->user[0] != '\0',
                         .user = span_from(verdict->user),
                         .has_auth_mode = true,
                         .auth_mode = span_from(settings_mode_name(judge->settings.mode)),
                     });
}

int answer_join(const struct answer_to *to, const struct connect_peer *peer, struct span setup, uint64_t generation)
{
    CLEANUP(pack_deinit) struct pack scopes;
    char principal[ACTOR_PRINCIPAL_MAX];

    pack_init(&scopes, DETAILS_MAX);
    scopes_pack(0, &scopes);
    (void)snprintf(principal, sizeof(principal), "http/%.*s", SPAN_FMT(peer->client)); /* cut: it only names */
    return admit(to, &(struct msg_auth_decision){
                         .principal = span_from(principal),
                         .role = SPAN_LIT("node"),
                         .scopes = pack_span(&scopes),
                         .generation = generation,
                         .method = SPAN_LIT("join-link"),
                         .is_local = connect_is_local(peer),
                         .has_setup = true,
                         .setup = setup,
                     });
}

int answer_http_refuse(const struct answer_to *to, const struct judge_bearer_verdict *verdict)
{
    bool is_rate = verdict->refusal == REFUSAL_RATE;
    bool is_origin = verdict->refusal == REFUSAL_ORIGIN || verdict->refusal == REFUSAL_ORIGIN_MISSING;
    CLEANUP(pack_deinit) struct pack details;

    pack_init(&details, DETAILS_MAX);
    pack_map_begin(&details);
    pack_kv_i64(&details, "_httpStatus", is_rate ? 429 : is_origin ? 403 : 401);
    pack_map_end(&details);
    return answer_fail(to, &(struct failure){
                               .code = FAIL_INVALID_REQUEST,
                               .message = is_rate     ? SPAN_LIT("Too many failed authentication attempts. Please "
                                                                     "try again later.")
                                          : is_origin ? SPAN_LIT("Forbidden")
                                                      : SPAN_LIT("Unauthorized"),
                               .retry_after_ms = is_rate ? verdict->wait_ms : 0,
                               .details = pack_span(&details),
                           });
}

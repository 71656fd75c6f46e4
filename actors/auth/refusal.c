#include "actors/auth/refusal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "actors/auth/scopes.h"
#include "bus/base/cleanup.h"
#include "bus/failure.h"
#include "schema_gen.h"

enum shape {
    SHAPE_PLAIN,    /* no details at all */
    SHAPE_PROTOCOL, /* expectedProtocol */
    SHAPE_CODE,     /* code, reason when there is one */
    SHAPE_SECRET,   /* code, authReason, canRetryWithDeviceToken, recommendedNextStep */
    SHAPE_PAIRING,
};

static const struct row {
    enum shape shape;
    const char *code;   /* of the details */
    const char *reason; /* details.reason or details.authReason */
    const char *next;   /* recommendedNextStep, or the hint of a pairing */
    const char *text;   /* "%s" stands for a hint that suits the client */
} rows[] = {
    [REFUSAL_NONE] = { SHAPE_PLAIN, NULL, NULL, NULL, "" },
    [REFUSAL_PROTOCOL] = { SHAPE_PROTOCOL, NULL, NULL, NULL, "protocol mismatch" },
    [REFUSAL_ROLE] = { SHAPE_PLAIN, NULL, NULL, NULL, "invalid role" },
    [REFUSAL_ORIGIN] = { SHAPE_CODE, "CONTROL_UI_ORIGIN_NOT_ALLOWED", "origin not allowed", NULL,
                         "origin not allowed (open the Control UI from the gateway host or allow it in "
                         "gateway.controlUi.allowedOrigins)" },
    [REFUSAL_ORIGIN_MISSING] = { SHAPE_CODE, "CONTROL_UI_ORIGIN_NOT_ALLOWED", "origin missing or invalid", NULL,
                                 "origin not allowed (open the Control UI from the gateway host or allow it in "
                                 "gateway.controlUi.allowedOrigins)" },
    [REFUSAL_UI_DEVICE] = { SHAPE_CODE, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED", NULL, NULL,
                            "control ui requires device identity (use HTTPS or localhost secure context)" },
    [REFUSAL_DEVICE_REQUIRED] = { SHAPE_CODE, "DEVICE_IDENTITY_REQUIRED", NULL, NULL, "device identity required" },
    [REFUSAL_DEVICE_ID] = { SHAPE_CODE, "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch", NULL,
                            "device identity mismatch" },
    [REFUSAL_DEVICE_STALE] = { SHAPE_CODE, "DEVICE_AUTH_SIGNATURE_EXPIRED", "device-signature-stale", NULL,
                               "device signature expired" },
    [REFUSAL_DEVICE_NONCE_MISSING] = { SHAPE_CODE, "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing", NULL,
                                       "device nonce required" },
    [REFUSAL_DEVICE_NONCE] = { SHAPE_CODE, "DEVICE_AUTH_NONCE_MISMATCH", "device-nonce-mismatch", NULL,
                               "device nonce mismatch" },
    [REFUSAL_DEVICE_SIGNATURE] = { SHAPE_CODE, "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature", NULL,
                                   "device signature invalid" },
    [REFUSAL_DEVICE_KEY] = { SHAPE_CODE, "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key", NULL,
                             "device public key invalid" },
    [REFUSAL_TOKEN_MISSING] = { SHAPE_SECRET, "AUTH_TOKEN_MISSING", "token_missing", "update_auth_configuration",
                                "unauthorized: gateway token missing (%s)" },
    [REFUSAL_TOKEN] = { SHAPE_SECRET, "AUTH_TOKEN_MISMATCH", "token_mismatch", "update_auth_credentials",
                        "unauthorized: gateway token mismatch (%s)" },
    [REFUSAL_TOKEN_UNCONFIGURED] = { SHAPE_SECRET, "AUTH_TOKEN_NOT_CONFIGURED", "token_missing_config",
                                     "update_auth_configuration",
                                     "unauthorized: gateway token not configured on gateway (set "
                                     "gateway.auth.token)" },
    [REFUSAL_PASSWORD_MISSING] = { SHAPE_SECRET, "AUTH_PASSWORD_MISSING", "password_missing",
                                   "update_auth_configuration", "unauthorized: gateway password missing (%s)" },
    [REFUSAL_PASSWORD] = { SHAPE_SECRET, "AUTH_PASSWORD_MISMATCH", "password_mismatch", "update_auth_credentials",
                           "unauthorized: gateway password mismatch (%s)" },
    [REFUSAL_PASSWORD_UNCONFIGURED] = { SHAPE_SECRET, "AUTH_PASSWORD_NOT_CONFIGURED", "password_missing_config",
                                        "update_auth_configuration",
                                        "unauthorized: gateway password not configured on gateway (set "
                                        "gateway.auth.password)" },
    [REFUSAL_BOOTSTRAP] = { SHAPE_SECRET, "AUTH_BOOTSTRAP_TOKEN_INVALID", "bootstrap_token_invalid",
                            "review_auth_configuration",
                            "unauthorized: bootstrap token invalid or expired (scan a fresh setup code)" },
    [REFUSAL_DEVICE_TOKEN] = { SHAPE_SECRET, "AUTH_DEVICE_TOKEN_MISMATCH", "device_token_mismatch",
                               "update_auth_credentials",
                               "unauthorized: device token mismatch (rotate/reissue device token)" },
    [REFUSAL_DEVICE_TOKEN_REVOKED] = { SHAPE_SECRET, "AUTH_DEVICE_TOKEN_MISMATCH", "device_token_mismatch",
                                       "update_auth_credentials",
                                       "unauthorized: device token mismatch (it was revoked; ask anew with the "
                                       "gateway's token or password)" },
    [REFUSAL_DEVICE_TOKEN_UNPAIRED] = { SHAPE_SECRET, "AUTH_DEVICE_TOKEN_MISMATCH", "device_token_mismatch",
                                        "update_auth_credentials",
                                        "unauthorized: device token mismatch (this device is not paired; ask with the "
                                        "gateway's token or password)" },
    [REFUSAL_RATE] = { SHAPE_SECRET, "AUTH_RATE_LIMITED", "rate_limited", "wait_then_retry",
                       "unauthorized: too many failed authentication attempts (retry later)" },
    [REFUSAL_TAILSCALE_USER_MISSING] = { SHAPE_SECRET, "AUTH_TAILSCALE_IDENTITY_MISSING", "tailscale_user_missing",
                                         "review_auth_configuration",
                                         "unauthorized: tailscale identity missing (use Tailscale Serve auth or "
                                         "gateway token/password)" },
    [REFUSAL_TAILSCALE_PROXY_MISSING] = { SHAPE_SECRET, "AUTH_TAILSCALE_PROXY_MISSING", "tailscale_proxy_missing",
                                          "review_auth_configuration",
                                          "unauthorized: tailscale proxy headers missing (use Tailscale Serve or "
                                          "gateway token/password)" },
    [REFUSAL_TAILSCALE_WHOIS] = { SHAPE_SECRET, "AUTH_TAILSCALE_WHOIS_FAILED", "tailscale_whois_failed",
                                  "review_auth_configuration",
                                  "unauthorized: tailscale identity check failed (use Tailscale Serve auth or "
                                  "gateway token/password)" },
    [REFUSAL_TAILSCALE_USER] = { SHAPE_SECRET, "AUTH_TAILSCALE_IDENTITY_MISMATCH", "tailscale_user_mismatch",
                                 "review_auth_configuration",
                                 "unauthorized: tailscale identity mismatch (use Tailscale Serve auth or gateway "
                                 "token/password)" },
    [REFUSAL_PROXY_UNCONFIGURED] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_config_missing",
                                     "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_NONE] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_no_proxies_configured",
                             "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_SOURCE] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_untrusted_source",
                               "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_LOOPBACK] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_loopback_source",
                                 "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_HEADER] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_missing_header_",
                               "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_USER_MISSING] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_user_missing",
                                     "review_auth_configuration", "unauthorized" },
    [REFUSAL_PROXY_USER] = { SHAPE_SECRET, "AUTH_UNAUTHORIZED", "trusted_proxy_user_not_allowed",
                             "review_auth_configuration", "unauthorized" },
    [REFUSAL_NOT_PAIRED] = { SHAPE_PAIRING, "PAIRING_REQUIRED", "not-paired",
                             "Approve this device from the pending pairing requests.",
                             "pairing required: device is not approved yet" },
    [REFUSAL_ROLE_UPGRADE] = { SHAPE_PAIRING, "PAIRING_REQUIRED", "role-upgrade",
                               "Review the requested role upgrade, then approve the pending request.",
                               "pairing required: device is asking for a higher role than currently approved" },
    [REFUSAL_ROLE_REVOKED] = { SHAPE_PAIRING, "PAIRING_REQUIRED", "role-upgrade",
                               "An operator revoked the token of this device. Approve the pending request when it may "
                               "come back.",
                               "pairing required: the token of this device was revoked" },
    [REFUSAL_SCOPE_UPGRADE] = { SHAPE_PAIRING, "PAIRING_REQUIRED", "scope-upgrade",
                                "Review the requested scopes, then approve the pending upgrade.",
                                "pairing required: device is asking for more scopes than currently approved" },
    [REFUSAL_METADATA_UPGRADE] = { SHAPE_PAIRING, "PAIRING_REQUIRED", "metadata-upgrade",
                                   "Review the refreshed device details, then approve the pending request.",
                                   "pairing required: device identity changed and must be re-approved" },
};

#define SECRET_COMMAND "look into the file that this names: openclaw config file" /* no command shows the secret */
#define PAIRING_COMMAND "openclaw devices approve %s"
#define ASK_COMMAND "connect with gateway.auth.token or gateway.auth.password, then: openclaw devices list"

/* What was looked at, and what to do: a command for the gateway's machine, or a setting. */
static const struct advice {
    const char *credential;
    const char *remedy; /* "%s": the pairing request, or the header that is missing */
} advices[] = {
    [REFUSAL_NONE] = { NULL, NULL },
    [REFUSAL_PROTOCOL] = { NULL, NULL },
    [REFUSAL_ROLE] = { NULL, NULL },
    [REFUSAL_ORIGIN] = { "Origin header", "list the page in gateway.controlUi.allowedOrigins" },
    [REFUSAL_ORIGIN_MISSING] = { "Origin header", "list the page in gateway.controlUi.allowedOrigins" },
    [REFUSAL_UI_DEVICE] = { "device identity", "open the page over HTTPS or on localhost" },
    [REFUSAL_DEVICE_REQUIRED] = { "device identity", "connect with a signed device identity" },
    [REFUSAL_DEVICE_ID] = { "device.id", "send the SHA-256 of device.publicKey" },
    [REFUSAL_DEVICE_STALE] = { "device.signedAt", "set the clock of the device" },
    [REFUSAL_DEVICE_NONCE_MISSING] = { "device.nonce", "sign the nonce of connect.challenge" },
    [REFUSAL_DEVICE_NONCE] = { "device.nonce", "sign the nonce of connect.challenge of this connection" },
    [REFUSAL_DEVICE_SIGNATURE] = { "device.signature", "sign what is sent, in the format v3 or v2" },
    [REFUSAL_DEVICE_KEY] = { "device.publicKey", "send an Ed25519 key" },
    [REFUSAL_TOKEN_MISSING] = { "gateway.auth.token", SECRET_COMMAND },
    [REFUSAL_TOKEN] = { "gateway.auth.token", SECRET_COMMAND
                        "; a device token that is no longer known here is taken for a wrong one: connect once with "
                        "gateway.auth.token" },
    [REFUSAL_TOKEN_UNCONFIGURED] = { "gateway.auth.token", "openclaw config set gateway.auth.token <secret>" },
    [REFUSAL_PASSWORD_MISSING] = { "gateway.auth.password", SECRET_COMMAND },
    [REFUSAL_PASSWORD] = { "gateway.auth.password", SECRET_COMMAND },
    [REFUSAL_PASSWORD_UNCONFIGURED] = { "gateway.auth.password", "openclaw config set gateway.auth.password <secret>" },
    [REFUSAL_BOOTSTRAP] = { "setup code", "openclaw qr" },
    [REFUSAL_DEVICE_TOKEN] = { "device token", "connect once with gateway.auth.token or gateway.auth.password, or "
                                               "with a fresh setup code: openclaw qr" },
    [REFUSAL_DEVICE_TOKEN_REVOKED] = { "device token, which was revoked", ASK_COMMAND },
    [REFUSAL_DEVICE_TOKEN_UNPAIRED] = { "pairing of the device", ASK_COMMAND },
    [REFUSAL_RATE] = { "attempts of this address", "wait, or connect from a device that is paired" },
    [REFUSAL_TAILSCALE_USER_MISSING] = { "Tailscale-User-Login header", "tailscale serve status" },
    [REFUSAL_TAILSCALE_PROXY_MISSING] = { "X-Forwarded-* headers", "tailscale serve status" },
    [REFUSAL_TAILSCALE_WHOIS] = { "tailscaled", "tailscale status" },
    [REFUSAL_TAILSCALE_USER] = { "Tailscale-User-Login header", "tailscale whois <address>" },
    [REFUSAL_PROXY_UNCONFIGURED] = { "gateway.auth.trustedProxy", "set gateway.auth.trustedProxy.userHeader" },
    [REFUSAL_PROXY_NONE] = { "gateway.trustedProxies", "list the proxy in gateway.trustedProxies" },
    [REFUSAL_PROXY_SOURCE] = { "gateway.trustedProxies", "list the proxy in gateway.trustedProxies" },
    [REFUSAL_PROXY_LOOPBACK] = { "gateway.auth.trustedProxy.allowLoopback",
                                 "set gateway.auth.trustedProxy.allowLoopback, or use gateway.auth.password" },
    [REFUSAL_PROXY_HEADER] = { "gateway.auth.trustedProxy.requiredHeaders", "make the proxy send %s" },
    [REFUSAL_PROXY_USER_MISSING] = { "gateway.auth.trustedProxy.userHeader", "make the proxy send the user" },
    [REFUSAL_PROXY_USER] = { "gateway.auth.trustedProxy.allowUsers", "list the user there" },
    [REFUSAL_NOT_PAIRED] = { "pairing of the device", PAIRING_COMMAND },
    [REFUSAL_ROLE_UPGRADE] = { "approved roles of the device", PAIRING_COMMAND },
    [REFUSAL_ROLE_REVOKED] = { "device token, which was revoked", PAIRING_COMMAND },
    [REFUSAL_SCOPE_UPGRADE] = { "approved scopes of the device", PAIRING_COMMAND },
    [REFUSAL_METADATA_UPGRADE] = { "platform and family of the device", PAIRING_COMMAND },
};
_Static_assert(ARRAY_LEN(advices) == ARRAY_LEN(rows), "an advice for each refusal");

static const char *token_hint(enum refusal_audience audience)
{
    switch (audience) {
    case REFUSAL_FOR_CLI:
        return "set gateway.remote.token to match gateway.auth.token";
    case REFUSAL_FOR_PAGE:
        return "open the dashboard URL and paste the token in Control UI settings";
    case REFUSAL_FOR_OTHERS:
        break;
    }
    return "provide gateway auth token";
}

static const char *password_hint(enum refusal_audience audience)
{
    switch (audience) {
    case REFUSAL_FOR_CLI:
        return "set gateway.remote.password to match gateway.auth.password";
    case REFUSAL_FOR_PAGE:
        return "enter the password in Control UI settings";
    case REFUSAL_FOR_OTHERS:
        break;
    }
    return "provide gateway auth password";
}

int refusal_code(enum refusal refusal)
{
    bool is_pairing = rows[refusal].shape == SHAPE_PAIRING || refusal == REFUSAL_DEVICE_REQUIRED;

    return is_pairing ? FAIL_NOT_PAIRED : FAIL_INVALID_REQUEST;
}

void refusal_text(enum refusal refusal, const struct refusal_facts *facts, char text[REFUSAL_TEXT_MAX])
{
    const char *form = rows[refusal].text;
    const char *slot = strstr(form, "%s");
    bool is_password = refusal == REFUSAL_PASSWORD || refusal == REFUSAL_PASSWORD_MISSING;
    const char *hint = is_password ? password_hint(facts->audience) : token_hint(facts->audience);

    if (!slot) {
        snprintf(text, REFUSAL_TEXT_MAX, "%s", form);
        return;
    }
    snprintf(text, REFUSAL_TEXT_MAX, "%.*s%s%s", (int)(slot - form), form, hint, slot + 2);
}

static void close_pack(enum refusal refusal, const struct refusal_facts *facts, struct pack *out)
{
    char text[REFUSAL_TEXT_MAX];
    char reason[REFUSAL_TEXT_MAX + 64];

    refusal_text(refusal, facts, text);
    int n = snprintf(reason, sizeof(reason), facts->request_id ? "%s (requestId: %s)" : "%s%s", text,
                     facts->request_id ? facts->request_id : "");
    size_t len = n < REFUSAL_CLOSE_REASON_MAX ? (size_t)n : REFUSAL_CLOSE_REASON_MAX;
    pack_kv_i64(out, "_closeCode", refusal == REFUSAL_PROTOCOL ? 1002 : 1008);
    pack_kv_str(out, "_closeReason", (struct span){ reason, len }); /* texts are ASCII: any byte may end them */
}

static void roles_pack(const char *roles, struct pack *out)
{
    pack_array_begin(out);
    while (*roles) {
        size_t len = strcspn(roles, ",");
        pack_str(out, (struct span){ roles, len });
        roles += len + (roles[len] == ',');
    }
    pack_array_end(out);
}

static void pairing_pack(const struct row *row, const struct refusal_facts *facts, struct pack *out)
{
    pack_kv_text(out, "code", row->code);
    pack_kv_text(out, "reason", row->reason);
    if (facts->request_id) {
        pack_kv_text(out, "requestId", facts->request_id);
    }
    pack_kv_text(out, "remediationHint", row->next);
    pack_kv_str(out, "deviceId", facts->device_id);
    pack_kv_text(out, "requestedRole", facts->requested_role);
    pack_kv_raw(out, "requestedScopes", facts->requested_scopes);
    if (facts->is_known) {
        pack_key(out, "approvedRoles");
        roles_pack(facts->approved_roles, out);
        pack_key(out, "approvedScopes");
        scopes_pack(facts->approved_scopes, out);
    }
}

static void advice_pack(enum refusal refusal, const struct refusal_facts *facts, struct pack *out)
{
    const struct advice *advice = &advices[refusal];
    const char *slot = advice->remedy ? strstr(advice->remedy, "%s") : NULL;
    struct span what = span_from(facts->request_id ? facts->request_id : facts->header);
    char text[REFUSAL_TEXT_MAX];

    if (!advice->credential) {
        return;
    }
    if (slot) {
        snprintf(text, sizeof(text), "%.*s%.*s%s", (int)(slot - advice->remedy), advice->remedy, SPAN_FMT(what),
                 slot + 2);
    } else {
        snprintf(text, sizeof(text), "%s", advice->remedy);
    }
    pack_kv_text(out, "credential", advice->credential);
    pack_kv_text(out, "remedy", text);
}

static void secret_pack(enum refusal refusal, const struct refusal_facts *facts, struct pack *out)
{
    const struct row *row = &rows[refusal];
    bool can_retry = refusal == REFUSAL_TOKEN && facts->can_retry_with_device_token;

    char reason[REFUSAL_TEXT_MAX];

    snprintf(reason, sizeof(reason), "%s%s", row->reason, facts->header ? facts->header : "");
    pack_kv_text(out, "code", row->code);
    pack_kv_text(out, "authReason", reason);
    pack_kv_bool(out, "canRetryWithDeviceToken", can_retry);
    pack_kv_text(out, "recommendedNextStep", can_retry ? "retry_with_device_token" : row->next);
}

void refusal_pack(enum refusal refusal, const struct refusal_facts *facts, struct pack *out)
{
    const struct row *row = &rows[refusal];

    pack_map_begin(out);
    switch (row->shape) {
    case SHAPE_PLAIN:
        break;
    case SHAPE_PROTOCOL:
        pack_kv_i64(out, "expectedProtocol", facts->protocol);
        break;
    case SHAPE_CODE:
        pack_kv_text(out, "code", row->code);
        if (row->reason) {
            pack_kv_text(out, "reason", row->reason);
        }
        break;
    case SHAPE_SECRET:
        secret_pack(refusal, facts, out);
        break;
    case SHAPE_PAIRING:
        pairing_pack(row, facts, out);
        break;
    }
    advice_pack(refusal, facts, out);
    close_pack(refusal, facts, out);
    pack_map_end(out);
}

/*
 * refusal: why a client is not let in, and what it is told (facts of the protocol that
 * clients read: code, details, close code and reason). Pure.
 */
#ifndef ACTORS_AUTH_REFUSAL_H
#define ACTORS_AUTH_REFUSAL_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"

#define REFUSAL_TEXT_MAX 256
#define REFUSAL_CLOSE_REASON_MAX 120 /* bytes of a close reason on the wire */

enum refusal {
    REFUSAL_NONE,
    REFUSAL_PROTOCOL,
    REFUSAL_ROLE,
    REFUSAL_ORIGIN,
    REFUSAL_ORIGIN_MISSING,
    REFUSAL_UI_DEVICE,
    REFUSAL_DEVICE_REQUIRED,
    REFUSAL_DEVICE_ID,
    REFUSAL_DEVICE_STALE,
    REFUSAL_DEVICE_NONCE_MISSING,
    REFUSAL_DEVICE_NONCE,
    REFUSAL_DEVICE_SIGNATURE,
    REFUSAL_DEVICE_KEY,
    REFUSAL_TOKEN_MISSING,
    REFUSAL_TOKEN,
    REFUSAL_TOKEN_UNCONFIGURED,
    REFUSAL_PASSWORD_MISSING,
    REFUSAL_PASSWORD,
    REFUSAL_PASSWORD_UNCONFIGURED,
    REFUSAL_BOOTSTRAP,
    REFUSAL_DEVICE_TOKEN,
    REFUSAL_DEVICE_TOKEN_REVOKED,
    REFUSAL_DEVICE_TOKEN_UNPAIRED,
    REFUSAL_RATE,
    REFUSAL_TAILSCALE_USER_MISSING,
    REFUSAL_TAILSCALE_PROXY_MISSING,
    REFUSAL_TAILSCALE_WHOIS,
    REFUSAL_TAILSCALE_USER,
    REFUSAL_PROXY_UNCONFIGURED,
    REFUSAL_PROXY_NONE,
    REFUSAL_PROXY_SOURCE,
    REFUSAL_PROXY_LOOPBACK,
    REFUSAL_PROXY_HEADER,
    REFUSAL_PROXY_USER_MISSING,
    REFUSAL_PROXY_USER,
    REFUSAL_NOT_PAIRED,
    REFUSAL_ROLE_UPGRADE,
    REFUSAL_ROLE_REVOKED,
    REFUSAL_SCOPE_UPGRADE,
    REFUSAL_METADATA_UPGRADE,
};

/* Which words help this kind of client. */
enum refusal_audience {
    REFUSAL_FOR_OTHERS,
    REFUSAL_FOR_CLI,
    REFUSAL_FOR_PAGE,
};

/* What a refusal may need beside its name; unused parts are zero. */
struct refusal_facts {
    enum refusal_audience audience;
    bool can_retry_with_device_token;
    int protocol;                 /* PROTOCOL */
    const char *header;           /* PROXY_HEADER: which is missing */
    const char *request_id;       /* pairing */
    struct span device_id;        /* pairing */
    const char *requested_role;   /* pairing */
    struct span requested_scopes; /* packed array; pairing */
    bool is_known;                /* pairing: the device is paired already, as follows */
    const char *approved_roles;   /* comma list */
    uint32_t approved_scopes;
};

/* FAIL_* number of the refusal. */
int refusal_code(enum refusal refusal);
void refusal_text(enum refusal refusal, const struct refusal_facts *facts, char text[REFUSAL_TEXT_MAX]);
/* The details map: what the client may see, then _closeCode and _closeReason. */
void refusal_pack(enum refusal refusal, const struct refusal_facts *facts, struct pack *out);

#endif

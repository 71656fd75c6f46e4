#include "edge/listener/hello.h"

#include <stdio.h>
#include <stdlib.h>

#include "edge/listener/edge.h"
#include "edge/listener/frame.h"
#include "edge/listener/surface.h"
#include "edge/listener/ws.h"
#include "schema_gen.h"

static int add(struct text_buf *out, const char *text)
{
    return text_buf_add(out, span_from(text));
}

/* Whatever the protocol of the client: what one of them alone has is served to the others as well. */
static bool is_listed(const struct schema_msg *msg, bool is_event)
{
    const struct schema_method *method = schema_method_of(msg);
    const struct schema_event *event = schema_event_of(msg);

    if (is_event) {
        return event && (event->flags & SCHEMA_EVENT_ADVERTISED);
    }
    return method && (method->flags & SCHEMA_METHOD_ADVERTISED);
}

static int names_add(struct text_buf *out, bool is_event)
{
    bool is_first = true;
    int r = 0;

    for (size_t i = 0; !r && i < schema_registry.msgs_n; i++) {
        const struct schema_msg *msg = schema_registry.msgs[i];

        if (is_listed(msg, is_event)) {
            r = is_first ? 0 : add(out, ",");
            r = r ? r : json_from_text((struct span){ msg->name, msg->name_len }, out);
            is_first = false;
        }
    }
    return r;
}

int hello_features(struct text_buf *out)
{
    int r = add(out, "{\"methods\":[");

    r = r ? r : names_add(out, false);
    r = r ? r : add(out, "],\"events\":[");
    r = r ? r : names_add(out, true);
    return r ? r : add(out, "]}");
}

unsigned hello_protocol(int64_t min, int64_t max)
{
    int64_t newest = max < HELLO_PROTOCOL_MAX ? max : HELLO_PROTOCOL_MAX;

    return newest >= HELLO_PROTOCOL_MIN && newest >= min ? (unsigned)newest : 0;
}

static int text_add(struct text_buf *out, const char *key, const char *value)
{
    int r;

    if (!value || !value[0]) {
        return 0;
    }
    r = add(out, ",\"");
    r = r ? r : add(out, key);
    r = r ? r : add(out, "\":");
    return r ? r : json_from_text(span_from(value), out);
}

/* Where the gateway keeps its files is for administrators alone. */
static int private_add(const struct edge *edge, const struct msg_auth_decision *decision, struct text_buf *out)
{
    char mode[33];

    int r = text_add(out, "configPath", getenv("OPENCLAW_CONFIG_PATH"));

    r = r ? r : text_add(out, "stateDir", getenv("OPENCLAW_STATE_DIR"));
    (void)snprintf(mode, sizeof(mode), "%.*s", SPAN_FMT(decision->auth_mode)); /* max 32 */
    return r ? r : text_add(out, "authMode", decision->has_auth_mode ? mode : edge->auth_mode);
}

static int snapshot_add(struct conn *conn, const struct msg_auth_decision *decision,
                        const struct msg_health_snapshot_value *health, struct text_buf *out)
{
    char text[160];
    int r = add(out, ",\"snapshot\":{\"presence\":");

    r = r ? r : json_from_value(health->presence, out);
    r = r ? r : add(out, ",\"health\":");
    r = r ? r : json_from_value(health->health, out);
    (void)snprintf(text, sizeof(text), ",\"stateVersion\":{\"presence\":%llu,\"health\":%llu},\"uptimeMs\":%llu",
                   (unsigned long long)health->state_version.presence, (unsigned long long)health->state_version.health,
                   (unsigned long long)health->uptime_ms); /* fits */
    r = r ? r : add(out, text);
    r = r ? r : add(out, ",\"sessionDefaults\":");
    r = r ? r : json_from_value(health->session_defaults, out);
    if (!r && scope_is_admin(&ws_of(conn)->scopes)) {
        r = private_add(conn->edge, decision, out);
    }
    return r ? r : add(out, "}");
}

/* Protocol 4 names what let the client in; its list does not know the owner of the local socket. */
static int auth_method_add(const struct msg_auth_decision *decision, unsigned protocol, struct text_buf *out)
{
    int r;

    if (protocol < 4 || span_is_text(decision->method, "owner")) {
        return 0;
    }
    r = add(out, "\"method\":");
    r = r ? r : json_from_text(decision->method, out);
    return r ? r : add(out, ",");
}

static int auth_add(const struct msg_auth_decision *decision, unsigned protocol, struct text_buf *out)
{
    char text[48];
    int r = add(out, ",\"auth\":{");

    r = r ? r : auth_method_add(decision, protocol, out);
    r = r ? r : add(out, "\"role\":");
    r = r ? r : json_from_text(decision->role, out);
    r = r ? r : add(out, ",\"scopes\":");
    r = r ? r : json_from_value(decision->scopes, out);
    if (!r && decision->has_device_token) {
        r = add(out, ",\"deviceToken\":");
        r = r ? r : json_from_text(decision->device_token, out);
    }
    if (!r && decision->has_issued_at_ms) {
        (void)snprintf(text, sizeof(text), ",\"issuedAtMs\":%lld", (long long)decision->issued_at_ms); /* fits */
        r = add(out, text);
    }
    if (!r && decision->has_device_tokens) {
        r = add(out, ",\"deviceTokens\":");
        r = r ? r : json_from_value(decision->device_tokens, out);
    }
    return r ? r : add(out, "}");
}

/* The start of this gateway, for whoever waits for the next one. The supervising process has chosen it. */
static int server_add(struct conn *conn, unsigned protocol, struct text_buf *out)
{
    char text[192];
    int r;

    (void)snprintf(text, sizeof(text),
                   "{\"type\":\"hello-ok\",\"protocol\":%u,\"server\":{\"version\":\"%s\",\"connId\":\"%s\"", protocol,
                   OPENCLAW_VERSION, ws_of(conn)->conn_id); /* fits */
    r = add(out, text);
    r = r || protocol < 4 ? r : text_add(out, "bootId", getenv("OPENCLAW_BOOT_ID"));
    return r ? r : add(out, "}");
}

/* Where others than this client find the control UI, which is not where the client came in. */
static int control_ui_add(const struct site *site, unsigned protocol, struct text_buf *out)
{
    char url[SITE_ORIGIN_MAX + SITE_BASE_MAX];

    if (protocol < 4 || !site->is_on || !site->origin[0]) {
        return 0;
    }
    (void)snprintf(url, sizeof(url), "%s%s", site->origin, site->base); /* fits */
    return text_add(out, "controlUiUrl", url);
}

static int payload_add(struct conn *conn, const struct msg_auth_decision *decision,
                       const struct msg_health_snapshot_value *health, struct text_buf *out)
{
    struct edge *edge = conn->edge;
    unsigned protocol = ws_of(conn)->protocol;
    char text[192];
    int r;

    r = server_add(conn, protocol, out);
    r = r ? r : add(out, ",\"features\":");
    r = r ? r : text_buf_add(out, (struct span){ edge->features.data, edge->features.len });
    r = r ? r : snapshot_add(conn, decision, health, out);
    r = r ? r : control_ui_add(&edge->site, protocol, out);
    r = r ? r : surface_hello_write(conn, out);
    r = r ? r : auth_add(decision, protocol, out);
    (void)snprintf(text, sizeof(text), ",\"policy\":{\"maxPayload\":%u,\"maxBufferedBytes\":%u,\"tickIntervalMs\":%u}}",
                   LIMIT_PAYLOAD, LIMIT_BUFFERED, TIME_TICK_MS); /* fits */
    return r ? r : add(out, text);
}

void hello_send(struct conn *conn, struct span id, const struct msg_auth_decision *decision,
                const struct msg_health_snapshot_value *health)
{
    size_t at;
    struct text_buf *out;
    int r;

    conn_out_secret(conn); /* it may hold a token of the device's, and a capability */
    out = ws_begin(conn, &at);
    conn->edge->presence_version = health->state_version.presence;
    conn->edge->health_version = health->state_version.health;
    if (!out) {
        return;
    }
    r = frame_answer_open(id, out);
    r = r ? r : payload_add(conn, decision, health, out);
    r = r ? r : add(out, "}");
    if (r) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    ws_end(conn, out, at);
}

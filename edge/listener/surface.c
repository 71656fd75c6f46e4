#include "edge/listener/surface.h"

#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/listener/capability.h"
#include "edge/listener/frame.h"
#include "edge/listener/hello.h"
#include "schema_gen.h"

#define NAME "canvas" /* the one surface that there is */

/* A node of the newest protocol says what it has; older ones are told of the canvas whatever they are. */
static bool is_shown(const struct ws *ws, struct span caps)
{
    struct value_iter iter = value_iter(caps);
    struct span key;
    struct span item;

    if (!ws->scopes.is_node) {
        return scope_check(&ws->scopes, "operator.read") == SCOPE_ALLOWED;
    }
    while (ws->protocol >= HELLO_PROTOCOL_MAX && value_next(&iter, &key, &item)) {
        if (span_is_text(value_str(item, (struct span){ NULL, 0 }), NAME)) {
            return true;
        }
    }
    return ws->protocol < HELLO_PROTOCOL_MAX;
}

void surface_allow(struct ws *ws, const char *origin, struct span caps)
{
    if (origin && is_shown(ws, caps)) {
        ws->capability = capability_new(origin);
    }
}

static struct capability *capability_of(struct conn *conn)
{
    return conn->edge->canvas.is_on ? ws_of(conn)->capability : NULL;
}

/* `is_new`: as the newest protocol has it. */
static int url_write(struct conn *conn, bool is_new, struct text_buf *out)
{
    int r =
        text_buf_add(out, is_new ? SPAN_LIT("\"pluginSurfaceUrls\":{\"" NAME "\":") : SPAN_LIT("\"canvasHostUrl\":"));

    r = r ? r : capability_url_write(ws_of(conn)->capability, out);
    return r || !is_new ? r : text_buf_add(out, SPAN_LIT("}"));
}

int surface_hello_write(struct conn *conn, struct text_buf *out)
{
    struct capability *capability = capability_of(conn);
    int r;

    if (!capability) {
        return 0;
    }
    capability_renew(capability, conn->edge);
    r = text_buf_add(out, SPAN_LIT(","));
    return r ? r : url_write(conn, ws_of(conn)->protocol >= HELLO_PROTOCOL_MAX, out);
}

/* --- anew -------------------------------------------------------------------------------------- */

/* The members of the answer apart from the address, each with its comma. */
static int facts_write(struct conn *conn, bool is_new, bool is_renewed, struct text_buf *out)
{
    char text[160];
    int len = 0;

    if (is_new) {
        len = snprintf(text, sizeof(text), ",\"surface\":\"" NAME "\"");
    } else {
        len = snprintf(text, sizeof(text), ",\"canvasCapability\":\"%s\"", ws_of(conn)->capability->token);
    }
    if (is_renewed) {
        len += snprintf(text + len, sizeof(text) - (size_t)len, ",\"%s\":%lld",
                        is_new ? "expiresAtMs" : "canvasCapabilityExpiresAtMs",
                        (long long)clock_wall_ms() + (long long)conn->edge->capability_ms); /* fits */
    }
    return text_buf_add(out, (struct span){ text, (size_t)len });
}

static void answer(struct conn *conn, struct span id, bool is_new, bool is_renewed)
{
    size_t at;
    struct text_buf *out;
    int r;

    conn_out_secret(conn);
    out = ws_begin(conn, &at);
    if (!out) {
        return;
    }
    r = frame_answer_open(id, out);
    r = r ? r : text_buf_add(out, SPAN_LIT("{"));
    r = r ? r : url_write(conn, is_new, out);
    r = r ? r : facts_write(conn, is_new, is_renewed, out);
    r = r ? r : text_buf_add(out, SPAN_LIT("}}"));
    if (r) {
        ws_undo(out, at);
        conn_kill(conn);
        return;
    }
    ws_end(conn, out, at);
}

/* Does the client ask because of an address that is not the newest? Then it only has to be told that one: two of its
 * parts that find the same old address void must not take the new one from each other. */
static bool is_behind(const struct capability *self, struct span observed)
{
    return observed.len > 0 && memmem(observed.ptr, observed.len, "/__openclaw__/cap/", 18) != NULL &&
           memmem(observed.ptr, observed.len, self->token, CAPABILITY_LEN) == NULL;
}

bool surface_take(struct conn *conn, struct span id, const struct schema_msg *msg, struct span body)
{
    struct edge *edge = conn->edge;
    struct capability *capability = capability_of(conn);
    struct span none = { NULL, 0 };
    struct span surface = value_str(value_get(body, "surface"), none);
    struct span observed = value_str(value_get(body, "observedUrl"), none);
    struct failure unnamed = { .code = FAIL_INVALID_REQUEST, .message = SPAN_LIT("surface required") };
    struct failure absent = { .code = FAIL_UNAVAILABLE,
                              .message = SPAN_LIT("this connection has no such surface: the canvas host is off "
                                                  "(canvasHost.enabled), or the client did not offer to show one") };
    bool is_named = msg == MSG_NODE_PLUGIN_SURFACE_REFRESH || msg == MSG_PLUGIN_SURFACE_REFRESH;

    if (!is_named && msg != MSG_NODE_CANVAS_CAPABILITY_REFRESH) {
        return false;
    }
    if (is_named && surface.len == 0) {
        ws_refuse(conn, id, &unnamed);
    } else if (!capability || (is_named && !span_is_text(surface, NAME))) {
        ws_refuse(conn, id, &absent);
    } else if (capability_is_valid(capability, edge) && is_behind(capability, observed)) {
        answer(conn, id, is_named, false);
    } else {
        capability_renew(capability, edge);
        answer(conn, id, is_named, true);
    }
    tally_rpc(&edge->tally, msg, !capability || (is_named && !span_is_text(surface, NAME)), 0);
    return true;
}

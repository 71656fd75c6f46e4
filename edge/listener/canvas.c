#include "edge/listener/canvas.h"

#include <errno.h>
#include <string.h>

#include "bus/base/log.h"
#include "edge/http/canvas.h"
#include "edge/listener/capability.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/live.h"
#include "edge/listener/site_file.h"
#include "edge/ui/pages.h"

static const struct site_file_kind canvas_kind;
static const struct site_file_kind own_kind;

/* --- answers without a file ------------------------------------------------------------------- */

static void absent_answer(struct stream *stream, bool is_head)
{
    struct response response = {
        .status = 404, .type = RESPONSE_TEXT, .body = SPAN_LIT("Not Found"), .cache = "no-store", .is_head = is_head
    };

    site_file_answer(stream, &canvas_kind, response, (struct span){ NULL, 0 });
}

/* As auth refuses: nothing is said about which part of it was wrong. */
static void denied_answer(struct stream *stream, const struct request *request)
{
    stream->is_kept_alive = stream->is_kept_alive && !request->is_upgrade;
    http_answer(stream, (struct response){
                            .status = 401,
                            .type = RESPONSE_JSON,
                            .cache = "no-store",
                            .body = SPAN_LIT("{\"error\":{\"message\":\"Unauthorized\",\"type\":\"unauthorized\"}}"),
                            .is_head = request->method == REQUEST_HEAD });
}

/* To `segment` with a slash behind it, relative to where the client is: so a capability in its address stays there. */
static void redirect_answer(struct stream *stream, const char *segment, struct span query, bool is_head)
{
    struct text_buf more = { 0 };
    int r = text_buf_add(&more, SPAN_LIT("Location: "));

    r = r ? r : canvas_segment_write(segment, &more);
    r = r ? r : text_buf_add(&more, query.len ? SPAN_LIT("/?") : SPAN_LIT("/"));
    r = r ? r : text_buf_add(&more, query);
    r = r ? r : text_buf_add(&more, SPAN_LIT("\r\n"));
    if (r) {
        stream->ops->break_off(stream);
    } else {
        site_file_answer(stream, &canvas_kind,
                         (struct response){ .status = 302, .cache = "no-store", .is_head = is_head },
                         (struct span){ more.data, more.len });
    }
    text_buf_deinit(&more);
}

/* --- what the program carries -------------------------------------------------------------------- */

static int own_guard_write(const struct edge *edge, const struct site_read *file, struct span page,
                           struct text_buf *out)
{
    (void)edge;
    (void)file;
    (void)page;
    return canvas_own_guard_write(out);
}

static const struct site_file_kind own_kind = { .guard_write = own_guard_write };

static void own_answer(struct stream *stream, const struct ui_page *page, const struct request *request)
{
    char field[SITE_ETAG_FIELD_MAX];
    struct response response = { .status = 200,
                                 .type = site_type(page->name),
                                 .cache = "no-cache",
                                 .body = { (const char *)page->data, page->len },
                                 .is_head = request->method == REQUEST_HEAD };

    if (site_file_is_known(request_header(request, "if-none-match"), page->etag)) {
        response.status = 304;
        response.is_head = true;
    }
    site_file_answer(stream, &own_kind, response, site_file_etag(page->etag, field));
}

static void a2ui_answer(struct stream *stream, const struct request *request, const char *name)
{
    const struct ui_page *page = ui_a2ui_find(name);

    if (page) {
        own_answer(stream, page, request);
    } else {
        absent_answer(stream, request->method == REQUEST_HEAD);
    }
}

/* The canvas before anybody has made one. */
static void starter_answer(struct stream *stream, bool is_head)
{
    const struct ui_page *page = ui_a2ui_find("starter.html");
    struct response response = { .status = 200,
                                 .type = site_type(page->name),
                                 .cache = "no-store",
                                 .body = { (const char *)page->data, page->len },
                                 .is_head = is_head };

    site_file_answer(stream, &own_kind, response, (struct span){ NULL, 0 });
}

/* --- files ------------------------------------------------------------------------------------ */

/* Once until the config changes: anybody can ask, as often as they like. */
static void unreadable_tell(struct edge *edge, int r)
{
    if (!edge->canvas.is_told) {
        edge->canvas.is_told = true;
        log_warning("canvas_unreadable",
                    "root=\"%s\" reason=\"%s\" fix=\"let canvasHost.root name a directory that the gateway may read, "
                    "with all that is in it, or unset it for the one in the state directory\"",
                    edge->canvas.root, r == -ENODEV ? "no such directory, or no right to enter it" : strerror(-r));
    }
}

static void file_fail(struct stream *stream, const struct site_read *file)
{
    const struct canvas *canvas = &stream->conn->edge->canvas;
    bool is_missing = file->r == -ENOENT || (file->r == -ENODEV && canvas->is_root_default);
    const char *slash = strrchr(file->name, '/');

    if (file->r == -EISDIR) {
        redirect_answer(stream, slash ? slash + 1 : file->name, (struct span){ NULL, 0 }, file->is_head);
    } else if (is_missing && strcmp(file->name, "index.html") == 0) {
        starter_answer(stream, file->is_head);
    } else if (is_missing) {
        absent_answer(stream, file->is_head);
    } else {
        unreadable_tell(stream->conn->edge, file->r);
        http_refuse(stream, 503, "The directory of canvasHost.root cannot be read; the gateway's log says why.");
    }
}

static int guard_write(const struct edge *edge, const struct site_read *file, struct span page, struct text_buf *out)
{
    (void)page;
    return canvas_guard_write(&edge->canvas, file && file->has_token, out);
}

/* Pages get the bridge to the app that shows them, and load themselves again when a file changes. */
static int page_change(const struct edge *edge, struct site_read *file)
{
    const struct ui_page *script = ui_a2ui_find(edge->canvas.is_live ? "live.js" : "bridge.js");
    const struct ui_page *bridge = ui_a2ui_find("bridge.js");
    struct text_buf both = { 0 };
    struct text_buf page = { 0 };
    int r = text_buf_add(&both, (struct span){ (const char *)bridge->data, bridge->len });

    if (!r && script != bridge) {
        r = text_buf_add(&both, (struct span){ (const char *)script->data, script->len });
    }
    r = r ? r : canvas_page_write((struct span){ file->data, file->len }, (struct span){ both.data, both.len }, &page);
    text_buf_deinit(&both);
    if (r) {
        text_buf_deinit(&page);
        return r;
    }
    site_read_replace(file, &page);
    return 0;
}

static const struct site_file_kind canvas_kind = {
    .cache = "no-store", .guard_write = guard_write, .page_change = page_change, .fail = file_fail
};

static void file_begin(struct stream *stream, const struct request *request, const struct canvas_target *target)
{
    struct site_read_ask ask = { .root = stream->conn->edge->canvas.root, .name = target->name, .is_strict = true };
    struct site_read *file = site_file_begin(stream, &canvas_kind, request, ask);

    if (file) {
        file->has_token = target->has_token;
    }
}

/* --- which of them ------------------------------------------------------------------------------ */

/* It was let in, by the capability of `owner` or by auth (NULL). */
static void target_answer(struct stream *stream, const struct request *request, const struct canvas_target *target,
                          struct conn *owner)
{
    bool is_head = request->method == REQUEST_HEAD;

    if (target->kind == CANVAS_LIVE && request->is_upgrade) {
        live_upgrade(stream->conn, request, owner);
    } else if (target->kind == CANVAS_LIVE) {
        http_refuse(stream, 426, "This is a WebSocket.");
    } else if (request->is_upgrade) {
        http_refuse(stream, 404, "Not Found");
    } else if (target->kind == CANVAS_REDIRECT) {
        redirect_answer(stream, target->name, request->query, is_head);
    } else if (target->kind == CANVAS_A2UI) {
        a2ui_answer(stream, request, target->name);
    } else if (target->kind == CANVAS_FILE) {
        file_begin(stream, request, target);
    } else {
        absent_answer(stream, is_head);
    }
}

/* auth agreed. */
static void on_allowed(struct exchange *self)
{
    struct stream *stream = exchange_detach(self);
    struct conn *conn = stream ? stream->conn : NULL;
    bool is_upgrade = self->request.is_upgrade;
    struct canvas_target target;

    if (stream) {
        canvas_route(&conn->edge->canvas, &self->request, &target); /* as it is now */
        target_answer(stream, &self->request, &target, NULL);
    }
    exchange_destroy(self);
    if (stream && is_upgrade) {
        conn_pump(conn); /* the stream is gone when another protocol is spoken now */
    } else if (stream) {
        stream->ops->resume(stream);
    }
}

bool canvas_serve(struct stream *stream, const struct request *request, struct span head)
{
    struct canvas_target target;
    struct conn *owner = NULL;

    canvas_route(&stream->conn->edge->canvas, request, &target);
    if (target.kind == CANVAS_NONE) {
        return false;
    }
    stream->route = TALLY_ROUTE_CANVAS;
    if (target.has_token) {
        owner = target.kind == CANVAS_DENIED ? NULL : capability_find(stream->conn->edge, target.token);
    }
    if (request->method != REQUEST_GET && request->method != REQUEST_HEAD) {
        http_not_allowed(stream, "GET, HEAD");
    } else if (request->body != REQUEST_BODY_NONE) {
        http_refuse(stream, 400, "A GET of the canvas has no body.");
    } else if (owner) {
        target_answer(stream, request, &target, owner);
    } else if (target.has_token) {
        denied_answer(stream, request);
    } else {
        exchange_begin(stream, head, &(struct exchange_kind){ .scope = "operator.read", .on_body = on_allowed });
    }
    return true;
}

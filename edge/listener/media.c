#include "edge/listener/media.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "bus/base/clock.h"
#include "edge/http/media.h"
#include "edge/listener/agent_find.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/site_file.h"
#include "schema_gen.h"

#define PATH_END "/__openclaw__/assistant-media"
#define ROOTS_N 6U

void media_init(struct edge *edge)
{
    /* So few bytes come at once and whole, once the pool was filled at boot. */
    if (getrandom(edge->media_key, sizeof(edge->media_key), 0) != (ssize_t)sizeof(edge->media_key)) {
        abort();
    }
}

/* --- where such files may lie ------------------------------------------------------------------ */

/* The i-th of them; false when it is too long to be one. */
static bool root_of(const struct edge *edge, struct span workspace, size_t i, char root[SITE_ROOT_MAX])
{
    static const char *const below_state[] = { "media", "canvas", "workspace", "sandboxes" };
    int len;

    if (i < sizeof(below_state) / sizeof(below_state[0])) {
        len = snprintf(root, SITE_ROOT_MAX, "%s/%s", edge->state_dir, below_state[i]);
    } else if (i == 4) {
        len = snprintf(root, SITE_ROOT_MAX, "%s", edge->canvas.root);
    } else {
        len = snprintf(root, SITE_ROOT_MAX, "%.*s", SPAN_FMT(workspace));
    }
    return len > 0 && (size_t)len < SITE_ROOT_MAX;
}

int media_roots_write(const struct edge *edge, struct span workspace, struct text_buf *out)
{
    char root[SITE_ROOT_MAX];
    int r = text_buf_add(out, SPAN_LIT("["));

    for (size_t i = 0; !r && i < ROOTS_N; i++) {
        if (root_of(edge, workspace, i, root)) {
            r = i ? text_buf_add(out, SPAN_LIT(",")) : 0;
            r = r ? r : json_from_text(span_from(root), out);
        }
    }
    return r ? r : text_buf_add(out, SPAN_LIT("]"));
}

/* NULL and the place, or why it has none. */
static const struct media_refusal *place_find(const struct edge *edge, struct span workspace,
                                              const struct media_ask *ask, char root[SITE_ROOT_MAX],
                                              const char **ret_name)
{
    const struct media_refusal *why = &media_outside;

    for (size_t i = 0; i < ROOTS_N; i++) {
        if (root_of(edge, workspace, i, root) && media_below(ask->path, root, ret_name)) {
            if (site_name_is_plain(*ret_name)) {
                return NULL;
            }
            why = &media_blocked;
        }
    }
    return why;
}

/* --- answers ------------------------------------------------------------------------------------ */

static int guard_write(const struct edge *edge, const struct site_read *file, struct span page, struct text_buf *out)
{
    (void)edge;
    (void)file;
    (void)page;
    return media_guard_write(out);
}

static void fail(struct stream *stream, const struct site_read *file);
static void meta_fail(struct stream *stream, const struct site_read *file);
static void meta_tell(struct stream *stream, const struct site_read *file);

static const struct site_file_kind media_kind = { .guard_write = guard_write, .fail = fail };
static const struct site_file_kind meta_kind = { .guard_write = guard_write, .fail = meta_fail, .probe = meta_tell };

static void fail(struct stream *stream, const struct site_read *file)
{
    site_file_answer(
        stream, &media_kind,
        (struct response){
            .status = 404, .type = RESPONSE_TEXT, .body = SPAN_LIT("Not Found"), .is_head = file->is_head },
        (struct span){ NULL, 0 });
}

static void meta_answer(struct stream *stream, struct span json, bool is_head)
{
    site_file_answer(stream, &meta_kind,
                     (struct response){
                         .status = 200, .type = RESPONSE_JSON, .cache = "no-store", .body = json, .is_head = is_head },
                     (struct span){ NULL, 0 });
}

static void refusal_answer(struct stream *stream, const struct media_refusal *why, bool is_head)
{
    struct text_buf text = { 0 };

    if (media_refusal_write(why, &text)) {
        stream->ops->break_off(stream);
    } else {
        meta_answer(stream, (struct span){ text.data, text.len }, is_head);
    }
    text_buf_deinit(&text);
}

static void meta_fail(struct stream *stream, const struct site_read *file)
{
    refusal_answer(stream, media_refusal_of(file->r), file->is_head);
}

static void meta_tell(struct stream *stream, const struct site_read *file)
{
    meta_answer(stream, span_from(file->about), file->is_head);
}

/* What is said of a file that is there: its ticket, and until when that is good. */
static char *ticket_text(const struct edge *edge, const struct media_ask *ask)
{
    int64_t expires_ms = clock_wall_ms() + MEDIA_TICKET_MS;
    time_t seconds = (time_t)(expires_ms / 1000);
    char ticket[MEDIA_TICKET_MAX];
    char text[MEDIA_TICKET_MAX + 128];
    char date[32];
    struct tm utc;

    media_ticket_make(edge->media_key, ask, edge->generation, expires_ms, ticket);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc)); /* fits */
    (void)snprintf(text, sizeof(text),
                   "{\"available\":true,\"mediaTicket\":\"%s\",\"mediaTicketExpiresAt\":\"%s.%03dZ\"}", ticket, date,
                   (int)(expires_ms % 1000)); /* fits */
    return strdup(text);
}

static void file_begin(struct stream *stream, const struct request *request, const struct media_ask *ask,
                       struct span workspace)
{
    const struct edge *edge = stream->conn->edge;
    struct site_read none = { .is_head = request->method == REQUEST_HEAD };
    char root[SITE_ROOT_MAX];
    const char *name = NULL;
    const struct media_refusal *why = place_find(edge, workspace, ask, root, &name);
    struct site_read *file;

    if (why && ask->is_meta) {
        refusal_answer(stream, why, none.is_head);
    } else if (why) {
        fail(stream, &none);
    } else if ((file = site_file_begin(stream, ask->is_meta ? &meta_kind : &media_kind, request,
                                       (struct site_read_ask){ .root = root, .name = name, .is_strict = true }))) {
        file->about = ask->is_meta ? ticket_text(edge, ask) : NULL;
        if (ask->is_meta && !file->about) {
            stream->ops->break_off(stream);
        }
    }
}

static void found_answer(struct stream *stream, const struct request *request,
                         const struct msg_router_agent_found *found)
{
    struct media_ask ask;

    (void)media_ask_read(request->query, stream->conn->edge->home, &ask); /* it was read before */
    file_begin(stream, request, &ask, found->workspace);
}

static void start(struct exchange *self)
{
    struct media_ask ask;

    (void)media_ask_read(self->request.query, self->edge->home, &ask); /* likewise */
    agent_find(self, ask.agent_id);
}

static bool is_ours(const struct site *site, struct span path)
{
    size_t base = strlen(site->base);

    return site->is_on && span_starts(path, site->base) &&
           span_is_text((struct span){ path.ptr + base, path.len - base }, PATH_END);
}

bool media_serve(struct stream *stream, const struct request *request, struct span head)
{
    struct edge *edge = stream->conn->edge;
    struct exchange_kind kind = { .scope = "operator.read", .on_body = start, .on_agent = found_answer };
    struct media_ask ask;

    if ((request->method != REQUEST_GET && request->method != REQUEST_HEAD) || !is_ours(&edge->site, request->path)) {
        return false;
    }
    stream->route = TALLY_ROUTE_SITE;
    if (request->body != REQUEST_BODY_NONE) {
        http_refuse(stream, 400, "A GET of a file has no body.");
    } else if (!media_ask_read(request->query, edge->home, &ask)) {
        fail(stream, &(struct site_read){ .is_head = request->method == REQUEST_HEAD });
    } else {
        kind.is_let_in = !ask.is_meta && media_ticket_is_good(edge->media_key, &ask, edge->generation, clock_wall_ms());
        exchange_begin(stream, head, &kind);
    }
    return true;
}

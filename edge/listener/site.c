#include "edge/listener/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/log.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/run_ask.h"
#include "edge/listener/site_read.h"
#include "edge/ui/pages.h"
#include "schema_gen.h"

/* --- answers -------------------------------------------------------------------------------- */

/* With the guard of the page; `response.fields` is made here. `send` is http_answer or http_head. */
static void guarded_send(struct stream *stream, struct response response, struct span page, struct span more,
                         void (*send)(struct stream *stream, struct response response))
{
    struct text_buf fields = { 0 };

    if (site_guard_write(&stream->conn->edge->site, page, &fields) || text_buf_add(&fields, more)) {
        stream->ops->break_off(stream);
    } else {
        response.fields = (struct span){ fields.data, fields.len };
        send(stream, response);
    }
    text_buf_deinit(&fields);
}

static void guarded_answer(struct stream *stream, struct response response, struct span more)
{
    guarded_send(stream, response, (struct span){ NULL, 0 }, more, http_answer);
}

static void absent_answer(struct stream *stream, bool is_head)
{
    struct response response = {
        .status = 404, .type = RESPONSE_TEXT, .body = SPAN_LIT("Not Found"), .is_head = is_head
    };

    guarded_answer(stream, response, (struct span){ NULL, 0 });
}

static void redirect_answer(struct stream *stream, const struct request *request)
{
    struct text_buf more = { 0 };
    int r = text_buf_add(&more, SPAN_LIT("Location: "));

    r = r ? r : text_buf_add(&more, span_from(stream->conn->edge->site.base));
    r = r ? r : text_buf_add(&more, request->query.len ? SPAN_LIT("/?") : SPAN_LIT("/"));
    r = r ? r : text_buf_add(&more, request->query);
    r = r ? r : text_buf_add(&more, SPAN_LIT("\r\n"));
    if (r) {
        stream->ops->break_off(stream);
    } else {
        guarded_answer(stream, (struct response){ .status = 302, .is_head = request->method == REQUEST_HEAD },
                       (struct span){ more.data, more.len });
    }
    text_buf_deinit(&more);
}

static struct span etag_field(const char *etag, char field[SITE_ETAG_MAX + 16])
{
    int len = snprintf(field, SITE_ETAG_MAX + 16, "ETag: %s\r\n", etag);

    return (struct span){ field, (size_t)len };
}

/* RFC 9110 §13.1.2, as far as it matters for one that we gave out ourselves: it stands in the list. */
static bool is_known(struct span known, const char *etag)
{
    return known.len > 0 && memmem(known.ptr, known.len, etag, strlen(etag)) != NULL;
}

/* --- the start page --------------------------------------------------------------------------- */

/* "/chat", as a bookmark of another control UI has it, leads to the page, too; no deeper path does, from where the
 * parts of the page would not be found. */
static const struct ui_page *own_page(const struct site_target *target)
{
    const struct ui_page *page = ui_page_find(target->name);

    return page || !target->falls_back || strchr(target->name, '/') ? page : ui_page_find("index.html");
}

static void own_answer(struct stream *stream, const struct request *request, const struct site_target *target)
{
    const struct ui_page *page = own_page(target);
    char field[SITE_ETAG_MAX + 16];
    struct response response = { .status = 200, .is_head = request->method == REQUEST_HEAD };

    if (!page) {
        absent_answer(stream, response.is_head);
        return;
    }
    response.type = site_type(page->name);
    response.cache = "no-cache";
    response.body = (struct span){ (const char *)page->data, page->len };
    if (is_known(request_header(request, "if-none-match"), page->etag)) {
        response.status = 304;
        response.is_head = true;
    }
    guarded_answer(stream, response, etag_field(page->etag, field));
}

/* --- files ------------------------------------------------------------------------------------ */

static void read_over(struct stream *stream)
{
    site_read_free(stream->file);
    stream->file = NULL;
}

/* The last piece is queued. */
static void file_end(struct stream *stream)
{
    read_over(stream);
    stream->ops->end(stream);
    stream->ops->resume(stream);
}

static void piece_send(struct stream *stream, struct site_read *file)
{
    if (!stream_send(stream, (struct span){ file->data, file->len })) {
        read_over(stream);
    } else if (file->left == 0) {
        file_end(stream);
    }
}

static void file_head(struct stream *stream, struct site_read *file)
{
    bool is_fresh = is_known(span_from(file->known), file->etag);
    bool has_body = !file->is_head && !is_fresh && file->size > 0;
    struct span page = { file->is_page ? file->data : NULL, file->is_page ? file->len : 0 };
    char field[SITE_ETAG_MAX + 16];
    struct response response = { .status = is_fresh ? 304 : 200,
                                 .type = site_type(file->name),
                                 .cache = site_cache(file->name),
                                 .body = { NULL, (size_t)file->size },
                                 .is_head = true }; /* the body follows in pieces */

    if (!has_body) {
        guarded_send(stream, response, page, etag_field(file->etag, field), http_answer);
        read_over(stream);
        stream->ops->resume(stream);
        return;
    }
    guarded_send(stream, response, page, etag_field(file->etag, field), http_head);
    file->has_head = true;
    if (stream->ops->is_open(stream)) {
        piece_send(stream, file);
    }
}

/* Once until the config changes: anybody can ask, as often as they like. */
static void unreadable_tell(struct edge *edge, int r)
{
    if (!edge->site.is_told) {
        edge->site.is_told = true;
        log_warning("web_content_unreadable",
                    "root=\"%s\" reason=\"%s\" fix=\"let gateway.controlUi.root name a directory that the gateway may "
                    "read, with all that is in it, or unset it for the start page\"",
                    edge->site.root, r == -ENODEV ? "no such directory, or no right to enter it" : strerror(-r));
    }
}

static void file_fail(struct stream *stream, struct site_read *file)
{
    int r = file->r;
    bool is_head = file->is_head;

    if (file->has_head) { /* its length was promised: all that is left is to break off */
        read_over(stream);
        stream->ops->break_off(stream);
        return;
    }
    read_over(stream);
    if (r == -ENOENT) {
        absent_answer(stream, is_head);
    } else {
        unreadable_tell(stream->conn->edge, r);
        http_refuse(stream, 503, "The directory of gateway.controlUi.root cannot be read; the gateway's log says why.");
    }
    stream->ops->resume(stream);
}

static void on_ready(struct site_read *file)
{
    struct stream *stream = file->stream;

    if (!stream->ops->is_open(stream)) {
        read_over(stream);
    } else if (file->r) {
        file_fail(stream, file);
    } else if (!file->has_head) {
        file_head(stream, file);
    } else {
        piece_send(stream, file);
    }
}

static void file_begin(struct stream *stream, const struct request *request, const struct site_target *target)
{
    const struct edge *edge = stream->conn->edge;
    struct span known = request_header(request, "if-none-match");
    struct site_read *file = site_read_new(actor_loop(edge->actor), edge->site.root, target->name, target->falls_back);

    if (!file) {
        http_refuse(stream, 503, "Service Unavailable");
        return;
    }
    file->stream = stream;
    file->on_ready = on_ready;
    file->is_head = request->method == REQUEST_HEAD;
    (void)snprintf(file->known, sizeof(file->known), "%.*s", SPAN_FMT(known)); /* a longer list: none is known */
    stream->file = file;
    stream->ops->wait(stream);
}

/* --- what the page asks for before it connects -------------------------------------------------- */

static int settings_write(const struct edge *edge, struct span agent, struct text_buf *out)
{
    const struct site *site = &edge->site;
    struct span name = site->assistant[0] ? span_from(site->assistant) : SPAN_LIT("Assistant");
    int r = text_buf_add(out, SPAN_LIT("{\"basePath\":"));

    r = r ? r : json_from_text(span_from(site->base), out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"assistantName\":"));
    r = r ? r : json_from_text(name, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"assistantAvatar\":"));
    r = r ? r : json_from_text((struct span){ name.ptr, 1 }, out);
    r = r ? r
          : text_buf_add(out, SPAN_LIT(",\"assistantAvatarSource\":null,\"assistantAvatarStatus\":\"none\","
                                       "\"assistantAvatarReason\":\"missing\",\"assistantAgentId\":"));
    r = r ? r : json_from_text(agent, out);
    r = r ? r
          : text_buf_add(out, SPAN_LIT(",\"serverVersion\":\"" OPENCLAW_VERSION "\",\"localMediaPreviewRoots\":[],"
                                       "\"embedSandbox\":"));
    r = r ? r : json_from_text(span_from(site->embed_sandbox), out);
    r = r ? r
          : text_buf_add(out, site->allows_external_embeds ? SPAN_LIT(",\"allowExternalEmbedUrls\":true")
                                                           : SPAN_LIT(",\"allowExternalEmbedUrls\":false"));
    if (!r && site->message_width[0]) {
        r = text_buf_add(out, SPAN_LIT(",\"chatMessageMaxWidth\":"));
        r = r ? r : json_from_text(span_from(site->message_width), out);
    }
    return r ? r : text_buf_add(out, SPAN_LIT("}"));
}

static void on_agents(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    const struct msg_router_agent_list *agents = reply->msg;
    struct text_buf text = { 0 };

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure) {
        run_ask_fail(self, reply->failure);
    } else if (settings_write(self->edge, agents->default_id, &text)) {
        exchange_break(self);
    } else {
        exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    }
    text_buf_deinit(&text);
}

static void settings_start(struct exchange *self)
{
    struct msg_router_agents in = { 0 };
    struct actor_call call = { .to = "router",
                               .msg = MSG_ROUTER_AGENTS,
                               .in = &in,
                               .trace = self->trace,
                               .on_answer = on_agents,
                               .cookie = self };
    int r = actor_call(self->edge->actor, &call, &self->call.id);

    if (r) {
        run_ask_refuse(self, r, NULL);
    }
}

/* --- which of them ------------------------------------------------------------------------------ */

bool site_serve(struct stream *stream, const struct request *request, struct span head)
{
    const struct site *site = &stream->conn->edge->site;
    struct site_target target;

    site_route(site, request, &target);
    if (target.kind == SITE_NONE) {
        return false;
    }
    stream->route = TALLY_ROUTE_SITE;
    if (request->body != REQUEST_BODY_NONE) {
        http_refuse(stream, 400, "A GET of web content has no body.");
    } else if (target.kind == SITE_SETTINGS) {
        exchange_begin(stream, head, &(struct exchange_kind){ .scope = "operator.read", .on_body = settings_start });
    } else if (target.kind == SITE_REDIRECT) {
        redirect_answer(stream, request);
    } else if (target.kind == SITE_ABSENT) {
        absent_answer(stream, request->method == REQUEST_HEAD);
    } else if (site->root[0]) {
        file_begin(stream, request, &target);
    } else {
        own_answer(stream, request, &target);
    }
    return true;
}

void site_drained(struct stream *stream)
{
    struct site_read *file = stream->file;

    if (file->has_head && !file->is_working && site_read_next(file, actor_loop(stream->conn->edge->actor))) {
        read_over(stream);
        stream->ops->break_off(stream);
    }
}

void site_abandon(struct site_read *self)
{
    self->stream = NULL;
    site_read_free(self);
}

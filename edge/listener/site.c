#include "edge/listener/site.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/log.h"
#include "bus/json.h"
#include "bus/value.h"
#include "edge/listener/avatar.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/media.h"
#include "edge/listener/run_ask.h"
#include "edge/listener/site_file.h"
#include "edge/ui/pages.h"
#include "schema_gen.h"

/* --- answers -------------------------------------------------------------------------------- */

static const struct site_file_kind site_kind;

static void guarded_answer(struct stream *stream, struct response response, struct span more)
{
    site_file_answer(stream, &site_kind, response, more);
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
    char field[SITE_ETAG_FIELD_MAX];
    struct response response = { .status = 200, .is_head = request->method == REQUEST_HEAD };

    if (!page) {
        absent_answer(stream, response.is_head);
        return;
    }
    response.type = site_type(page->name);
    response.cache = "no-cache";
    response.body = (struct span){ (const char *)page->data, page->len };
    if (site_file_is_known(request_header(request, "if-none-match"), page->etag)) {
        response.status = 304;
        response.is_head = true;
    }
    guarded_answer(stream, response, site_file_etag(page->etag, field));
}

/* --- files ------------------------------------------------------------------------------------ */

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

static void file_fail(struct stream *stream, const struct site_read *file)
{
    if (file->r == -ENOENT) {
        absent_answer(stream, file->is_head);
    } else {
        unreadable_tell(stream->conn->edge, file->r);
        http_refuse(stream, 503, "The directory of gateway.controlUi.root cannot be read; the gateway's log says why.");
    }
}

static int guard_write(const struct edge *edge, const struct site_read *file, struct span page, struct text_buf *out)
{
    (void)file;
    return site_guard_write(&edge->site, page, out);
}

static const struct site_file_kind site_kind = { .guard_write = guard_write, .fail = file_fail };

static void file_begin(struct stream *stream, const struct request *request, const struct site_target *target)
{
    struct site_read_ask ask = { .root = stream->conn->edge->site.root,
                                 .name = target->name,
                                 .falls_back = target->falls_back };

    (void)site_file_begin(stream, &site_kind, request, ask); /* it has answered when there is none */
}

/* --- what the page asks for before it connects -------------------------------------------------- */

/* A page shows a letter for who has no picture. */
static int assistant_write(const struct edge *edge, const struct msg_router_agent_found *found, struct text_buf *out)
{
    const struct site *site = &edge->site;
    struct span name = site->assistant[0] ? span_from(site->assistant) : SPAN_LIT("Assistant");
    struct avatar avatar;
    int r = text_buf_add(out, SPAN_LIT(",\"assistantName\":"));

    avatar_of(edge, found, &avatar);
    r = r ? r : json_from_text(name, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"assistantAvatar\":"));
    r = r                            ? r
        : avatar.kind == AVATAR_NONE ? json_from_text((struct span){ name.ptr, 1 }, out)
                                     : avatar_url_write(&avatar, site->base, found->agent_id, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(","));
    r = r ? r : avatar_facts_write(&avatar, "assistantAvatar", out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"assistantAgentId\":"));
    return r ? r : json_from_text(found->agent_id, out);
}

static int settings_write(const struct edge *edge, const struct msg_router_agent_found *found, struct text_buf *out)
{
    const struct site *site = &edge->site;
    int r = text_buf_add(out, SPAN_LIT("{\"basePath\":"));

    r = r ? r : json_from_text(span_from(site->base), out);
    r = r ? r : assistant_write(edge, found, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"serverVersion\":\"" OPENCLAW_VERSION "\",\"localMediaPreviewRoots\":"));
    r = r ? r : media_roots_write(edge, found->workspace, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(",\"embedSandbox\":"));
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

static void on_agent(void *state, struct actor *actor, void *cookie, const struct actor_answer *reply)
{
    struct exchange *self = cookie;
    struct text_buf text = { 0 };

    (void)state;
    (void)actor;
    if (!exchange_is_awaited(self)) {
        return;
    }
    if (reply->failure) {
        run_ask_fail(self, reply->failure);
    } else if (settings_write(self->edge, reply->msg, &text)) {
        exchange_break(self);
    } else {
        exchange_answer(self, 200, (struct span){ text.data, text.len }, 0);
    }
    text_buf_deinit(&text);
}

static void settings_start(struct exchange *self)
{
    struct msg_router_agent_find in = { 0 };
    struct actor_call call = { .to = "router",
                               .msg = MSG_ROUTER_AGENT_FIND,
                               .in = &in,
                               .trace = self->trace,
                               .on_answer = on_agent,
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

#include "edge/listener/avatar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edge/http/query.h"
#include "edge/listener/agent_find.h"
#include "edge/listener/edge.h"
#include "edge/listener/exchange.h"
#include "edge/listener/http.h"
#include "edge/listener/site_file.h"
#include "schema/base/agent_id.h"
#include "schema_gen.h"

/* --- which one -------------------------------------------------------------------------------- */

static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool is_letter = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9');

        if (!is_letter && (i == 0 || (c != '-' && c != '_'))) {
            return false;
        }
    }
    return text.len > 0;
}

/* The id behind "/avatar/"; false for another path, `ret_id` empty for one that no agent has. */
static bool id_take(const struct site *site, struct span path, char id[AGENT_ID_MAX + 1])
{
    size_t base = strlen(site->base);

    if (!site->is_on || !span_starts(path, site->base)) {
        return false;
    }
    path.ptr += base;
    path.len -= base;
    if (!span_starts(path, "/avatar/")) {
        return false;
    }
    path.ptr += sizeof("/avatar/") - 1;
    path.len -= sizeof("/avatar/") - 1;
    id[0] = '\0';
    if (path.len <= AGENT_ID_MAX && is_id(path)) {
        (void)snprintf(id, AGENT_ID_MAX + 1, "%.*s", SPAN_FMT(path)); /* fits */
    }
    return true;
}

/* ui.assistant.avatar is that of the default agent, and of those that have none. */
void avatar_of(const struct edge *edge, const struct msg_router_agent_found *found, struct avatar *ret_avatar)
{
    struct span shared = span_from(edge->site.avatar ? edge->site.avatar : "");
    struct span own = found->has_avatar ? found->avatar : (struct span){ NULL, 0 };

    if (shared.len && (found->is_default || own.len == 0)) {
        own = shared;
    }
    avatar_read(own, found->workspace, edge->home, ret_avatar);
}

/* --- answers ------------------------------------------------------------------------------------ */

static int guard_write(const struct edge *edge, const struct site_read *file, struct span page, struct text_buf *out)
{
    (void)edge;
    (void)file;
    (void)page;
    return text_buf_add(out, SPAN_LIT("X-Frame-Options: DENY\r\nContent-Security-Policy: default-src 'none'; "
                                      "style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox\r\n"));
}

static void fail(struct stream *stream, const struct site_read *file);
static void meta_tell(struct stream *stream, const struct site_read *file);

static const struct site_file_kind picture_kind = { .guard_write = guard_write, .fail = fail };
static const struct site_file_kind meta_kind = { .guard_write = guard_write, .fail = meta_tell, .probe = meta_tell };

static void fail(struct stream *stream, const struct site_read *file)
{
    site_file_answer(
        stream, &picture_kind,
        (struct response){
            .status = 404, .type = RESPONSE_TEXT, .body = SPAN_LIT("Not Found"), .is_head = file->is_head },
        (struct span){ NULL, 0 });
}

static int meta_write(const struct avatar *avatar, const char *base, struct span agent_id, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("{\"avatarUrl\":"));

    r = r ? r : avatar_url_write(avatar, base, agent_id, out);
    r = r ? r : text_buf_add(out, SPAN_LIT(","));
    r = r ? r : avatar_facts_write(avatar, "avatar", out);
    return r ? r : text_buf_add(out, SPAN_LIT("}"));
}

static void meta_answer(struct stream *stream, const struct avatar *avatar, struct span agent_id, bool is_head)
{
    struct text_buf text = { 0 };

    if (meta_write(avatar, stream->conn->edge->site.base, agent_id, &text)) {
        stream->ops->break_off(stream);
    } else {
        site_file_answer(stream, &meta_kind,
                         (struct response){ .status = 200,
                                            .type = RESPONSE_JSON,
                                            .cache = "no-cache",
                                            .body = { text.data, text.len },
                                            .is_head = is_head },
                         (struct span){ NULL, 0 });
    }
    text_buf_deinit(&text);
}

/* What is to be known of a file that is looked for: kept with it until it is found, or not. */
struct looked_for {
    char agent_id[AGENT_ID_MAX + 1];
    char source[]; /* in the config */
};

static void meta_tell(struct stream *stream, const struct site_read *file)
{
    const struct looked_for *about = file->about;
    struct avatar avatar = { .kind = AVATAR_LOCAL, .source = span_from(about->source) };

    avatar_note(&avatar, file->r);
    meta_answer(stream, &avatar, span_from(about->agent_id), file->is_head);
}

static struct looked_for *looked_for_new(const struct avatar *avatar, struct span agent_id)
{
    struct looked_for *self = calloc(1, sizeof(*self) + avatar->source.len + 1);

    if (self) {
        (void)snprintf(self->agent_id, sizeof(self->agent_id), "%.*s", SPAN_FMT(agent_id)); /* fits */
        memcpy(self->source, avatar->source.ptr, avatar->source.len);
    }
    return self;
}

static void local_begin(struct stream *stream, const struct request *request, const struct avatar *avatar,
                        const struct msg_router_agent_found *found)
{
    bool is_meta = query_has(request->query, "meta");
    char root[SITE_ROOT_MAX + 1];
    struct site_read_ask ask = { .root = root, .name = avatar->name, .is_strict = true, .size_max = AVATAR_BYTES_MAX };
    struct site_read *file;

    (void)snprintf(root, sizeof(root), "%.*s", SPAN_FMT(found->workspace)); /* max 4096 */
    file = site_file_begin(stream, is_meta ? &meta_kind : &picture_kind, request, ask);
    if (file) {
        file->about = is_meta ? looked_for_new(avatar, found->agent_id) : NULL;
        if (is_meta && !file->about) {
            stream->ops->break_off(stream);
        }
    }
}

static void found_answer(struct stream *stream, const struct request *request,
                         const struct msg_router_agent_found *found)
{
    struct avatar avatar;
    struct site_read none = { .is_head = request->method == REQUEST_HEAD };

    avatar_of(stream->conn->edge, found, &avatar);
    if (avatar.kind == AVATAR_LOCAL) {
        local_begin(stream, request, &avatar, found);
    } else if (query_has(request->query, "meta")) {
        meta_answer(stream, &avatar, found->agent_id, none.is_head);
    } else {
        fail(stream, &none);
    }
}

static void start(struct exchange *self)
{
    char id[AGENT_ID_MAX + 1] = "";

    (void)id_take(&self->edge->site, self->request.path, id);
    agent_find(self, id[0] ? id : "-"); /* the config may be another one by now: nobody is found */
}

bool avatar_serve(struct stream *stream, const struct request *request, struct span head)
{
    char id[AGENT_ID_MAX + 1];

    if ((request->method != REQUEST_GET && request->method != REQUEST_HEAD) ||
        !id_take(&stream->conn->edge->site, request->path, id)) {
        return false;
    }
    stream->route = TALLY_ROUTE_SITE;
    if (request->body != REQUEST_BODY_NONE) {
        http_refuse(stream, 400, "A GET of a picture has no body.");
    } else if (!id[0]) {
        fail(stream, &(struct site_read){ .is_head = request->method == REQUEST_HEAD });
    } else {
        exchange_begin(stream, head,
                       &(struct exchange_kind){ .scope = "operator.read", .on_body = start, .on_agent = found_answer });
    }
    return true;
}

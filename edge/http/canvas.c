#include "edge/http/canvas.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "bus/value.h"
#include "edge/http/query.h"

#define PREFIX "/__openclaw__/"
#define TOKEN_MAX 128U

/* --- settings --------------------------------------------------------------------------- */

void canvas_configure(struct canvas *self, struct span config, const char *home, const char *state)
{
    struct span map = value_get(config, "canvasHost");
    struct span none = { NULL, 0 };
    struct span root = value_str(value_get(map, "root"), none);
    struct span sandbox = value_str(value_path(config, "gateway.controlUi.embedSandbox"), none);

    self->is_told = false;
    self->is_on = value_bool(value_get(map, "enabled"), true);
    self->is_live = value_bool(value_get(map, "liveReload"), true);
    self->is_same_origin = span_is_text(sandbox, "trusted");
    self->is_root_default = root.len == 0;
    if (self->is_root_default) {
        int len = snprintf(self->root, sizeof(self->root), "%s/canvas", state);

        self->is_on = self->is_on && len > 0 && (size_t)len < sizeof(self->root);
    } else if (!site_root_read(root, home, self->root)) {
        self->is_on = false;
    }
}

/* --- paths ------------------------------------------------------------------------------ */

/* Takes `word` off the path when it is its first segment, or all of it: what is left then begins with a slash, or is
 * empty. */
static bool segment_take(struct span *path, const char *word)
{
    size_t len = strlen(word);

    if (!span_starts(*path, word) || (path->len > len && path->ptr[len] != '/')) {
        return false;
    }
    path->ptr += len;
    path->len -= len;
    return true;
}

/* "/__openclaw__/cap/<token>/…": false for one that is not whole. */
static bool token_take(struct span *path, struct canvas_target *ret_target)
{
    const char *end;

    if (!span_starts(*path, PREFIX "cap/")) {
        return true;
    }
    path->ptr += sizeof(PREFIX "cap/") - 1;
    path->len -= sizeof(PREFIX "cap/") - 1;
    end = memchr(path->ptr, '/', path->len);
    ret_target->has_token = true;
    ret_target->token = (struct span){ path->ptr, end ? (size_t)(end - path->ptr) : path->len };
    path->ptr += ret_target->token.len;
    path->len -= ret_target->token.len;
    return end && ret_target->token.len > 0 && ret_target->token.len <= TOKEN_MAX;
}

/* "?oc_cap=<token>", the other place where one may stand. */
static void token_find(struct span query, struct canvas_target *ret_target)
{
    struct span name;
    struct span value;

    while (!ret_target->has_token && query_next(&query, &name, &value)) {
        if (span_is_text(name, "oc_cap")) {
            ret_target->has_token = true;
            ret_target->token = value;
        }
    }
}

/* `path` begins with a slash: what is behind it, and the page of a directory for the directory. */
static bool name_take(struct span path, char name[SITE_NAME_MAX])
{
    size_t len;

    if (!site_name_read((struct span){ path.ptr + 1, path.len - 1 }, name)) {
        return false;
    }
    len = strlen(name);
    if (len == 0 || name[len - 1] == '/') {
        if (len + sizeof("index.html") > SITE_NAME_MAX) {
            return false;
        }
        memcpy(name + len, "index.html", sizeof("index.html"));
    }
    return site_name_is_plain(name);
}

static void inside_route(const struct canvas *self, struct span path, struct canvas_target *ret_target)
{
    bool is_canvas;

    ret_target->kind = CANVAS_ABSENT;
    if (span_is_text(path, PREFIX "ws")) {
        ret_target->kind = self->is_live ? CANVAS_LIVE : CANVAS_ABSENT;
        return;
    }
    is_canvas = segment_take(&path, PREFIX "canvas");
    if (!is_canvas && !segment_take(&path, PREFIX "a2ui")) {
        return;
    }
    if (path.len == 0) {
        ret_target->kind = CANVAS_REDIRECT;
        (void)snprintf(ret_target->name, sizeof(ret_target->name), "%s", is_canvas ? "canvas" : "a2ui");
    } else if (name_take(path, ret_target->name)) {
        ret_target->kind = is_canvas ? CANVAS_FILE : CANVAS_A2UI;
    }
}

static bool is_ours(struct span path)
{
    struct span rest = path;

    return span_is_text(path, PREFIX "ws") || segment_take(&rest, PREFIX "canvas") ||
           segment_take(&rest, PREFIX "a2ui") || segment_take(&rest, PREFIX "cap");
}

void canvas_route(const struct canvas *self, const struct request *request, struct canvas_target *ret_target)
{
    struct span path = request->path;

    ret_target->kind = CANVAS_NONE;
    if (!self->is_on || !is_ours(path)) {
        return; /* as nearly every request is, at no cost */
    }
    *ret_target = (struct canvas_target){ .kind = CANVAS_NONE };
    if (!token_take(&path, ret_target)) {
        ret_target->kind = CANVAS_DENIED;
        return;
    }
    token_find(request->query, ret_target);
    inside_route(self, path, ret_target);
}

/* --- what keeps agents' pages apart --------------------------------------------------------- */

/*
 * What agents write may come from anywhere that they read. On the origin of the gateway it could use the device of
 * whoever is signed in there; the sandbox gives it an origin that nobody else has (HTML, "sandboxed origin browsing
 * context"), with scripts and what a page needs to be used.
 */
int canvas_guard_write(const struct canvas *self, bool has_token, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT("Content-Security-Policy: sandbox allow-scripts allow-forms allow-modals "
                                       "allow-popups allow-downloads allow-pointer-lock"));

    r = r || !self->is_same_origin ? r : text_buf_add(out, SPAN_LIT(" allow-same-origin"));
    r = r ? r : text_buf_add(out, SPAN_LIT("; base-uri 'self'; object-src 'none'; frame-ancestors 'self'\r\n"));
    return r || !has_token ? r : text_buf_add(out, SPAN_LIT("Access-Control-Allow-Origin: *\r\n"));
}

int canvas_own_guard_write(struct text_buf *out)
{
    return text_buf_add(out, SPAN_LIT("Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action "
                                      "'none'; frame-ancestors 'self'; script-src 'self'; style-src 'self'; "
                                      "img-src 'self' data: blob: http: https:; media-src 'self' data: blob: http: "
                                      "https:; font-src 'self' data:; connect-src 'self' ws: wss:\r\n"));
}

/* --- pages ------------------------------------------------------------------------------ */

/* Where "</body>" stands for the last time; the end without one. */
static size_t tail_of(struct span page)
{
    static const char end[] = "</body>";

    for (size_t at = page.len; at-- > 0;) {
        if (page.len - at >= sizeof(end) - 1 && strncasecmp(page.ptr + at, end, sizeof(end) - 1) == 0) {
            return at;
        }
    }
    return page.len;
}

int canvas_page_write(struct span page, struct span script, struct text_buf *out)
{
    size_t at = tail_of(page);
    int r = text_buf_add(out, (struct span){ page.ptr, at });

    r = r ? r : text_buf_add(out, SPAN_LIT("\n<script>\n"));
    r = r ? r : text_buf_add(out, script);
    r = r ? r : text_buf_add(out, SPAN_LIT("</script>\n"));
    return r ? r : text_buf_add(out, (struct span){ page.ptr + at, page.len - at });
}

int canvas_segment_write(const char *segment, struct text_buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    int r = 0;

    for (const char *at = segment; !r && *at; at++) {
        unsigned char c = (unsigned char)*at;
        bool is_safe = ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || memchr("-._~", c, 4);
        char code[3] = { '%', digits[c >> 4], digits[c & 15] };

        r = text_buf_add(out, is_safe ? (struct span){ at, 1 } : (struct span){ code, 3 });
    }
    return r;
}

/* --- where the gateway is -------------------------------------------------------------------- */

/* The first of a list that proxies have added to. */
static struct span first_of(struct span list)
{
    const char *comma = list.len ? memchr(list.ptr, ',', list.len) : NULL;

    return span_trim(comma ? (struct span){ list.ptr, (size_t)(comma - list.ptr) } : list);
}

/* A name or an address with or without a port (RFC 9110 §7.2), and nothing that could be more. */
static bool is_host(struct span host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && !memchr("-._:[]", c, 6)) {
            return false;
        }
    }
    return host.len > 0 && host.ptr[0] != ':';
}

bool canvas_origin_read(const struct request *request, bool is_sealed, char origin[CANVAS_ORIGIN_MAX])
{
    struct span host = first_of(request_header(request, "x-forwarded-host"));
    bool is_https = is_sealed || request_is_word(first_of(request_header(request, "x-forwarded-proto")), "https");
    int len;

    host = host.len ? host : request_header(request, "host");
    if (!is_host(host) || host.len >= CANVAS_ORIGIN_MAX) {
        return false;
    }
    len = snprintf(origin, CANVAS_ORIGIN_MAX, "%s://%.*s", is_https ? "https" : "http", SPAN_FMT(host));
    return len > 0 && (size_t)len < CANVAS_ORIGIN_MAX;
}

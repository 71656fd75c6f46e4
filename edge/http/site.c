#include "edge/http/site.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/mem.h"
#include "bus/value.h"

/* --- settings --------------------------------------------------------------------------- */

static void base_read(struct site *self, struct span base)
{
    while (base.len > 0 && base.ptr[base.len - 1] == '/') {
        base.len--;
    }
    while (base.len > 0 && base.ptr[0] == '/') {
        base.ptr++;
        base.len--;
    }
    self->base[0] = '\0';
    if (base.len > 0 && base.len + 2 <= sizeof(self->base)) {
        (void)snprintf(self->base, sizeof(self->base), "/%.*s", SPAN_FMT(base));
    }
}

bool site_root_read(struct span path, const char *home, char root[SITE_ROOT_MAX])
{
    bool is_home = path.len > 0 && path.ptr[0] == '~' && (path.len == 1 || path.ptr[1] == '/');
    size_t skip = is_home ? 1 : 0;
    int len = snprintf(root, SITE_ROOT_MAX, "%s%.*s", is_home ? home : "", (int)(path.len - skip),
                       path.len ? path.ptr + skip : "");

    if (len < 0 || (size_t)len >= SITE_ROOT_MAX) {
        root[0] = '\0';
        return false;
    }
    return true;
}

/* Lengths such as "960px" or "min(1280px, 82%)": nothing that could end a style rule. */
static bool is_width(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && !memchr(" .,%()+-*/", c, 10)) {
            return false;
        }
    }
    return text.len > 0;
}

static void origin_read(struct site *self, struct span origin)
{
    origin.len -= origin.len && origin.ptr[origin.len - 1] == '/';
    self->origin[0] = '\0';
    if (origin.len < sizeof(self->origin)) {
        (void)snprintf(self->origin, sizeof(self->origin), "%.*s", SPAN_FMT(origin));
    }
}

void site_configure(struct site *self, struct span config, const char *home)
{
    struct span map = value_path(config, "gateway.controlUi");
    struct span none = { NULL, 0 };
    struct span assistant = value_str(value_path(config, "ui.assistant.name"), none);
    struct span avatar = value_str(value_path(config, "ui.assistant.avatar"), none);
    struct span width = value_str(value_get(map, "chatMessageMaxWidth"), none);
    struct span sandbox = value_str(value_get(map, "embedSandbox"), SPAN_LIT("scripts"));

    self->is_told = false;
    self->is_on = value_bool(value_get(map, "enabled"), true);
    self->allows_external_embeds = value_bool(value_get(map, "allowExternalEmbedUrls"), false);
    base_read(self, value_str(value_get(map, "basePath"), none));
    origin_read(self, value_str(value_path(config, "gateway.publicOrigin"), none));
    (void)site_root_read(value_str(value_get(map, "root"), none), home, self->root); /* too long: none */
    site_deinit(self);
    avatar = span_trim(avatar);
    self->avatar = avatar.len ? mem_text(avatar.ptr, avatar.len) : NULL;
    self->assistant[0] = '\0';
    if (assistant.len < sizeof(self->assistant)) {
        (void)snprintf(self->assistant, sizeof(self->assistant), "%.*s", SPAN_FMT(assistant));
    }
    (void)snprintf(self->embed_sandbox, sizeof(self->embed_sandbox), "%.*s", SPAN_FMT(sandbox));
    self->message_width[0] = '\0';
    if (is_width(width) && width.len < sizeof(self->message_width)) {
        (void)snprintf(self->message_width, sizeof(self->message_width), "%.*s", SPAN_FMT(width));
    }
}

void site_deinit(struct site *self)
{
    free(self->avatar);
    self->avatar = NULL;
}

/* --- paths ------------------------------------------------------------------------------ */

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

bool site_name_read(struct span path, char name[SITE_NAME_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];

        if (c == '%') {
            int high = i + 2 < path.len ? hex_of(path.ptr[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_of(path.ptr[i + 2]);

            if (low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == '\\' || len + 1 >= SITE_NAME_MAX) {
            return false;
        }
        name[len++] = c;
    }
    name[len] = '\0';
    return true;
}

bool site_name_is_plain(const char *name)
{
    for (const char *at = name;; at++) {
        if (*at == '\0' || *at == '/' || *at == '.') {
            return false;
        }
        at = strchr(at, '/');
        if (!at) {
            return true;
        }
    }
}

static bool is_below(struct span path, const char *prefix)
{
    size_t len = strlen(prefix);

    return span_starts(path, prefix) && (path.len == len || path.ptr[len] == '/');
}

/* What belongs to programs is never answered with a page, whatever it is asked with. */
static bool is_program_path(struct span path)
{
    static const char *const prefixes[] = { "/v1",      "/api",          "/tools",  "/hooks",   "/plugins",
                                            "/metrics", "/ui",           "/health", "/healthz", "/ready",
                                            "/readyz",  "/__openclaw__", "/avatar" };

    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (is_below(path, prefixes[i])) {
            return true;
        }
    }
    return false;
}

#define TYPE_HTML "text/html; charset=utf-8"

static const struct {
    const char *ending;
    const char *type;
    bool is_asset; /* a missing one is missing, not a place inside the page */
} types[] = {
    { ".html", TYPE_HTML, false },
    { ".htm", TYPE_HTML, false },
    { ".js", "application/javascript; charset=utf-8", true },
    { ".mjs", "application/javascript; charset=utf-8", true },
    { ".css", "text/css; charset=utf-8", true },
    { ".json", "application/json; charset=utf-8", true },
    { ".map", "application/json; charset=utf-8", true },
    { ".svg", "image/svg+xml", true },
    { ".png", "image/png", true },
    { ".jpg", "image/jpeg", true },
    { ".jpeg", "image/jpeg", true },
    { ".gif", "image/gif", true },
    { ".webp", "image/webp", true },
    { ".avif", "image/avif", true },
    { ".bmp", "image/bmp", true },
    { ".ico", "image/x-icon", true },
    { ".mp3", "audio/mpeg", true },
    { ".m4a", "audio/mp4", true },
    { ".aac", "audio/aac", true },
    { ".ogg", "audio/ogg", true },
    { ".opus", "audio/ogg", true },
    { ".wav", "audio/wav", true },
    { ".flac", "audio/flac", true },
    { ".mp4", "video/mp4", true },
    { ".webm", "video/webm", true },
    { ".mov", "video/quicktime", true },
    { ".pdf", "application/pdf", true },
    { ".csv", "text/csv; charset=utf-8", true },
    { ".txt", "text/plain; charset=utf-8", true },
    { ".webmanifest", "application/manifest+json; charset=utf-8", true },
    { ".wasm", "application/wasm", true },
    { ".woff2", "font/woff2", true },
    { ".woff", "font/woff", true },
};

static size_t type_index(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(slash ? slash : name, '.');
    size_t n = sizeof(types) / sizeof(types[0]);

    for (size_t i = 0; dot && i < n; i++) {
        if (strcasecmp(dot, types[i].ending) == 0) {
            return i;
        }
    }
    return n;
}

const char *site_type(const char *name)
{
    size_t i = type_index(name);

    return i < sizeof(types) / sizeof(types[0]) ? types[i].type : "application/octet-stream";
}

bool site_is_page(const char *name)
{
    return strcmp(site_type(name), TYPE_HTML) == 0;
}

static bool is_asset(const char *name)
{
    size_t i = type_index(name);

    return i < sizeof(types) / sizeof(types[0]) && types[i].is_asset;
}

/* "assets/index-NYVkUQrq.js": eight letters of a hash, which has more than small letters, in front of the ending. */
static bool is_hashed(const char *name)
{
    const char *dot = strrchr(name, '.');
    bool is_mixed = false;

    if (strncmp(name, "assets/", 7) != 0 || !dot || dot - name < 7 + 10 || dot[-9] != '-') {
        return false;
    }
    for (const char *at = dot - 8; at < dot; at++) {
        is_mixed = is_mixed || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
    }
    return is_mixed;
}

const char *site_cache(const char *name)
{
    return is_hashed(name) ? "public, max-age=31536000, immutable" : "no-cache";
}

/* Does a person follow a link, rather than a page ask for a part of itself or a script for data? Who navigates asks for
 * text/html, also when a service worker passes it on; Fetch Metadata (where it is sent) tells parts of a page apart. */
static bool is_navigation(const struct request *request)
{
    struct span dest = request_header(request, "sec-fetch-dest");
    struct span accept = request_header(request, "accept");

    if (dest.len > 0 && !span_is_text(dest, "document") && !span_is_text(dest, "empty")) {
        return false;
    }
    return accept.len == 0 ? dest.len == 0 : request_has_token(accept, "text/html");
}

/* Pages of a single-page app ask for their parts relative to where they are: "/chat/assets/x.js". */
static struct span below_assets(struct span path)
{
    const char *at = memmem(path.ptr, path.len, "/assets/", 8);

    return at ? (struct span){ at, (size_t)(path.ptr + path.len - at) } : path;
}

static void file_route(const struct site *self, struct span path, const struct request *request,
                       struct site_target *ret_target)
{
    path = below_assets(path);
    path.ptr++;
    path.len--;
    if (path.len == 0) {
        (void)snprintf(ret_target->name, sizeof(ret_target->name), "index.html");
        ret_target->kind = SITE_FILE;
        return;
    }
    if (!site_name_read(path, ret_target->name)) {
        return;
    }
    ret_target->falls_back = !is_asset(ret_target->name) && is_navigation(request);
    if (site_name_is_plain(ret_target->name)) {
        ret_target->kind = SITE_FILE;
    } else if (self->root[0] && ret_target->falls_back && path.ptr[path.len - 1] == '/' &&
               !strstr(ret_target->name, "..")) {
        (void)snprintf(ret_target->name, sizeof(ret_target->name), "index.html"); /* "/chat/" is inside the page */
        ret_target->kind = SITE_FILE;
    }
}

void site_route(const struct site *self, const struct request *request, struct site_target *ret_target)
{
    struct span path = request->path;
    size_t base = strlen(self->base);

    *ret_target = (struct site_target){ .kind = SITE_NONE };
    if (!self->is_on || (request->method != REQUEST_GET && request->method != REQUEST_HEAD) || path.len == 0) {
        return;
    }
    if (base > 0 ? !is_below(path, self->base) : is_program_path(path)) {
        return;
    }
    ret_target->kind = SITE_ABSENT;
    path.ptr += base;
    path.len -= base;
    if (path.len == 0) {
        ret_target->kind = SITE_REDIRECT;
    } else if (span_is_text(path, "/__openclaw/control-ui-config.json")) {
        ret_target->kind = SITE_SETTINGS;
    } else if (!is_program_path(path)) {
        file_route(self, path, request, ret_target);
    }
}

/* --- what keeps the page to itself -------------------------------------------------------- */

/* The next inline script of `rest`; false when there is none. `rest` then begins behind it. */
static bool script_next(struct span *rest, struct span *ret_text)
{
    for (;;) {
        const char *end = rest->ptr + rest->len;
        const char *open = memmem(rest->ptr, rest->len, "<script", 7);
        const char *tag_end = open ? memchr(open, '>', (size_t)(end - open)) : NULL;
        const char *close = tag_end ? memmem(tag_end, (size_t)(end - tag_end), "</script>", 9) : NULL;
        bool has_source;

        if (!close) {
            return false;
        }
        has_source = memmem(open, (size_t)(tag_end - open), " src", 4) != NULL;
        *ret_text = (struct span){ tag_end + 1, (size_t)(close - tag_end - 1) };
        *rest = (struct span){ close, (size_t)(end - close) };
        if (!has_source && ret_text->len > 0) {
            return true;
        }
    }
}

static int hash_write(struct span text, struct text_buf *out)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof(hash), sodium_base64_VARIANT_ORIGINAL)];
    char source[sizeof(base64) + 16];

    (void)crypto_hash_sha256(hash, (const unsigned char *)text.ptr, text.len); /* always 0 */
    (void)sodium_bin2base64(base64, sizeof(base64), hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(source, sizeof(source), " 'sha256-%s'", base64);
    return text_buf_add(out, span_from(source));
}

/* The start page brings all it needs in files of its own, so that nothing inline runs or styles. */
static const char own_rules[] = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
                                "script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:";

int site_guard_write(const struct site *self, struct span page, struct text_buf *out)
{
    struct span script;
    int r = text_buf_add(out, SPAN_LIT("X-Frame-Options: DENY\r\nContent-Security-Policy: "));

    if (!self->root[0]) {
        r = r ? r : text_buf_add(out, span_from(own_rules));
        return r ? r : text_buf_add(out, SPAN_LIT("\r\n"));
    }
    r = r ? r
          : text_buf_add(out, SPAN_LIT("default-src 'self'; base-uri 'none'; object-src 'none'; "
                                       "frame-ancestors 'none'; form-action 'self'; script-src 'self'"));
    for (unsigned n = 0; !r && n < SITE_INLINE_SCRIPTS_MAX && page.len > 0 && script_next(&page, &script); n++) {
        r = hash_write(script, out);
    }
    return r ? r
             : text_buf_add(out, SPAN_LIT("; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
                                          "font-src 'self'; worker-src 'self'; connect-src 'self' ws: wss:\r\n"));
}

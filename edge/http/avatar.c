#include "edge/http/avatar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SOURCE_MAX 256U
#define DATA_HEAD_MAX 64U

/* Lower or upper case, as schemes of URLs may be. */
static bool begins(struct span text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && strncasecmp(text.ptr, prefix, len) == 0;
}

static bool is_picture(const char *name)
{
    static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg" };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (strcasecmp(dot, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* What is left of an absolute path behind the directory; false when it lies elsewhere. */
static bool below_take(struct span *path, struct span dir)
{
    while (dir.len > 1 && dir.ptr[dir.len - 1] == '/') {
        dir.len--;
    }
    if (path->len <= dir.len || memcmp(path->ptr, dir.ptr, dir.len) != 0 || path->ptr[dir.len] != '/') {
        return false;
    }
    path->ptr += dir.len + 1;
    path->len -= dir.len + 1;
    return true;
}

/* NULL, or why it cannot be shown. */
static const char *name_take(struct span source, struct span workspace, const char *home, char name[SITE_NAME_MAX])
{
    char whole[SITE_ROOT_MAX];
    struct span path = source;

    if (source.ptr[0] == '~' && site_root_read(source, home, whole)) {
        path = span_from(whole);
    }
    if (path.ptr[0] == '/' && !below_take(&path, workspace)) {
        return "outside_workspace";
    }
    while (span_starts(path, "./")) {
        path.ptr += 2;
        path.len -= 2;
    }
    if (path.len >= SITE_NAME_MAX || memchr(path.ptr, '\0', path.len)) {
        return "missing";
    }
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    if (strncmp(name, "../", 3) == 0 || strstr(name, "/../")) {
        return "outside_workspace";
    }
    if (!site_name_is_plain(name)) {
        return "missing"; /* hidden files are not there */
    }
    return is_picture(name) ? NULL : "unsupported_extension";
}

void avatar_read(struct span source, struct span workspace, const char *home, struct avatar *ret_avatar)
{
    source = span_trim(source);
    *ret_avatar = (struct avatar){ .kind = AVATAR_NONE, .reason = "missing", .source = source };
    if (source.len == 0) {
        return;
    }
    if (begins(source, "http://") || begins(source, "https://")) {
        ret_avatar->kind = AVATAR_REMOTE;
    } else if (begins(source, "data:")) {
        ret_avatar->kind = AVATAR_DATA;
    } else {
        ret_avatar->reason = name_take(source, workspace, home, ret_avatar->name);
        ret_avatar->kind = ret_avatar->reason ? AVATAR_NONE : AVATAR_LOCAL;
    }
}

void avatar_note(struct avatar *self, int r)
{
    if (r) {
        self->kind = AVATAR_NONE;
        self->reason = r == -EFBIG ? "too_large" : "missing";
    }
}

/* "data:image/png;base64,…" up to the comma. */
static int data_head_write(struct span source, struct text_buf *out)
{
    char text[DATA_HEAD_MAX + 8];
    const char *comma = memchr(source.ptr, ',', source.len);
    size_t len = comma ? (size_t)(comma - source.ptr) : source.len;

    (void)snprintf(text, sizeof(text), "%.*s,...", (int)(len < DATA_HEAD_MAX ? len : DATA_HEAD_MAX), source.ptr);
    return json_from_text(span_from(text), out);
}

static int source_write(const struct avatar *self, struct text_buf *out)
{
    bool is_path = self->kind == AVATAR_LOCAL || self->kind == AVATAR_NONE;
    bool is_inside = self->source.len > 0 && self->source.len <= SOURCE_MAX && self->source.ptr[0] != '/' &&
                     self->source.ptr[0] != '~' && !memmem(self->source.ptr, self->source.len, "..", 2) &&
                     !memchr(self->source.ptr, ':', self->source.len);

    if (self->kind == AVATAR_DATA) {
        return data_head_write(self->source, out);
    }
    if (self->kind == AVATAR_REMOTE) {
        return text_buf_add(out, SPAN_LIT("\"remote URL\""));
    }
    return is_path && is_inside ? json_from_text(self->source, out) : text_buf_add(out, SPAN_LIT("null"));
}

int avatar_facts_write(const struct avatar *self, const char *prefix, struct text_buf *out)
{
    static const char *const kinds[] = {
        [AVATAR_NONE] = "none", [AVATAR_LOCAL] = "local", [AVATAR_REMOTE] = "remote", [AVATAR_DATA] = "data"
    };
    char text[160];
    int r;

    (void)snprintf(text, sizeof(text), "\"%sSource\":", prefix);
    r = text_buf_add(out, span_from(text));
    r = r ? r : source_write(self, out);
    (void)snprintf(text, sizeof(text), ",\"%sStatus\":\"%s\",\"%sReason\":", prefix, kinds[self->kind], prefix);
    r = r ? r : text_buf_add(out, span_from(text));
    if (r || self->kind != AVATAR_NONE) {
        return r ? r : text_buf_add(out, SPAN_LIT("null"));
    }
    return json_from_text(span_from(self->reason), out);
}

int avatar_url_write(const struct avatar *self, const char *base, struct span agent_id, struct text_buf *out)
{
    char url[SITE_BASE_MAX + 80];

    if (self->kind == AVATAR_NONE) {
        return text_buf_add(out, SPAN_LIT("null"));
    }
    if (self->kind != AVATAR_LOCAL) {
        return json_from_text(self->source, out);
    }
    (void)snprintf(url, sizeof(url), "%s/avatar/%.*s", base, SPAN_FMT(agent_id)); /* an id has 64 bytes at most */
    return json_from_text(span_from(url), out);
}

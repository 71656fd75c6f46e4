#include "actors/agent/inputs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "actors/agent/ids.h"
#include "bus/base/cleanup.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema/base/base64.h"

#define NOTHING ((struct span){ NULL, 0 })
#define NAME_MAX_BYTES 128

/* --- what stands there -------------------------------------------------------------------- */

static bool is_web(struct span url)
{
    return (url.len > 7 && strncasecmp(url.ptr, "http://", 7) == 0) ||
           (url.len > 8 && strncasecmp(url.ptr, "https://", 8) == 0);
}

static bool type_is(struct span part, const char *type)
{
    return span_is_text(value_str(value_get(part, "type"), NOTHING), type);
}

/* The bytes of a picture that comes in a form which models do not take; an empty span for any other. */
static struct span heic_of(struct span url)
{
    static const char *const heads[] = { "data:image/heic;base64,", "data:image/heif;base64," };

    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        size_t len = strlen(heads[i]);

        if (url.len > len && strncasecmp(url.ptr, heads[i], len) == 0) {
            return (struct span){ url.ptr + len, url.len - len };
        }
    }
    return NOTHING;
}

/* A part that must be fetched or read. */
static bool ref_of(struct span part, struct input_ref *ret_ref)
{
    struct span url = value_str(value_path(part, "image_url.url"), NOTHING);

    if (type_is(part, "image_url")) {
        *ret_ref = (struct input_ref){ .is_image = true, .url = url, .base64 = heic_of(url) };
        return is_web(url) || ret_ref->base64.len;
    }
    *ret_ref = (struct input_ref){ .url = value_str(value_path(part, "file.url"), NOTHING),
                                   .base64 = value_str(value_path(part, "file.pdf"), NOTHING) };
    return type_is(part, "file") && (ret_ref->url.len || ret_ref->base64.len);
}

void input_got_deinit(struct input_got *self)
{
    text_buf_deinit(&self->bytes);
    for (uint32_t i = 0; i < self->pages_n; i++) {
        text_buf_deinit(&self->pages[i]);
    }
}

static bool is_text_file(struct span part)
{
    return type_is(part, "file") && value_kind_of(value_path(part, "file.text")) == VALUE_STR;
}

uint32_t inputs_list(struct span messages, struct input_ref refs[INPUTS_MAX])
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t n = 0;

    while (value_next(&it, &key, &message)) {
        struct value_iter parts = value_iter(value_get(message, "content"));
        struct span part;

        while (value_next(&parts, &key, &part)) {
            n += n < INPUTS_MAX && ref_of(part, &refs[n]);
        }
    }
    return n;
}

static bool message_has_inputs(struct span message)
{
    struct value_iter parts = value_iter(value_get(message, "content"));
    struct input_ref ref;
    struct span key;
    struct span part;

    while (value_next(&parts, &key, &part)) {
        if (is_text_file(part) || ref_of(part, &ref)) {
            return true;
        }
    }
    return false;
}

bool inputs_are_there(struct span messages)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;

    while (value_next(&it, &key, &message)) {
        if (message_has_inputs(message)) {
            return true;
        }
    }
    return false;
}

/* --- files --------------------------------------------------------------------------------- */

/* A stranger's text cannot hold the marks that end it. */
static int stranger_add(struct span text, struct text_buf *out)
{
    size_t from = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i + 3 <= text.len; i++) {
        if (memcmp(text.ptr + i, "<<<", 3) == 0) {
            rc = text_buf_add(out, (struct span){ text.ptr + from, i - from });
            rc = rc ? rc : text_buf_add(out, SPAN_LIT("< < <"));
            i += 2;
            from = i + 1;
        }
    }
    return rc ? rc : text_buf_add(out, (struct span){ text.ptr + from, text.len - from });
}

static void name_copy(struct span name, char out[NAME_MAX_BYTES])
{
    struct span cut = utf8_cut(name.len ? name : SPAN_LIT("file"), NAME_MAX_BYTES - 1);

    for (size_t i = 0; i < cut.len; i++) {
        out[i] = (unsigned char)cut.ptr[i] < ' ' || cut.ptr[i] == 0x7f || cut.ptr[i] == ']' ? '_' : cut.ptr[i];
    }
    out[cut.len] = '\0';
}

static int file_pack(struct span name, struct span text, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf block = { 0 };
    char line[NAME_MAX_BYTES + 128];
    char shown[NAME_MAX_BYTES];
    char id[2][IDS_SHORT_MAX];
    int len;
    int rc;

    ids_short(id[0]);
    ids_short(id[1]);
    name_copy(name, shown);
    len =
        snprintf(line, sizeof(line), "<<<EXTERNAL_UNTRUSTED_CONTENT id=\"%s%s\">>>\nSource: External\nFile: %s\n---\n",
                 id[0], id[1], shown); /* fits */
    rc = text_buf_add(&block, (struct span){ line, (size_t)len });
    rc = rc ? rc : stranger_add(text, &block);
    len = snprintf(line, sizeof(line), "\n<<<END_EXTERNAL_UNTRUSTED_CONTENT id=\"%s%s\">>>", id[0], id[1]); /* fits */
    rc = rc ? rc : text_buf_add(&block, (struct span){ line, (size_t)len });
    if (!rc) {
        pack_map_begin(out);
        pack_kv_text(out, "role", "system");
        pack_kv_str(out, "content", (struct span){ block.data, block.len });
        pack_map_end(out);
    }
    return rc;
}

static void file_name_pack(struct span name, struct span text, struct pack *out)
{
    char line[NAME_MAX_BYTES + 64];
    char shown[NAME_MAX_BYTES];

    name_copy(name, shown);
    (void)snprintf(line, sizeof(line), "[file %s %zu bytes]", shown, text.len); /* fits */
    pack_map_begin(out);
    pack_kv_text(out, "type", "text");
    pack_kv_text(out, "text", line);
    pack_map_end(out);
}

/* --- pictures ------------------------------------------------------------------------------- */

static int image_pack(const char *mime, const struct text_buf *bytes, struct span detail, struct pack *out)
{
    CLEANUP(text_buf_deinit) struct text_buf url = { 0 };
    int rc = text_buf_add(&url, SPAN_LIT("data:"));

    rc = rc ? rc : text_buf_add(&url, span_from(mime));
    rc = rc ? rc : text_buf_add(&url, SPAN_LIT(";base64,"));
    rc = rc ? rc : base64_encode((struct span){ bytes->data, bytes->len }, &url);
    if (rc) {
        return rc;
    }
    pack_map_begin(out);
    pack_kv_text(out, "type", "image_url");
    pack_key(out, "image_url");
    pack_map_begin(out);
    pack_kv_str(out, "url", (struct span){ url.data, url.len });
    if (detail.len) {
        pack_kv_str(out, "detail", detail);
    }
    pack_map_end(out);
    pack_map_end(out);
    return 0;
}

static int pages_pack(const struct input_got *got, struct pack *out)
{
    int rc = 0;

    for (uint32_t i = 0; got && !rc && i < got->pages_n; i++) {
        rc = image_pack("image/jpeg", &got->pages[i], NOTHING, out);
    }
    return rc;
}

/* --- messages ---------------------------------------------------------------------------------- */

static struct span file_text(struct span part, const struct input_got *got)
{
    if (got && got->pages_n) {
        return SPAN_LIT("[PDF content rendered to images]");
    }
    return got ? (struct span){ got->bytes.data ? got->bytes.data : "", got->bytes.len }
               : value_str(value_path(part, "file.text"), SPAN_LIT(""));
}

/* The files of a message, as messages before it. */
static int files_pack(struct span message, const struct input_got *got, uint32_t at, struct pack *out)
{
    struct value_iter parts = value_iter(value_get(message, "content"));
    struct input_ref ref;
    struct span key;
    struct span part;
    int rc = 0;

    while (!rc && value_next(&parts, &key, &part)) {
        bool is_ref = ref_of(part, &ref);

        if (is_text_file(part) || (is_ref && !ref.is_image)) {
            rc = file_pack(value_str(value_path(part, "file.filename"), NOTHING),
                           file_text(part, is_ref ? &got[at] : NULL), out);
        }
        at += is_ref;
    }
    return rc;
}

/* The message itself; moves `*at` behind what it used. */
static int message_expand(struct span message, const struct input_got *got, uint32_t *at, struct pack *out)
{
    struct value_iter parts = value_iter(value_get(message, "content"));
    struct input_ref ref;
    struct span key;
    struct span part;
    int rc = 0;

    pack_map_begin(out);
    pack_kv_raw(out, "role", value_get(message, "role"));
    pack_key(out, "content");
    pack_array_begin(out);
    while (!rc && value_next(&parts, &key, &part)) {
        bool is_ref = ref_of(part, &ref);

        if (is_ref && ref.is_image) {
            rc = image_pack(got[*at].mime, &got[*at].bytes, value_str(value_path(part, "image_url.detail"), NOTHING),
                            out);
        } else if (is_ref || is_text_file(part)) {
            file_name_pack(value_str(value_path(part, "file.filename"), NOTHING),
                           file_text(part, is_ref ? &got[*at] : NULL), out);
            rc = pages_pack(is_ref ? &got[*at] : NULL, out);
        } else {
            pack_raw(out, part);
        }
        *at += is_ref;
    }
    pack_array_end(out);
    if (value_get(message, "tool_call_id").len) {
        pack_kv_raw(out, "tool_call_id", value_get(message, "tool_call_id"));
    }
    pack_map_end(out);
    return rc;
}

int inputs_expand(struct span messages, const struct input_got *got, struct pack *out)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t at = 0;
    int rc = 0;

    pack_array_begin(out);
    while (!rc && value_next(&it, &key, &message)) {
        if (!message_has_inputs(message)) {
            pack_raw(out, message);
            continue;
        }
        rc = files_pack(message, got, at, out);
        rc = rc ? rc : message_expand(message, got, &at, out);
    }
    pack_array_end(out);
    return rc ? rc : pack_error(out);
}

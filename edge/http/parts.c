#include "edge/http/parts.h"

#include <stdint.h>
#include <strings.h>

#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema/base/base64.h"
#include "schema/base/picture.h"

#define NOTHING ((struct span){ NULL, 0 })

static const char *const image_mimes[] = { "image/jpeg", "image/png",  "image/gif", "image/webp",
                                           "image/heic", "image/heif", NULL };
static const char *const file_mimes[] = { "text/plain",       "text/markdown",   "text/html", "text/csv",
                                          "application/json", "application/pdf", NULL };

/* --- types --------------------------------------------------------------------------- */

static bool is_word(struct span text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

static bool is_known(const char *const *names, struct span mime)
{
    for (; *names; names++) {
        if (is_word(mime, *names)) {
            return true;
        }
    }
    return false;
}

static bool is_listed(struct span list, struct span mime)
{
    struct value_iter it = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        struct span name = value_str(item, NOTHING);

        if (name.len == mime.len && strncasecmp(name.ptr, mime.ptr, mime.len) == 0) {
            return true;
        }
    }
    return false;
}

/* May a picture, or else a file, of this type be taken? */
static bool mime_is_allowed(const struct input_rules *rules, bool is_image, struct span mime)
{
    return is_known(is_image ? image_mimes : file_mimes, mime) && (!rules->mimes.len || is_listed(rules->mimes, mime));
}

void parts_mimes_pack(const struct input_rules *rules, bool is_image, struct pack *out)
{
    pack_array_begin(out);
    for (const char *const *name = is_image ? image_mimes : file_mimes; *name; name++) {
        if (mime_is_allowed(rules, is_image, span_from(*name))) {
            pack_text(out, *name);
        }
    }
    pack_array_end(out);
}

static int mime_refuse(struct span mime, bool is_image, struct openai_error *error)
{
    return openai_refuse(error, "%s of the type `%.*s` are not taken here.", is_image ? "Pictures" : "Files",
                         SPAN_FMT(utf8_cut(mime, 64)));
}

/* Splits "data:<type>[;…];base64,<data>"; false for anything else. */
static bool data_url_split(struct span url, struct span *ret_mime, struct span *ret_data)
{
    static const struct span mark = { ";base64", 7 };
    const char *comma = url.len >= 5 && strncasecmp(url.ptr, "data:", 5) == 0 ? memchr(url.ptr, ',', url.len) : NULL;
    const char *end;
    size_t head;

    if (!comma || comma - (url.ptr + 5) < (ptrdiff_t)mark.len || memcmp(comma - mark.len, mark.ptr, mark.len) != 0) {
        return false;
    }
    head = (size_t)(comma - mark.len - (url.ptr + 5));
    end = memchr(url.ptr + 5, ';', head);
    *ret_mime = (struct span){ url.ptr + 5, end ? (size_t)(end - (url.ptr + 5)) : head };
    *ret_data = (struct span){ comma + 1, url.len - (size_t)(comma + 1 - url.ptr) };
    return true;
}

/* --- addresses ------------------------------------------------------------------------- */

static bool is_http_url(struct span url)
{
    return (url.len > 7 && strncasecmp(url.ptr, "http://", 7) == 0) ||
           (url.len > 8 && strncasecmp(url.ptr, "https://", 8) == 0);
}

static int url_check(struct parts *self, struct span url, bool is_allowed, const char *what, struct openai_error *error)
{
    if (!is_http_url(url)) {
        return openai_refuse(error, "%s must come as a data: URL in base64, or from http:// or https://.", what);
    }
    if (!is_allowed) {
        return openai_refuse(error, "%s cannot be fetched from URLs here (allowUrl is off): send them in base64.",
                             what);
    }
    if (url.len > PARTS_URL_MAX) {
        return openai_refuse(error, "A URL must not be longer than %u bytes.", PARTS_URL_MAX);
    }
    for (size_t i = 0; i < url.len; i++) {
        if ((unsigned char)url.ptr[i] <= ' ' || url.ptr[i] == 0x7f) {
            return openai_refuse(error, "A URL must not hold spaces or control characters.");
        }
    }
    if (++self->urls_n > self->rules->urls_max) {
        return openai_refuse(error, "At most %u parts of a request may be fetched from URLs.", self->rules->urls_max);
    }
    return 0;
}

/* --- pictures --------------------------------------------------------------------------- */

static int image_count(struct parts *self, struct openai_error *error)
{
    if (++self->images_n > self->rules->images_max) {
        return openai_refuse(error, "A request may hold at most %u pictures.", self->rules->images_max);
    }
    return 0;
}

static void image_pack(struct span url, struct span detail, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "type", "image_url");
    pack_key(out, "image_url");
    pack_map_begin(out);
    pack_kv_str(out, "url", url);
    if (detail.len) {
        pack_kv_str(out, "detail", detail);
    }
    pack_map_end(out);
    pack_map_end(out);
}

/* Counts it and checks its bytes; `mime` becomes the type that they tell. */
static int image_data_check(struct parts *self, struct span *mime, struct span data, struct openai_error *error)
{
    uint8_t head[PICTURE_HEAD_BYTES];
    const char *told;
    size_t bytes;
    int r = image_count(self, error);

    if (r) {
        return r;
    }
    if (!base64_check(data, &bytes) || bytes == 0) {
        return openai_refuse(error, "The data of a picture is not base64.");
    }
    if (bytes > self->rules->images.bytes_max) {
        return openai_refuse(error, "A picture must not be larger than %llu bytes.",
                             (unsigned long long)self->rules->images.bytes_max);
    }
    self->image_bytes += bytes;
    if (self->image_bytes > self->rules->images_bytes_max) {
        return openai_refuse(error, "The pictures of a request must not be larger than %llu bytes together.",
                             (unsigned long long)self->rules->images_bytes_max);
    }
    told = picture_type(head, base64_head(data, head, sizeof(head)));
    if (told) {
        *mime = span_from(told);
    }
    return mime_is_allowed(&self->rules->images, true, *mime) ? 0 : mime_refuse(*mime, true, error);
}

static int image_url_pack(struct span mime, struct span data, struct span detail, struct pack *out)
{
    struct text_buf url = { 0 };
    int r = text_buf_add(&url, SPAN_LIT("data:"));

    r = r ? r : text_buf_add(&url, mime);
    r = r ? r : text_buf_add(&url, SPAN_LIT(";base64,"));
    r = r ? r : text_buf_add(&url, data);
    if (!r) {
        image_pack((struct span){ url.data, url.len }, detail, out);
    }
    text_buf_deinit(&url);
    return r;
}

int parts_image_data_pack(struct parts *self, struct span mime, struct span data, struct pack *out,
                          struct openai_error *error)
{
    int r = image_data_check(self, &mime, data, error);

    return r ? r : image_url_pack(mime, data, NOTHING, out);
}

int parts_image_pack(struct parts *self, struct span url, struct span detail, struct pack *out,
                     struct openai_error *error)
{
    struct span mime;
    struct span data;
    int r;

    if (data_url_split(url, &mime, &data)) {
        r = image_data_check(self, &mime, data, error);
        return r ? r : image_url_pack(mime, data, detail, out);
    }
    r = url_check(self, url, self->rules->images.allow_url, "Pictures", error);
    r = r ? r : image_count(self, error);
    if (r) {
        return r;
    }
    image_pack(url, detail, out);
    return 0;
}

/* --- files -------------------------------------------------------------------------------- */

static struct span name_of(const struct parts_file *file)
{
    return file->name.len ? utf8_cut(file->name, PARTS_NAME_MAX) : SPAN_LIT("file");
}

/* What the end of a name says of the type, for clients that say no type. */
static struct span mime_of_name(struct span name)
{
    static const struct {
        const char *end;
        const char *mime;
    } rows[] = {
        { ".txt", "text/plain" }, { ".md", "text/markdown" },       { ".html", "text/html" },
        { ".csv", "text/csv" },   { ".json", "application/json" },  { ".pdf", "application/pdf" },
        { ".htm", "text/html" },  { ".markdown", "text/markdown" },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t len = strlen(rows[i].end);

        if (name.len > len && strncasecmp(name.ptr + name.len - len, rows[i].end, len) == 0) {
            return span_from(rows[i].mime);
        }
    }
    return SPAN_LIT("text/plain");
}

static void file_pack(struct span name, const char *key, struct span value, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "type", "file");
    pack_key(out, "file");
    pack_map_begin(out);
    pack_kv_str(out, "filename", name);
    pack_kv_str(out, key, value);
    pack_map_end(out);
    pack_map_end(out);
}

static int file_data_check(const struct input_rules *rules, struct span name, struct span data,
                           struct openai_error *error)
{
    size_t bytes;

    if (!base64_check(data, &bytes)) {
        return openai_refuse(error, "The data of the file `%.*s` is not base64.", SPAN_FMT(utf8_cut(name, 64)));
    }
    if (bytes > rules->bytes_max) {
        return openai_refuse(error, "A file must not be larger than %llu bytes.", (unsigned long long)rules->bytes_max);
    }
    return 0;
}

static int file_text_pack(struct parts *self, struct span name, struct span data, struct pack *out,
                          struct openai_error *error)
{
    const struct input_rules *rules = &self->rules->files;
    struct text_buf text = { 0 };
    struct span whole;
    int r = base64_decode(data, &text);

    whole = (struct span){ text.data, text.len };
    if (!r && !utf8_is_valid(whole)) {
        r = openai_refuse(error, "The file `%.*s` is not text in UTF-8.", SPAN_FMT(utf8_cut(name, 64)));
    }
    if (!r) {
        file_pack(name, "text", utf8_cut_chars(whole, rules->chars_max), out);
    }
    text_buf_deinit(&text);
    return r;
}

int parts_file_pack(struct parts *self, const struct parts_file *file, struct pack *out, struct openai_error *error)
{
    struct span name = name_of(file);
    struct span mime = file->mime;
    struct span data = file->data;
    int r;

    if (!file->data.len) {
        r = url_check(self, file->url, self->rules->files.allow_url, "Files", error);
        if (!r) {
            file_pack(name, "url", file->url, out);
        }
        return r;
    }
    if (data_url_split(file->data, &mime, &data) && file->mime.len) {
        mime = file->mime;
    }
    if (!mime.len) {
        mime = mime_of_name(name);
    }
    if (!mime_is_allowed(&self->rules->files, false, mime)) {
        return mime_refuse(mime, false, error);
    }
    r = file_data_check(&self->rules->files, name, data, error);
    if (!r && is_word(mime, "application/pdf")) {
        file_pack(name, "pdf", data, out);
        return 0;
    }
    return r ? r : file_text_pack(self, name, data, out, error);
}

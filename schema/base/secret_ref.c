#include "schema/base/secret_ref.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define ENV_NAME_MAX 128U
#define EXEC_ID_MAX 256U
#define NOTHING ((struct span){ 0 })

static const char *const source_names[SECRET_SOURCES_N] = {
    [SECRET_SOURCE_ENV] = "env",
    [SECRET_SOURCE_FILE] = "file",
    [SECRET_SOURCE_EXEC] = "exec",
};

const char *secret_source_name(enum secret_source source)
{
    return source_names[source];
}

bool secret_source_find(struct span name, enum secret_source *ret_source)
{
    for (size_t i = 0; i < ARRAY_LEN(source_names); i++) {
        if (span_is_text(name, source_names[i])) {
            *ret_source = (enum secret_source)i;
            return true;
        }
    }
    return false;
}

/* --- what may stand there ------------------------------------------------------------------------- */

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool secret_provider_is_fit(struct span name)
{
    bool is_fit = name.len > 0 && name.len <= SECRET_PROVIDER_MAX && is_lower(name.ptr[0]);

    for (size_t i = 1; is_fit && i < name.len; i++) {
        char c = name.ptr[i];
        is_fit = is_lower(c) || is_digit(c) || c == '_' || c == '-';
    }
    return is_fit;
}

static bool env_is_fit(struct span id)
{
    bool is_fit = id.len > 0 && id.len <= ENV_NAME_MAX && is_upper(id.ptr[0]);

    for (size_t i = 1; is_fit && i < id.len; i++) {
        is_fit = is_upper(id.ptr[i]) || is_digit(id.ptr[i]) || id.ptr[i] == '_';
    }
    return is_fit;
}

/* An absolute JSON pointer (RFC 6901 §3), or the one name that a singleValue file answers to. */
static bool file_is_fit(struct span id)
{
    bool is_fit = id.len > 0 && id.len <= SECRET_ID_MAX && id.ptr[0] == '/';

    if (span_is_text(id, SECRET_SINGLE_ID)) {
        return true;
    }
    for (size_t i = 0; is_fit && i < id.len; i++) {
        is_fit = id.ptr[i] && (id.ptr[i] != '~' || (i + 1 < id.len && (id.ptr[i + 1] == '0' || id.ptr[i + 1] == '1')));
    }
    return is_fit;
}

static bool is_exec_char(char c)
{
    return is_upper(c) || is_lower(c) || is_digit(c) || (c && strchr("._:/#-", c));
}

/* "." and ".." would look like a way to elsewhere. */
static bool segments_are_fit(struct span id)
{
    size_t from = 0;

    for (size_t i = 0; i <= id.len; i++) {
        if (i < id.len && id.ptr[i] != '/') {
            continue;
        }
        struct span segment = { id.ptr + from, i - from };
        if (span_is_text(segment, ".") || span_is_text(segment, "..")) {
            return false;
        }
        from = i + 1;
    }
    return true;
}

static bool exec_is_fit(struct span id)
{
    bool is_fit = id.len > 0 && id.len <= EXEC_ID_MAX && is_exec_char(id.ptr[0]) && !strchr("._:/#-", id.ptr[0]);

    for (size_t i = 1; is_fit && i < id.len; i++) {
        is_fit = is_exec_char(id.ptr[i]);
    }
    return is_fit && segments_are_fit(id);
}

bool secret_id_is_fit(enum secret_source source, struct span id)
{
    switch (source) {
    case SECRET_SOURCE_ENV:
        return env_is_fit(id);
    case SECRET_SOURCE_FILE:
        return file_is_fit(id);
    default:
        return exec_is_fit(id);
    }
}

const char *secret_ref_problem(const struct secret_ref *ref)
{
    if (!secret_provider_is_fit(ref->provider)) {
        return "its provider must be a name of a-z, 0-9, _ and -, beginning with a letter, of 64 characters at most";
    }
    if (secret_id_is_fit(ref->source, ref->id)) {
        return NULL;
    }
    switch (ref->source) {
    case SECRET_SOURCE_ENV:
        return "its id must be the name of an environment variable, of A-Z, 0-9 and _, beginning with a letter, of "
               "128 characters at most";
    case SECRET_SOURCE_FILE:
        return "its id must be an absolute JSON pointer like \"/providers/openai/apiKey\" (~ is written ~0, / ~1), or "
               "\"" SECRET_SINGLE_ID "\" for a singleValue file";
    default:
        return "its id must be of A-Z, a-z, 0-9 and ._:/#-, beginning with a letter or digit, of 256 characters at "
               "most, without \".\" or \"..\" between slashes";
    }
}

/* --- reading --------------------------------------------------------------------------------------- */

struct span secret_provider_default(struct span doc, enum secret_source source)
{
    struct span defaults = value_path(doc, "secrets.defaults");
    struct span name = value_str(value_get(defaults, source_names[source]), NOTHING);

    return name.len ? name : SPAN_LIT("default");
}

struct span secret_provider_entry(struct span doc, struct span name)
{
    return value_find(value_path(doc, "secrets.providers"), name);
}

/* `${NAME}` and `$NAME`, and nothing else in the text. */
static struct span variable_of(struct span text)
{
    struct span name = { text.ptr + 1, text.len - 1 };

    if (text.len < 2 || text.ptr[0] != '$') {
        return NOTHING;
    }
    if (name.ptr[0] == '{') {
        if (name.len < 3 || name.ptr[name.len - 1] != '}') {
            return NOTHING;
        }
        name = (struct span){ name.ptr + 1, name.len - 2 };
    }
    return env_is_fit(name) ? name : NOTHING;
}

bool secret_ref_read(struct span value, struct span doc, struct secret_ref *ret_ref)
{
    struct span text = value_str(value, NOTHING);
    struct span name = text.len ? variable_of(text) : NOTHING;
    struct secret_ref ref = { .source = SECRET_SOURCE_ENV };

    if (name.len) {
        *ret_ref = (struct secret_ref){ SECRET_SOURCE_ENV, secret_provider_default(doc, SECRET_SOURCE_ENV), name };
        return true;
    }
    if (value_kind_of(value) != VALUE_MAP ||
        !secret_source_find(value_str(value_get(value, "source"), NOTHING), &ref.source)) {
        return false;
    }
    ref.id = value_str(value_get(value, "id"), NOTHING);
    ref.provider = value_str(value_get(value, "provider"), NOTHING);
    if (!value_get(value, "provider").len) {
        ref.provider = secret_provider_default(doc, ref.source);
    }
    if (!ref.id.len || !ref.provider.len) {
        return false;
    }
    *ret_ref = ref;
    return true;
}

bool secret_ref_is_legacy(struct span value)
{
    struct span text = value_str(value, NOTHING);

    return text.len && (span_starts(text, "secretref-env:") || span_starts(text, "__env__:"));
}

bool secret_ref_is_same(const struct secret_ref *a, const struct secret_ref *b)
{
    return a->source == b->source && span_is(a->provider, b->provider) && span_is(a->id, b->id);
}

void secret_ref_text(const struct secret_ref *ref, char out[SECRET_REF_TEXT_MAX])
{
    (void)snprintf(out, SECRET_REF_TEXT_MAX, "%s:%.*s:%.*s", source_names[ref->source], SPAN_FMT(ref->provider),
                   SPAN_FMT(ref->id));
}

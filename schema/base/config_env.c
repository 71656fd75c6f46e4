#include "schema/base/config_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/secret_ref.h"
#include "schema/base/secret_target.h"

#define NAME_MAX_LEN 128
#define PLACE_MAX 256

struct job {
    struct span doc;
    struct config_lookup lookup;
    struct pack *out;
    struct config_error *error;
    struct text_buf text;  /* the string under construction */
    char place[PLACE_MAX]; /* dotted path of the value in hand */
    size_t place_len;
    struct json5_step steps[SECRET_TARGET_STEPS_MAX]; /* the same, as far as there is room */
    size_t steps_n;
    bool is_lenient; /* what refers to an unset variable becomes null */
};

static const char *process_find(void *arg, const char *name)
{
    (void)arg;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): nobody sets variables after the start */
}

struct config_lookup config_lookup_process(void)
{
    return (struct config_lookup){ .find = process_find };
}

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* Length of `${NAME}` at the front of `text`; 0 when it is no reference. */
static size_t reference_len(struct span text, char ret_name[NAME_MAX_LEN])
{
    size_t i = 3;

    if (text.len < 4 || text.ptr[0] != '$' || text.ptr[1] != '{' || !is_name_start(text.ptr[2])) {
        return 0;
    }
    while (i < text.len && is_name(text.ptr[i])) {
        i++;
    }
    if (i >= text.len || text.ptr[i] != '}' || i - 2 >= NAME_MAX_LEN) {
        return 0;
    }
    memcpy(ret_name, text.ptr + 2, i - 2);
    ret_name[i - 2] = '\0';
    return i + 1;
}

static struct span own_value(struct span doc, const char *name)
{
    struct span env = value_get(doc, "env");
    struct span value = value_str(value_get(value_get(env, "vars"), name), (struct span){ 0 });

    return value.len ? value : value_str(value_get(env, name), (struct span){ 0 });
}

static int name_put(struct job *job, const char *name)
{
    const char *found = job->lookup.find(job->lookup.arg, name);
    struct span value = span_from(found);

    if (!value.len) {
        value = own_value(job->doc, name);
    }
    if (!value.len && !job->error->text[0]) { /* the first one is told */
        snprintf(job->error->text, sizeof(job->error->text),
                 "%.*s refers to ${%s}, but that environment variable is not set", (int)job->place_len, job->place,
                 name);
    }
    if (!value.len) {
        return CONFIG_ENV_E_REFUSED;
    }
    return text_buf_add(&job->text, value);
}

static int string_build(struct job *job, struct span text)
{
    char name[NAME_MAX_LEN];

    job->text.len = 0;
    while (text.len) {
        bool is_escaped = text.len > 1 && text.ptr[0] == '$' && text.ptr[1] == '$';
        struct span rest = { text.ptr + is_escaped, text.len - is_escaped };
        size_t taken = reference_len(rest, name);
        int r = 0;

        if (taken && is_escaped) {
            r = text_buf_add(&job->text, (struct span){ rest.ptr, taken });
            taken++;
        } else if (taken) {
            r = name_put(job, name);
        } else {
            const char *next = memchr(text.ptr + 1, '$', text.len - 1);
            taken = next ? (size_t)(next - text.ptr) : text.len;
            r = text_buf_add(&job->text, (struct span){ text.ptr, taken });
        }
        if (r) {
            return r;
        }
        text = (struct span){ text.ptr + taken, text.len - taken };
    }
    return 0;
}

static int value_copy(struct job *job, struct span value);

static size_t place_push(struct job *job, struct span key, struct json5_step step)
{
    size_t before = job->place_len;
    if (job->steps_n < SECRET_TARGET_STEPS_MAX) {
        job->steps[job->steps_n] = step;
    }
    job->steps_n++;
    int n = snprintf(job->place + before, PLACE_MAX - before, "%s%.*s", before ? "." : "", SPAN_FMT(key));

    if (n > 0) {
        size_t room = PLACE_MAX - before - 1;
        job->place_len += (size_t)n < room ? (size_t)n : room;
    }
    return before;
}

static void place_pop(struct job *job, size_t before)
{
    job->place_len = before;
    job->steps_n--;
}

static int map_copy(struct job *job, struct span map)
{
    struct value_iter it = value_iter(map);
    struct span key;
    struct span item;

    pack_map_begin(job->out);
    while (value_next(&it, &key, &item)) {
        size_t before = place_push(job, key, (struct json5_step){ .key = key });
        pack_key_span(job->out, key);
        int r = value_copy(job, item);
        if (r) {
            return r;
        }
        place_pop(job, before);
    }
    pack_map_end(job->out);
    return 0;
}

static int array_copy(struct job *job, struct span array)
{
    struct value_iter it = value_iter(array);
    struct span key;
    struct span item;
    unsigned index = 0;

    pack_array_begin(job->out);
    while (value_next(&it, &key, &item)) {
        char number[16];
        int n = snprintf(number, sizeof(number), "%u", index);
        size_t before = place_push(job, (struct span){ number, (size_t)n }, (struct json5_step){ .index = index });
        index++;
        int r = value_copy(job, item);
        if (r) {
            return r;
        }
        place_pop(job, before);
    }
    pack_array_end(job->out);
    return 0;
}

/* Where a secret may stand, `${NAME}` alone is a reference to it, and whether it has a value is the owner's affair. */
static bool is_secret_ref(const struct job *job, struct span value)
{
    struct secret_ref ref;

    return !job->is_lenient && secret_ref_read(value, job->doc, &ref) && job->steps_n <= SECRET_TARGET_STEPS_MAX &&
           secret_target_find(job->steps, job->steps_n, "openclaw.json");
}

static int value_copy(struct job *job, struct span value)
{
    enum value_kind kind = value_kind_of(value);

    if (kind == VALUE_MAP) {
        return map_copy(job, value);
    }
    if (kind == VALUE_ARRAY) {
        return array_copy(job, value);
    }
    if (kind == VALUE_STR) {
        struct span text = value_str(value, (struct span){ 0 });
        if (text.len && memchr(text.ptr, '$', text.len) && !is_secret_ref(job, value)) {
            int r = string_build(job, text);
            if (r == CONFIG_ENV_E_REFUSED && job->is_lenient) {
                pack_nil(job->out);
                return 0;
            }
            pack_str(job->out, (struct span){ job->text.data, job->text.len });
            return r;
        }
    }
    pack_raw(job->out, value);
    return 0;
}

static int substitute(struct job *job)
{
    job->error->text[0] = '\0';
    int r = value_copy(job, job->doc);

    text_buf_deinit(&job->text);
    return r ? r : pack_error(job->out);
}

int config_env_substitute(struct span doc, struct config_lookup lookup, struct pack *out, struct config_error *error)
{
    struct job job = { .doc = doc, .lookup = lookup, .out = out, .error = error };

    return substitute(&job);
}

int config_env_substitute_known(struct span doc, struct config_lookup lookup, struct pack *out,
                                struct config_error *error)
{
    struct job job = { .doc = doc, .lookup = lookup, .out = out, .error = error, .is_lenient = true };

    return substitute(&job);
}

const char *config_secret_resolve(struct span value, struct config_lookup lookup, char *buf, size_t buf_len,
                                  bool *ret_is_set)
{
    struct span text = value_str(value, (struct span){ 0 });
    char name[NAME_MAX_LEN + 1];
    struct secret_ref ref;
    bool is_ref = secret_ref_read(value, (struct span){ 0 }, &ref);

    *ret_is_set = text.len > 0 || value_kind_of(value) == VALUE_MAP;
    if (!is_ref && text.len && text.len < buf_len) {
        memcpy(buf, text.ptr, text.len);
        buf[text.len] = '\0';
        return buf;
    }
    if (!is_ref || ref.source != SECRET_SOURCE_ENV || ref.id.len >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, ref.id.ptr, ref.id.len);
    name[ref.id.len] = '\0';
    const char *found = lookup.find(lookup.arg, name);
    return found && *found ? found : NULL;
}

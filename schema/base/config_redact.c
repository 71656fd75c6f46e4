#include "schema/base/config_redact.h"

#include <stdint.h>
#include <string.h>

#include "bus/value.h"
#include "schema/base/config_shape.h"
#include "schema/base/secret_target.h"

#define NOTHING ((struct span){ 0 })

struct job {
    struct pack *out;
    struct json5_step steps[SECRET_TARGET_STEPS_MAX]; /* where we are, as far as there is room */
    size_t steps_n;
    bool is_changed;
};

/* "scheme://user:password@host" */
static bool is_url_with_password(struct span text)
{
    const char *scheme = text.len ? memmem(text.ptr, text.len, "://", 3) : NULL;

    if (!scheme) {
        return false;
    }
    struct span rest = { scheme + 3, text.len - (size_t)(scheme + 3 - text.ptr) };
    const char *at = memchr(rest.ptr, '@', rest.len);
    const char *slash = memchr(rest.ptr, '/', rest.len);
    const char *colon = memchr(rest.ptr, ':', rest.len);
    return at && colon && colon < at && (!slash || at < slash);
}

static bool is_variable(struct span text)
{
    if (text.len < 4 || text.ptr[0] != '$' || text.ptr[1] != '{' || text.ptr[text.len - 1] != '}') {
        return false;
    }
    return memchr(text.ptr + 2, '}', text.len - 3) == NULL;
}

/* A name need not say so: a header of a provider is a secret whatever it is called. */
static bool is_credential(const struct job *job)
{
    return job->steps_n <= SECRET_TARGET_STEPS_MAX && secret_target_find(job->steps, job->steps_n, "openclaw.json");
}

static void text_copy(struct job *job, struct span value, bool is_secret)
{
    struct span text = value_str(value, NOTHING);

    is_secret = is_secret || is_credential(job);
    if (text.len && !is_variable(text) && (is_secret || is_url_with_password(text))) {
        pack_text(job->out, REDACT_MARKER);
        job->is_changed = true;
    } else {
        pack_raw(job->out, value);
    }
}

/*
 * Do we stand in a map of headers for requests? Any of them may be what lets the request in, whatever it is called;
 * what the gateway itself answers with (securityHeaders) is no secret.
 */
static bool is_in_headers(const struct job *job)
{
    struct span name = { 0 };

    if (job->steps_n && job->steps_n <= SECRET_TARGET_STEPS_MAX) {
        name = job->steps[job->steps_n - 1].key;
    }
    return span_is_text(name, "headers") ||
           (name.len > 7 && !strncmp(name.ptr + name.len - 7, "Headers", 7) && !span_is_text(name, "securityHeaders"));
}

static void step_into(struct job *job, struct json5_step step)
{
    if (job->steps_n < SECRET_TARGET_STEPS_MAX) {
        job->steps[job->steps_n] = step;
    }
    job->steps_n++;
}

/* A list under a secret name holds secrets; a map does only when it is not a reference,
 * whose own names say what is what. */
static void copy(struct job *job, struct span value, bool is_secret, bool is_env)
{
    bool is_all = is_env || is_in_headers(job);
    struct value_iter it = value_iter(value);
    struct span key;
    struct span item;

    switch (value_kind_of(value)) {
    case VALUE_MAP:
        pack_map_begin(job->out);
        while (value_next(&it, &key, &item)) {
            bool is_inner_env = is_env || span_is_text(key, "env");
            pack_key_span(job->out, key);
            step_into(job, (struct json5_step){ .key = key });
            copy(job, item, is_all || config_shape_is_secret_name(key), is_inner_env);
            job->steps_n--;
        }
        pack_map_end(job->out);
        break;
    case VALUE_ARRAY:
        pack_array_begin(job->out);
        for (size_t i = 0; value_next(&it, &key, &item); i++) {
            step_into(job, (struct json5_step){ .index = i });
            copy(job, item, is_secret, is_env);
            job->steps_n--;
        }
        pack_array_end(job->out);
        break;
    case VALUE_STR:
        text_copy(job, value, is_secret);
        break;
    default:
        pack_raw(job->out, value);
        break;
    }
}

bool config_redact(struct span doc, struct pack *out)
{
    struct job job = { .out = out };

    copy(&job, doc, false, false);
    return job.is_changed;
}

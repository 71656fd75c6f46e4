#include "schema/base/config_path.h"

#include <stdlib.h>

#include "bus/value.h"

static int bracket_parse(const char **at_p, struct json5_step *step)
{
    const char *at = *at_p + 1;
    char *end = NULL;

    if (*at == '"' || *at == '\'') {
        const char *close = strchr(at + 1, *at);

        if (!close || close == at + 1 || close[1] != ']') {
            return CONFIG_PATH_E_MALFORMED;
        }
        *step = (struct json5_step){ .key = { at + 1, (size_t)(close - at - 1) } };
        *at_p = close + 2;
        return 0;
    }
    if (*at < '0' || *at > '9') {
        return CONFIG_PATH_E_MALFORMED;
    }
    *step = (struct json5_step){ .index = strtoul(at, &end, 10) };
    *at_p = end + 1;
    return *end == ']' ? 0 : CONFIG_PATH_E_MALFORMED;
}

int config_path_parse(const char *text, struct config_path *ret_path)
{
    struct config_path path = { .n = 0 };
    const char *at = text;

    while (*at) {
        if (path.n == CONFIG_PATH_STEPS_MAX) {
            return CONFIG_PATH_E_MALFORMED;
        }
        if (*at == '[') {
            if (bracket_parse(&at, &path.steps[path.n++])) {
                return CONFIG_PATH_E_MALFORMED;
            }
        } else {
            size_t len = strcspn(at, ".[");
            path.steps[path.n++] = (struct json5_step){ .key = { at, len } };
            at += len;
            if (!len) {
                return CONFIG_PATH_E_MALFORMED;
            }
        }
        if (*at == '.') {
            at++;
            if (!*at) {
                return CONFIG_PATH_E_MALFORMED;
            }
        }
    }
    *ret_path = path;
    return path.n ? 0 : CONFIG_PATH_E_MALFORMED;
}

static bool is_number(struct span text, size_t *ret_number)
{
    size_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 6) {
            return false;
        }
        number = number * 10 + (size_t)(text.ptr[i] - '0');
    }
    *ret_number = number;
    return text.len > 0;
}

struct span config_path_find(struct config_path *self, struct span doc)
{
    for (size_t n = 0; n < self->n; n++) {
        struct json5_step *step = &self->steps[n];
        struct value_iter it = value_iter(doc);
        struct span key;
        struct span item;
        struct span found = { 0 };
        size_t index = 0;

        if (step->key.ptr && value_kind_of(doc) == VALUE_ARRAY && is_number(step->key, &index)) {
            *step = (struct json5_step){ .index = index };
        }
        for (size_t i = 0; value_next(&it, &key, &item); i++) {
            bool is_object = value_kind_of(doc) == VALUE_MAP;
            if (step->key.ptr ? is_object && span_is(key, step->key) : !is_object && i == step->index) {
                found = item;
            }
        }
        doc = found;
    }
    return doc;
}

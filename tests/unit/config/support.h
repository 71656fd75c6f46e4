/*
 * support: documents from JSON text, JSON text from documents, a hand-made environment.
 */
#ifndef TESTS_UNIT_CONFIG_SUPPORT_H
#define TESTS_UNIT_CONFIG_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "bus/base/cleanup.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "schema/base/config_env.h"

static inline void json_pack(const char *json, struct pack *out)
{
    struct json_opts opts = { .json5 = true };
    struct json_error error;

    pack_reset(out);
    assert_int_equal(json_to_pack(span_from(json), &opts, out, &error), 0);
}

static inline void assert_json(struct span value, const char *expected)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };

    assert_int_equal(json_from_value(value, &text), 0);
    assert_int_equal(text_buf_add(&text, (struct span){ "", 1 }), 0);
    assert_string_equal(text.data, expected);
}

/* "NAME=value" strings, NULL-ended. */
static inline const char *env_find(void *arg, const char *name)
{
    const char *const *env = arg;
    size_t len = strlen(name);

    for (; env && *env; env++) {
        if (!strncmp(*env, name, len) && (*env)[len] == '=') {
            return *env + len + 1;
        }
    }
    return NULL;
}

static inline struct config_lookup env_of(const char *const *env)
{
    return (struct config_lookup){ .find = env_find, .arg = (void *)(uintptr_t)env };
}

#endif

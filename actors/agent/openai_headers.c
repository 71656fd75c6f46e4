#include "actors/agent/openai_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

#define HEADERS_OWN_MAX 4 /* those that are not in the configuration */

void openai_headers_deinit(struct openai_headers *self)
{
    for (size_t i = 0; i < self->n; i++) {
        mem_wipe(self->lines[i], strlen(self->lines[i]));
        free(self->lines[i]);
    }
    free(self->lines);
}

static int header_add(struct openai_headers *self, struct span name, struct span value)
{
    char *line = malloc(name.len + value.len + 3);

    if (!line) {
        return FAULT(-ENOMEM);
    }
    (void)snprintf(line, name.len + value.len + 3, "%.*s: %.*s", SPAN_FMT(name), SPAN_FMT(value)); /* fits */
    self->lines[self->n++] = line;
    return 0;
}

/* By the line that is sent in place of the key. */
static bool is_replaced(const struct provider_setup *setup, struct span name)
{
    struct span names[] = { { setup->auth_line, setup->auth_name_len }, SPAN_LIT("Authorization") };

    for (size_t i = 0; setup->auth_line && i < ARRAY_LEN(names); i++) {
        if (name.len == names[i].len && !strncasecmp(name.ptr, names[i].ptr, name.len)) {
            return true;
        }
    }
    return false;
}

int openai_headers_build(const struct provider_setup *setup, const char *accept, struct openai_headers *self)
{
    struct value_iter it = value_iter(setup->headers);
    struct span name;
    struct span value;
    int rc;

    self->lines = mem_new((HEADERS_OWN_MAX + value_count(setup->headers) + 1) * sizeof(*self->lines));
    rc = header_add(self, SPAN_LIT("Content-Type"), SPAN_LIT("application/json"));
    if (!rc) {
        rc = header_add(self, SPAN_LIT("Accept"), span_from(accept));
    }
    if (!rc) {
        rc = header_add(self, SPAN_LIT("Expect"), SPAN_LIT("")); /* no pause before a large body */
    }
    if (!rc && setup->auth_line) {
        self->lines[self->n++] = mem_text(setup->auth_line, strlen(setup->auth_line));
    } else if (!rc && setup->api_key && !setup->is_key_bare) {
        char bearer[8192];
        int len = snprintf(bearer, sizeof(bearer), "Bearer %s", setup->api_key);

        rc = header_add(self, SPAN_LIT("Authorization"), (struct span){ bearer, (size_t)len });
        mem_wipe(bearer, sizeof(bearer));
    }
    while (!rc && value_next(&it, &name, &value)) {
        rc = is_replaced(setup, name) ? 0 : header_add(self, name, value_str(value, SPAN_LIT("")));
    }
    return rc;
}

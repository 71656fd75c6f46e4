/*
 * config_edit: the smallest change of the config's files that makes them say something
 * else. What a difference touches is rewritten; every other byte of every file stays. Pure.
 */
#ifndef SCHEMA_BASE_CONFIG_EDIT_H
#define SCHEMA_BASE_CONFIG_EDIT_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "schema/base/config_document.h"

struct config_edit {
    size_t source;        /* which file of the document's sources changes */
    struct text_buf text; /* what it shall hold; owned */
    bool is_changed;      /* false: the files say it already */
};
void config_edit_deinit(struct config_edit *self);

enum {
    CONFIG_EDIT_E_REFUSED = 1, /* an $include stands in the way; see the error */
};

/*
 * `wanted` is what the document shall be as written (before substitution), includes in
 * their place. A change may touch one file only, and no part that several files make up.
 */
int config_edit(const struct config_document *document, struct span wanted, struct config_edit *ret_edit,
                struct config_error *error);

#define CONFIG_REDACTED "__OPENCLAW_REDACTED__"

enum {
    CONFIG_RESTORE_E_REFUSED = 1, /* a marker stands where no secret was; see the error */
};

/*
 * Appends `wanted` with every redaction marker replaced by what `current` has at that place.
 * Elements of lists belong together by their "id", else by position in a list of the same length.
 */
int config_restore(struct span wanted, struct span current, struct pack *out, struct config_error *error);

#endif

/*
 * config_change: from what somebody asks for to the text that one file shall have. What the
 * config actor and, while no gateway runs, the command line do before they write. Pure but
 * for reading included files.
 */
#ifndef SCHEMA_BASE_CONFIG_CHANGE_H
#define SCHEMA_BASE_CONFIG_CHANGE_H

#include "schema/base/config_document.h"
#include "schema/base/config_edit.h"

/* details.code of the answer to a change that was made from something else than what is there; for programs. */
#define CONFIG_CHANGE_CONFLICT "CONFIG_CHANGED"

enum config_change_kind {
    CONFIG_CHANGE_REPLACE, /* `raw` is the whole config */
    CONFIG_CHANGE_PATCH,   /* `raw` is a merge patch (RFC 7396) */
};

struct config_change {
    enum config_change_kind kind;
    struct span raw;     /* JSON5 text */
    struct span replace; /* of a patch: packed list of paths where what it has replaces what is there as a whole */
    const char *version; /* for meta.lastTouchedVersion */
    const char *when;    /* for meta.lastTouchedAt */
};

enum {
    CONFIG_CHANGE_E_REFUSED = 1, /* see the error */
};

/*
 * `document` is what the files hold now. Redaction markers become what is there. A text with
 * comments replaces the config file as it is written; one without is compared, and only
 * what differs is edited, so that comments and includes stay.
 */
int config_change(const struct config_document *document, const char *path, const struct config_change *change,
                  struct config_lookup lookup, struct config_edit *ret_edit, struct config_error *error);

#endif

/*
 * config_refs: the references to secrets that a change of the config brings. What a running
 * gateway tries before it writes, for when none runs.
 */
#ifndef EDGE_CLI_CONFIG_REFS_H
#define EDGE_CLI_CONFIG_REFS_H

#include "schema/base/config_document.h"
#include "schema/base/secret_ref.h"

#define CONFIG_REFS_MAX 512U

struct config_refs {
    struct secret_ref refs[CONFIG_REFS_MAX]; /* borrow from `after` */
    char *places[CONFIG_REFS_MAX];           /* owned: "models.providers.x.apiKey" */
    size_t n;
    const struct config_document *before;
    const struct config_document *after;
};

/*
 * Those in use in `after` that are not in use in `before`, or whose provider is another one there. Both documents must
 * stay. What there is of them beyond CONFIG_REFS_MAX is left out.
 */
void config_refs_find(struct config_refs *self, const struct config_document *before,
                      const struct config_document *after);
void config_refs_deinit(struct config_refs *self);

/*
 * Says on standard error which of them lead nowhere in the environment of this program, and what to do about it. The
 * gateway may have another one, so that stops nothing. Programs are not run. 0 or a fault.
 */
int config_refs_warn(const struct config_refs *self);

#endif

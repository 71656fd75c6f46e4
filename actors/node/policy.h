/*
 * policy: which commands a node may be asked for. Pure.
 *
 * What a platform gets by default, plus gateway.nodes.allowCommands, minus
 * gateway.nodes.denyCommands. Commands that watch people or write to their things (a
 * camera's picture, a text message, a new contact) are nobody's default.
 */
#ifndef ACTORS_NODE_POLICY_H
#define ACTORS_NODE_POLICY_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/pack.h"

enum policy_platform {
    POLICY_IOS,
    POLICY_ANDROID,
    POLICY_MACOS,
    POLICY_WINDOWS,
    POLICY_LINUX,
    POLICY_UNKNOWN,
};

/* By what the platform begins with, else by what the device family contains. */
enum policy_platform policy_platform_of(struct span platform, struct span device_family);

/* Packed lists of texts, borrowed; empty ones when not configured. */
struct policy {
    struct span allow;
    struct span deny;
};

bool policy_allows(const struct policy *self, enum policy_platform platform, struct span command);

/* Appends the list of those of `declared` (a packed list) that are allowed and, when
 * `within` is not NULL, stand in that list too; each once, in the order declared. */
void policy_filter(const struct policy *self, enum policy_platform platform, struct span declared,
                   const struct span *within, struct pack *out);

/* Whether a packed list of texts holds `text`; texts of a config may have spaces around them. */
bool policy_list_has(struct span list, struct span text);

/* Scopes that approving a node with such commands takes, NULL-ended. */
const char *const *policy_approval_scopes(struct span commands);
/* The first of them that `held` (a packed list) lacks, or NULL. operator.admin is all of
 * them. */
const char *policy_missing_scope(const char *const *wanted, struct span held);

/* An iOS command that fails while its app is in the background. */
bool policy_needs_foreground(struct span command);

#endif

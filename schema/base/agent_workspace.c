#include "schema/base/agent_workspace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "schema/base/agent_id.h"

static char *join(const char *before, struct span path, const char *after)
{
    size_t size = strlen(before) + path.len + strlen(after) + 1;
    char *joined = mem_new(size);

    (void)snprintf(joined, size, "%s%.*s%s", before, SPAN_FMT(path), after);
    return joined;
}

static char *expand(struct span path, const char *after)
{
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): set before threads start */

    if (home && (span_is_text(path, "~") || span_starts(path, "~/"))) {
        return join(home, (struct span){ path.ptr + 1, path.len - 1 }, after);
    }
    return join("", path, after);
}

char *agent_workspace(struct span own, struct span shared, const char *agent_id, bool is_default)
{
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    char after[AGENT_ID_MAX + 16] = "";

    if (own.len) {
        return expand(own, "");
    }
    if (!is_default) {
        (void)snprintf(after, sizeof(after), "%s%s", shared.len ? "/" : "-", agent_id);
    }
    return shared.len ? expand(shared, after) : join(state ? state : ".", SPAN_LIT("/workspace"), after);
}

#include "edge/http/session_name.h"

#include <string.h>
#include <strings.h>

static bool starts(struct span text, const char *head)
{
    size_t len = strlen(head);

    return text.len >= len && strncasecmp(text.ptr, head, len) == 0;
}

/* "agent:<id>:<rest>": the rest. */
static struct span rest_of(struct span key)
{
    const char *end;

    if (!starts(key, "agent:")) {
        return key;
    }
    end = memchr(key.ptr + 6, ':', key.len - 6);
    return end ? (struct span){ end + 1, key.len - (size_t)(end + 1 - key.ptr) } : key;
}

bool session_name_is_reserved(struct span key)
{
    struct span rest = rest_of(span_trim(key));

    return starts(rest, "subagent:") || starts(rest, "cron:") || starts(rest, "acp:");
}

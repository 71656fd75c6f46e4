#include "schema/base/agent_id.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool agent_id_normalize(struct span text, char ret_id[AGENT_ID_MAX + 1])
{
    char out[AGENT_ID_MAX + 1];
    size_t len = 0;

    while (text.len && is_space(text.ptr[0])) {
        text = (struct span){ text.ptr + 1, text.len - 1 };
    }
    for (size_t i = 0; i < text.len && len < AGENT_ID_MAX; i++) {
        char c = lower(text.ptr[i]);

        if (is_id_char(c)) {
            out[len++] = c;
        } else if (len && out[len - 1] != '-') {
            out[len++] = '-';
        }
    }
    while (len && out[len - 1] == '-') {
        len--;
    }
    out[len] = '\0';

    const char *start = out + strspn(out, "-");

    if (!*start) {
        return false;
    }
    memmove(ret_id, start, strlen(start) + 1);
    return true;
}

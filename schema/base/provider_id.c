#include "schema/base/provider_id.h"

#include <stdio.h>
#include <string.h>

#include "bus/base/cleanup.h"

const char *provider_id_normalize(struct span id, char out[PROVIDER_ID_LEN])
{
    static const char *const others[][2] = {
        { "modelstudio", "qwen" },
        { "qwencloud", "qwen" },
        { "z.ai", "zai" },
        { "z-ai", "zai" },
        { "opencode-zen", "opencode" },
        { "opencode-go-auth", "opencode-go" },
        { "kimi-code", "kimi" },
        { "kimi-coding", "kimi" },
        { "bedrock", "amazon-bedrock" },
        { "aws-bedrock", "amazon-bedrock" },
        { "bytedance", "volcengine" },
        { "doubao", "volcengine" },
    };
    size_t len = 0;

    id = span_trim(id);
    for (; len < id.len && len < PROVIDER_ID_LEN - 1; len++) {
        char c = id.ptr[len];
        out[len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[len] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (!strcmp(out, others[i][0])) {
            (void)snprintf(out, PROVIDER_ID_LEN, "%s", others[i][1]);
            break;
        }
    }
    return out;
}

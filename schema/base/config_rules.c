#include "schema/base/config_rules.h"

#include "bus/base/cleanup.h"
#include "schema/base/config_check.h"

#define MANY INT64_C(9007199254740991) /* what JSON numbers hold exactly */

static const char *const gateway_modes[] = { "local", "remote", NULL };
static const char *const bind_modes[] = { "loopback", "lan", "tailnet", "auto", "custom", NULL };
static const char *const auth_modes[] = { "token", "password", "none", "trusted-proxy", NULL };
static const char *const scopes[] = { "per-sender", "global", NULL };
static const char *const levels[] = { "info", "silent", "fatal", "error", "warn", "debug", "trace", NULL };
static const char *const apis[] = { "openai-completions",      "openai-responses",
                                    "openai-codex-responses",  "anthropic-messages",
                                    "google-generative-ai",    "github-copilot",
                                    "bedrock-converse-stream", "ollama",
                                    "azure-openai-responses",  NULL };

#define OBJECT(where)                                                                                                  \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_OBJECT                                                                    \
    }
#define LIST(where)                                                                                                    \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_LIST                                                                      \
    }
#define TEXT(where)                                                                                                    \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_TEXT                                                                      \
    }
#define BOOL(where)                                                                                                    \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_BOOL                                                                      \
    }
#define SECRET(where)                                                                                                  \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_SECRET                                                                    \
    }
#define MODEL(where)                                                                                                   \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_MODEL, .example = "\"builtin/echo\""                                      \
    }
#define EVERY(where)                                                                                                   \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_EVERY, .example = "\"30m\""                                               \
    }
#define CLOCK(where, is_end)                                                                                           \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_CLOCK, .max = (is_end), .example = (is_end) ? "\"22:00\"" : "\"08:00\""   \
    }
#define VISIBILITY(where) OBJECT(where), BOOL(where ".showOk"), BOOL(where ".showAlerts"), BOOL(where ".useIndicator")
#define INT(where, least, most)                                                                                        \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_INT, .min = (least), .max = (most)                                        \
    }
#define CHOICE(where, list)                                                                                            \
    {                                                                                                                  \
        .path = (where), .kind = CONFIG_RULE_CHOICE, .choices = (list)                                                 \
    }

const struct config_rule config_rules[] = {
    OBJECT("env"),
    OBJECT("env.vars"),
    { .path = "env.vars.*", .kind = CONFIG_RULE_TEXT, .is_secret = true },

    OBJECT("gateway"),
    CHOICE("gateway.mode", gateway_modes),
    INT("gateway.port", 1, 65535),
    CHOICE("gateway.bind", bind_modes),
    TEXT("gateway.customBindHost"),
    INT("gateway.handshakeTimeoutMs", 1, 600000),
    OBJECT("gateway.auth"),
    CHOICE("gateway.auth.mode", auth_modes),
    SECRET("gateway.auth.token"),
    SECRET("gateway.auth.password"),
    OBJECT("gateway.auth.rateLimit"),
    INT("gateway.auth.rateLimit.maxAttempts", 1, UINT32_MAX),
    INT("gateway.auth.rateLimit.windowMs", 1, UINT32_MAX),
    INT("gateway.auth.rateLimit.lockoutMs", 1, UINT32_MAX),
    BOOL("gateway.auth.rateLimit.exemptLoopback"),
    LIST("gateway.trustedProxies"),
    TEXT("gateway.trustedProxies.[]"),
    OBJECT("gateway.controlUi"),
    LIST("gateway.controlUi.allowedOrigins"),
    TEXT("gateway.controlUi.allowedOrigins.[]"),
    OBJECT("gateway.http"),
    OBJECT("gateway.http.endpoints"),
    OBJECT("gateway.http.endpoints.chatCompletions"),
    BOOL("gateway.http.endpoints.chatCompletions.enabled"),
    OBJECT("gateway.tls"),
    BOOL("gateway.tls.enabled"),
    BOOL("gateway.tls.autoGenerate"),
    TEXT("gateway.tls.certPath"),
    TEXT("gateway.tls.keyPath"),
    TEXT("gateway.tls.caPath"),
    OBJECT("gateway.remote"),
    TEXT("gateway.remote.url"),
    TEXT("gateway.remote.tlsFingerprint"),
    SECRET("gateway.remote.token"),
    SECRET("gateway.remote.password"),

    OBJECT("hooks"),
    BOOL("hooks.enabled"),
    { .path = "hooks.token", .kind = CONFIG_RULE_TEXT, .is_secret = true },
    TEXT("hooks.path"),
    INT("hooks.maxBodyBytes", 1, MANY),
    TEXT("hooks.defaultSessionKey"),
    BOOL("hooks.allowRequestSessionKey"),
    LIST("hooks.allowedSessionKeyPrefixes"),
    TEXT("hooks.allowedSessionKeyPrefixes.[]"),
    LIST("hooks.allowedAgentIds"),
    TEXT("hooks.allowedAgentIds.[]"),
    LIST("hooks.presets"),
    TEXT("hooks.presets.[]"),
    LIST("hooks.mappings"),
    OBJECT("hooks.mappings.[]"),

    OBJECT("logging"),
    CHOICE("logging.level", levels),
    TEXT("logging.file"),
    INT("logging.maxFileBytes", 1, MANY),

    OBJECT("session"),
    CHOICE("session.scope", scopes),
    TEXT("session.mainKey"),

    OBJECT("models"),
    { .path = "models.providers", .kind = CONFIG_RULE_OBJECT, .max = CONFIG_CHECK_PROVIDERS_MAX },
    OBJECT("models.providers.*"),
    CHOICE("models.providers.*.api", apis),
    TEXT("models.providers.*.baseUrl"),
    SECRET("models.providers.*.apiKey"),
    BOOL("models.providers.*.authHeader"),
    INT("models.providers.*.timeoutSeconds", 1, MANY),
    OBJECT("models.providers.*.headers"),
    SECRET("models.providers.*.headers.*"),
    OBJECT("models.providers.*.request"),
    OBJECT("models.providers.*.request.tls"),
    SECRET("models.providers.*.request.tls.ca"),
    LIST("models.providers.*.models"),
    OBJECT("models.providers.*.models.[]"),
    { .path = "models.providers.*.models.[].id", .kind = CONFIG_RULE_TEXT, .min = 1, .is_required = true },
    TEXT("models.providers.*.models.[].name"),
    INT("models.providers.*.models.[].contextWindow", 1, MANY),
    BOOL("models.providers.*.models.[].reasoning"),
    LIST("models.providers.*.models.[].input"),
    TEXT("models.providers.*.models.[].input.[]"),

    OBJECT("agents"),
    OBJECT("agents.defaults"),
    MODEL("agents.defaults.model"),
    OBJECT("agents.defaults.models"),
    OBJECT("agents.defaults.models.*"),
    TEXT("agents.defaults.models.*.alias"),
    TEXT("agents.defaults.workspace"),
    TEXT("agents.defaults.systemPromptOverride"),
    INT("agents.defaults.timeoutSeconds", 1, MANY),
    INT("agents.defaults.maxConcurrent", 1, 4095),
    INT("agents.defaults.contextTokens", 1, MANY),
    EVERY("agents.defaults.heartbeat.every"),
    CLOCK("agents.defaults.heartbeat.activeHours.start", false),
    CLOCK("agents.defaults.heartbeat.activeHours.end", true),
    { .path = "agents.list", .kind = CONFIG_RULE_LIST, .max = CONFIG_CHECK_AGENTS_MAX },
    OBJECT("agents.list.[]"),
    { .path = "agents.list.[].id", .kind = CONFIG_RULE_TEXT, .min = 1, .example = "\"main\"", .is_required = true },
    TEXT("agents.list.[].name"),
    BOOL("agents.list.[].default"),
    MODEL("agents.list.[].model"),
    TEXT("agents.list.[].workspace"),
    TEXT("agents.list.[].systemPromptOverride"),
    INT("agents.list.[].contextTokens", 1, MANY),
    EVERY("agents.list.[].heartbeat.every"),
    CLOCK("agents.list.[].heartbeat.activeHours.start", false),
    CLOCK("agents.list.[].heartbeat.activeHours.end", true),
    OBJECT("agents.list.[].identity"),
    TEXT("agents.list.[].identity.name"),
    TEXT("agents.list.[].identity.theme"),
    TEXT("agents.list.[].identity.emoji"),
    TEXT("agents.list.[].identity.avatar"),

    VISIBILITY("channels.*.heartbeat"),
    VISIBILITY("channels.*.accounts.*.heartbeat"),
};
const size_t config_rules_n = ARRAY_LEN(config_rules);

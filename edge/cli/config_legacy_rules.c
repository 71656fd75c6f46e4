/*
 * config_legacy_rules: keys of earlier config formats, and what became of them.
 */
#include "bus/base/cleanup.h"
#include "edge/cli/config_legacy_internal.h"

static const char *const whole[] = { "", NULL };

/* --- routing, agent, messages -------------------------------------------------------------------------- */

static const struct legacy_rule routing[] = {
    { .kind = LEGACY_MOVE,
      .from = "routing.allowFrom",
      .to = "channels.whatsapp.allowFrom",
      .needs = "channels.whatsapp" },
    { .kind = LEGACY_MOVE, .from = "routing.groupChat.historyLimit", .to = "messages.groupChat.historyLimit" },
    { .kind = LEGACY_MOVE, .from = "routing.groupChat.mentionPatterns", .to = "messages.groupChat.mentionPatterns" },
    { .kind = LEGACY_MOVE, .from = "routing.queue", .to = "messages.queue" },
    { .kind = LEGACY_MOVE, .from = "routing.bindings", .to = "bindings" },
    { .kind = LEGACY_MOVE, .from = "routing.agentToAgent", .to = "tools.agentToAgent" },
    { .kind = LEGACY_MOVE, .from = "bindings.*.match.accountID", .to = "bindings.*.match.accountId" },
};

static const struct legacy_rule agent[] = {
    { .kind = LEGACY_MOVE, .from = "agent.tools", .to = "tools" },
    { .kind = LEGACY_MOVE, .from = "agent.elevated", .to = "tools.elevated" },
    { .kind = LEGACY_MOVE, .from = "agent.bash", .to = "tools.exec" },
    { .kind = LEGACY_MOVE, .from = "agent.exec", .to = "tools.exec" },
    { .kind = LEGACY_MOVE, .from = "agent.sandbox.tools", .to = "tools.sandbox.tools" },
    { .kind = LEGACY_MOVE, .from = "agent.subagents.tools", .to = "tools.subagents.tools" },
    { .kind = LEGACY_MOVE, .from = "agent.model", .to = "agents.defaults.model", .text_key = "primary" },
    { .kind = LEGACY_MOVE, .from = "agent.modelFallbacks", .to = "agents.defaults.model.fallbacks" },
    { .kind = LEGACY_MOVE, .from = "agent.imageModel", .to = "agents.defaults.imageModel", .text_key = "primary" },
    { .kind = LEGACY_MOVE, .from = "agent.imageModelFallbacks", .to = "agents.defaults.imageModel.fallbacks" },
    { .kind = LEGACY_SHELL, .from = "agent.sandbox" },
    { .kind = LEGACY_SHELL, .from = "agent.subagents" },
    { .kind = LEGACY_MOVE, .from = "agent.*", .to = "agents.defaults.*" },
    { .kind = LEGACY_MOVE, .from = "memorySearch", .to = "agents.defaults.memorySearch" },
    { .kind = LEGACY_REMOVE, .from = "agents.defaults.llm" },
};

/* Of the defaults and of every agent. */
static const char *const agents_each[] = { "agents.defaults", "agents.list.*", NULL };
static const struct legacy_rule runtime[] = {
    { .kind = LEGACY_MOVE, .from = "embeddedHarness.runtime", .to = "agentRuntime.id" },
    { .kind = LEGACY_REMOVE, .from = "embeddedHarness" },
    { .kind = LEGACY_REMOVE, .from = "agentRuntime.fallback" },
    { .kind = LEGACY_SHELL, .from = "agentRuntime" },
    { .kind = LEGACY_TRUTH, .from = "sandbox.perSession", .to = "sandbox.scope", .old = "session", .fresh = "shared" },
};

/* --- speech ---------------------------------------------------------------------------------------------- */

static const char *const tts_each[] = { "messages.tts", "channels.discord.voice.tts",
                                        "channels.discord.accounts.*.voice.tts",
                                        "plugins.entries.voice-call.config.tts", NULL };
static const struct legacy_rule tts[] = {
    { .kind = LEGACY_WORD, .from = "provider", .old = "edge", .fresh = "microsoft" },
    { .kind = LEGACY_MOVE, .from = "openai", .to = "providers.openai" },
    { .kind = LEGACY_MOVE, .from = "elevenlabs", .to = "providers.elevenlabs" },
    { .kind = LEGACY_MOVE, .from = "microsoft", .to = "providers.microsoft" },
    { .kind = LEGACY_MOVE, .from = "providers.edge", .to = "providers.microsoft" },
    { .kind = LEGACY_MOVE, .from = "edge", .to = "providers.microsoft" },
};

static const char *const tts_switched[] = { "messages.tts",
                                            "agents.defaults.tts",
                                            "agents.list.*.tts",
                                            "channels.*.tts",
                                            "channels.*.accounts.*.tts",
                                            "plugins.entries.voice-call.config.tts",
                                            NULL };
static const struct legacy_rule tts_switch[] = {
    { .kind = LEGACY_TRUTH, .from = "enabled", .to = "auto", .old = "always", .fresh = "off" },
};

static const char *const voice_call_base[] = { "plugins.entries.voice-call.config", NULL };
static const struct legacy_rule voice_call[] = {
    { .kind = LEGACY_WORD, .from = "provider", .old = "log", .fresh = "mock" },
    { .kind = LEGACY_MOVE, .from = "twilio.from", .to = "fromNumber" },
    { .kind = LEGACY_MOVE, .from = "streaming.sttProvider", .to = "streaming.provider" },
    { .kind = LEGACY_MOVE, .from = "streaming.openaiApiKey", .to = "streaming.providers.openai.apiKey" },
    { .kind = LEGACY_MOVE, .from = "streaming.sttModel", .to = "streaming.providers.openai.model" },
    { .kind = LEGACY_MOVE,
      .from = "streaming.silenceDurationMs",
      .to = "streaming.providers.openai.silenceDurationMs" },
    { .kind = LEGACY_MOVE, .from = "streaming.vadThreshold", .to = "streaming.providers.openai.vadThreshold" },
};

/* --- channels -------------------------------------------------------------------------------------------- */

static const char *const telegram_base[] = { "channels.telegram", NULL };
static const struct legacy_rule telegram[] = {
    { .kind = LEGACY_MOVE, .from = "requireMention", .to = "groups[\"*\"].requireMention" },
    { .kind = LEGACY_MOVE, .from = "groupMentionsOnly", .to = "groups[\"*\"].requireMention" },
};

static const char *const streaming_each[] = { "channels.telegram", "channels.telegram.accounts.*", "channels.slack",
                                              "channels.slack.accounts.*", NULL };
static const struct legacy_rule streaming[] = {
    { .kind = LEGACY_WRAP, .from = "streaming", .to = "mode", .old = "partial", .fresh = "off" },
    { .kind = LEGACY_MOVE, .from = "streamMode", .to = "streaming.mode" },
    { .kind = LEGACY_MOVE, .from = "chunkMode", .to = "streaming.chunkMode" },
    { .kind = LEGACY_MOVE, .from = "blockStreaming", .to = "streaming.block.enabled" },
    { .kind = LEGACY_MOVE, .from = "blockStreamingCoalesce", .to = "streaming.block.coalesce" },
    { .kind = LEGACY_MOVE, .from = "draftChunk", .to = "streaming.preview.chunk" },
    { .kind = LEGACY_MOVE, .from = "nativeStreaming", .to = "streaming.nativeTransport" },
};

static const char *const slack_each[] = { "channels.slack", "channels.slack.accounts.*", NULL };
static const struct legacy_rule slack[] = {
    { .kind = LEGACY_MOVE, .from = "dm.policy", .to = "dmPolicy" },
    { .kind = LEGACY_MOVE, .from = "dm.allowFrom", .to = "allowFrom" },
    { .kind = LEGACY_SHELL, .from = "dm" },
    { .kind = LEGACY_MOVE, .from = "channels.*.allow", .to = "channels.*.enabled" },
};

static const char *const matrix_each[] = { "channels.matrix", "channels.matrix.accounts.*", NULL };
static const struct legacy_rule matrix[] = {
    { .kind = LEGACY_MOVE, .from = "groups.*.allow", .to = "groups.*.enabled" },
    { .kind = LEGACY_MOVE, .from = "rooms.*.allow", .to = "rooms.*.enabled" },
};

static const char *const private_each[] = { "channels.matrix",
                                            "channels.matrix.accounts.*",
                                            "channels.mattermost",
                                            "channels.mattermost.accounts.*",
                                            "channels.bluebubbles",
                                            "channels.bluebubbles.accounts.*",
                                            "channels.nextcloud-talk",
                                            "channels.nextcloud-talk.accounts.*",
                                            NULL };
static const struct legacy_rule private_network[] = {
    { .kind = LEGACY_MOVE, .from = "allowPrivateNetwork", .to = "network.dangerouslyAllowPrivateNetwork" },
};

static const char *const threads_each[] = { "session", "channels.*", "channels.*.accounts.*", NULL };
static const struct legacy_rule threads[] = {
    { .kind = LEGACY_MOVE, .from = "threadBindings.ttlHours", .to = "threadBindings.idleHours" },
};

/* --- gateway, session, browser, models, tools, plugins --------------------------------------------------- */

static const struct legacy_rule rest[] = {
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "0.0.0.0", .fresh = "lan" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "::", .fresh = "lan" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "[::]", .fresh = "lan" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "*", .fresh = "lan" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "127.0.0.1", .fresh = "loopback" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "localhost", .fresh = "loopback" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "::1", .fresh = "loopback" },
    { .kind = LEGACY_WORD, .from = "gateway.bind", .old = "[::1]", .fresh = "loopback" },
    { .kind = LEGACY_REMOVE, .from = "session.maintenance.rotateBytes" },
    { .kind = LEGACY_REMOVE, .from = "session.parentForkMaxTokens" },
    { .kind = LEGACY_MOVE,
      .from = "browser.ssrfPolicy.allowPrivateNetwork",
      .to = "browser.ssrfPolicy.dangerouslyAllowPrivateNetwork" },
    { .kind = LEGACY_WORD, .from = "browser.profiles.*.driver", .old = "extension", .fresh = "existing-session" },
    { .kind = LEGACY_REMOVE, .from = "browser.relayBindHost" },
    { .kind = LEGACY_WORD, .from = "models.providers.*.api", .old = "openai", .fresh = "openai-completions" },
    { .kind = LEGACY_WORD, .from = "models.providers.*.models.*.api", .old = "openai", .fresh = "openai-completions" },
    { .kind = LEGACY_REMOVE, .from = "commands.modelsWrite" },
    { .kind = LEGACY_WORD, .from = "mcp.servers.*.type", .old = "http", .fresh = "streamable-http" },
    { .kind = LEGACY_MOVE, .from = "mcp.servers.*.type", .to = "mcp.servers.*.transport", .old = "streamable-http" },
    { .kind = LEGACY_MOVE, .from = "mcp.servers.*.type", .to = "mcp.servers.*.transport", .old = "sse" },
    { .kind = LEGACY_REMOVE, .from = "mcp.servers.*.type", .old = "stdio" },
    { .kind = LEGACY_MOVE,
      .from = "plugins.entries.memory-wiki.config.bridge.readMemoryCore",
      .to = "plugins.entries.memory-wiki.config.bridge.readMemoryArtifacts" },
};

/* What a provider of searches needs belongs to its plugin. */
#define SEARCH(provider, plugin)                                                                                       \
    {                                                                                                                  \
        .kind = LEGACY_MOVE, .from = "tools.web.search." provider,                                                     \
        .to = "plugins.entries." plugin ".config.webSearch", .enables = "plugins.entries." plugin                      \
    }
static const struct legacy_rule search[] = {
    SEARCH("brave", "brave"),
    SEARCH("duckduckgo", "duckduckgo"),
    SEARCH("exa", "exa"),
    SEARCH("firecrawl", "firecrawl"),
    SEARCH("gemini", "google"),
    SEARCH("grok", "xai"),
    SEARCH("kimi", "moonshot"),
    SEARCH("minimax", "minimax"),
    SEARCH("ollama", "ollama"),
    SEARCH("perplexity", "perplexity"),
    SEARCH("searxng", "searxng"),
    { .kind = LEGACY_MOVE,
      .from = "tools.web.search.apiKey",
      .to = "plugins.entries.brave.config.webSearch.apiKey",
      .enables = "plugins.entries.brave" },
    { .kind = LEGACY_REMOVE, .from = "tools.web.fetch.firecrawl.enabled" },
    { .kind = LEGACY_SHELL, .from = "tools.web.fetch.firecrawl" },
    { .kind = LEGACY_MOVE,
      .from = "tools.web.fetch.firecrawl",
      .to = "plugins.entries.firecrawl.config.webFetch",
      .enables = "plugins.entries.firecrawl" },
    { .kind = LEGACY_MOVE,
      .from = "tools.web.x_search.apiKey",
      .to = "plugins.entries.xai.config.webSearch.apiKey",
      .enables = "plugins.entries.xai" },
    { .kind = LEGACY_SHELL, .from = "tools.web.x_search" },
};

static const char *const media_each[] = { "tools.media.audio",          "tools.media.image",
                                          "tools.media.video",          "tools.media.audio.models.*",
                                          "tools.media.image.models.*", "tools.media.video.models.*",
                                          "tools.media.models.*",       NULL };
static const struct legacy_rule media[] = {
    { .kind = LEGACY_MOVE, .from = "deepgram.detectLanguage", .to = "providerOptions.deepgram.detect_language" },
    { .kind = LEGACY_MOVE, .from = "deepgram.punctuate", .to = "providerOptions.deepgram.punctuate" },
    { .kind = LEGACY_MOVE, .from = "deepgram.smartFormat", .to = "providerOptions.deepgram.smart_format" },
    { .kind = LEGACY_SHELL, .from = "deepgram" },
};

/* What the moves have emptied. */
static const struct legacy_rule shells[] = {
    { .kind = LEGACY_SHELL, .from = "routing.groupChat" },
    { .kind = LEGACY_SHELL, .from = "routing" },
    { .kind = LEGACY_SHELL, .from = "agent" },
    { .kind = LEGACY_SHELL, .from = "audio" },
};

#define GROUP(group_bases, group_rules)                                                                                \
    {                                                                                                                  \
        .bases = (group_bases), .rules = (group_rules), .rules_n = ARRAY_LEN(group_rules)                              \
    }
const struct legacy_group legacy_groups[] = {
    GROUP(whole, routing),
    GROUP(whole, agent),
    GROUP(agents_each, runtime),
    GROUP(tts_each, tts),
    GROUP(tts_switched, tts_switch),
    GROUP(voice_call_base, voice_call),
    GROUP(telegram_base, telegram),
    GROUP(streaming_each, streaming),
    GROUP(slack_each, slack),
    GROUP(matrix_each, matrix),
    GROUP(private_each, private_network),
    GROUP(threads_each, threads),
    GROUP(whole, rest),
    GROUP(whole, search),
    GROUP(media_each, media),
    GROUP(whole, shells),
};
const size_t legacy_groups_n = ARRAY_LEN(legacy_groups);

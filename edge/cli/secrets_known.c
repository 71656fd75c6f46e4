#include "edge/cli/secrets_known.h"

#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"

/* Provider, and the variables that its credentials usually stand in, the usual one first. */
static const struct {
    const char *provider;
    const char *names; /* with a space between them */
} known[] = {
    { "alibaba", "MODELSTUDIO_API_KEY DASHSCOPE_API_KEY QWEN_API_KEY" },
    { "anthropic", "ANTHROPIC_OAUTH_TOKEN ANTHROPIC_API_KEY" },
    { "anthropic-openai", "ANTHROPIC_API_KEY" },
    { "arcee", "ARCEEAI_API_KEY" },
    { "azure", "AZURE_SPEECH_KEY AZURE_SPEECH_API_KEY SPEECH_KEY" },
    { "byteplus", "BYTEPLUS_API_KEY" },
    { "byteplus-plan", "BYTEPLUS_API_KEY" },
    { "cerebras", "CEREBRAS_API_KEY" },
    { "chutes", "CHUTES_API_KEY CHUTES_OAUTH_TOKEN" },
    { "cloudflare-ai-gateway", "CLOUDFLARE_AI_GATEWAY_API_KEY" },
    { "comfy", "COMFY_API_KEY COMFY_CLOUD_API_KEY" },
    { "deepgram", "DEEPGRAM_API_KEY" },
    { "deepinfra", "DEEPINFRA_API_KEY" },
    { "deepseek", "DEEPSEEK_API_KEY" },
    { "elevenlabs", "ELEVENLABS_API_KEY XI_API_KEY" },
    { "exa", "EXA_API_KEY" },
    { "fal", "FAL_KEY FAL_API_KEY" },
    { "firecrawl", "FIRECRAWL_API_KEY" },
    { "fireworks", "FIREWORKS_API_KEY" },
    { "github-copilot", "COPILOT_GITHUB_TOKEN GH_TOKEN GITHUB_TOKEN" },
    { "google", "GEMINI_API_KEY GOOGLE_API_KEY" },
    { "google-vertex", "GOOGLE_CLOUD_API_KEY" },
    { "gradium", "GRADIUM_API_KEY" },
    { "groq", "GROQ_API_KEY" },
    { "huggingface", "HUGGINGFACE_HUB_TOKEN HF_TOKEN" },
    { "inworld", "INWORLD_API_KEY" },
    { "kilocode", "KILOCODE_API_KEY" },
    { "kimi", "KIMI_API_KEY KIMICODE_API_KEY" },
    { "kimi-coding", "KIMI_API_KEY KIMICODE_API_KEY" },
    { "litellm", "LITELLM_API_KEY" },
    { "lmstudio", "LM_API_TOKEN" },
    { "microsoft-foundry", "AZURE_OPENAI_API_KEY" },
    { "minimax", "MINIMAX_API_KEY" },
    { "minimax-api", "MINIMAX_CODE_PLAN_KEY MINIMAX_CODING_API_KEY MINIMAX_API_KEY" },
    { "minimax-portal", "MINIMAX_OAUTH_TOKEN MINIMAX_API_KEY" },
    { "mistral", "MISTRAL_API_KEY" },
    { "moonshot", "MOONSHOT_API_KEY KIMI_API_KEY" },
    { "nvidia", "NVIDIA_API_KEY" },
    { "ollama", "OLLAMA_API_KEY" },
    { "openai", "OPENAI_API_KEY" },
    { "opencode", "OPENCODE_API_KEY OPENCODE_ZEN_API_KEY" },
    { "opencode-go", "OPENCODE_API_KEY OPENCODE_ZEN_API_KEY" },
    { "openrouter", "OPENROUTER_API_KEY" },
    { "perplexity", "PERPLEXITY_API_KEY OPENROUTER_API_KEY" },
    { "qianfan", "QIANFAN_API_KEY" },
    { "qwen", "QWEN_API_KEY MODELSTUDIO_API_KEY DASHSCOPE_API_KEY" },
    { "qwen-dashscope", "DASHSCOPE_API_KEY" },
    { "runway", "RUNWAYML_API_SECRET RUNWAY_API_KEY" },
    { "senseaudio", "SENSEAUDIO_API_KEY" },
    { "sglang", "SGLANG_API_KEY" },
    { "stepfun", "STEPFUN_API_KEY" },
    { "stepfun-plan", "STEPFUN_API_KEY" },
    { "synthetic", "SYNTHETIC_API_KEY" },
    { "tavily", "TAVILY_API_KEY" },
    { "tencent-tokenhub", "TOKENHUB_API_KEY" },
    { "together", "TOGETHER_API_KEY" },
    { "venice", "VENICE_API_KEY" },
    { "vercel-ai-gateway", "AI_GATEWAY_API_KEY" },
    { "vllm", "VLLM_API_KEY" },
    { "volcengine", "VOLCANO_ENGINE_API_KEY" },
    { "volcengine-plan", "VOLCANO_ENGINE_API_KEY" },
    { "volcengine-tts", "VOLCENGINE_TTS_API_KEY BYTEPLUS_SEED_SPEECH_API_KEY VOLCENGINE_TTS_TOKEN" },
    { "voyage", "VOYAGE_API_KEY" },
    { "vydra", "VYDRA_API_KEY" },
    { "xai", "XAI_API_KEY" },
    { "xiaomi", "XIAOMI_API_KEY" },
    { "zai", "ZAI_API_KEY Z_AI_API_KEY" },
};

/* --- words with spaces between them ----------------------------------------------------------------- */

static bool word_next(const char **rest, struct span *ret_word)
{
    const char *at = *rest + strspn(*rest, " ");
    size_t len = strcspn(at, " ");

    *ret_word = (struct span){ at, len };
    *rest = at + len;
    return len > 0;
}

static bool has_word(const char *words, struct span wanted)
{
    struct span word;

    while (word_next(&words, &word)) {
        if (span_is(word, wanted)) {
            return true;
        }
    }
    return false;
}

struct span secrets_known_trimmed(struct span text)
{
    while (text.len && strchr(" \t\r\n", text.ptr[0])) {
        text = (struct span){ text.ptr + 1, text.len - 1 };
    }
    while (text.len && strchr(" \t\r\n", text.ptr[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* --- variables ---------------------------------------------------------------------------------------- */

bool secrets_known_is_variable(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (has_word(known[i].names, name)) {
            return true;
        }
    }
    return false;
}

struct span secrets_known_variable_of(struct span provider)
{
    struct span word = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (span_is_text(provider, known[i].provider)) {
            const char *names = known[i].names;

            (void)word_next(&names, &word); /* each row has one */
        }
    }
    return word;
}

/* --- providers ------------------------------------------------------------------------------------------ */

/* --- models.json ------------------------------------------------------------------------------------------ */

bool secrets_known_is_marker(struct span text)
{
    static const char words[] = "custom-local ollama-local lmstudio-local gcp-vertex-credentials minimax-oauth "
                                "secretref-managed AWS_BEARER_TOKEN_BEDROCK AWS_ACCESS_KEY_ID AWS_PROFILE "
                                "GOOGLE_API_KEY NOVITA_API_KEY AZURE_API_KEY MINIMAX_CODE_PLAN_KEY";

    text = secrets_known_trimmed(text);
    return span_starts(text, "oauth:") || has_word(words, text) || secrets_known_is_variable(text);
}

bool secrets_known_is_header_marker(struct span text)
{
    text = secrets_known_trimmed(text);
    return span_is_text(text, "secretref-managed") || span_starts(text, "secretref-env:");
}

static bool holds_word(struct span text, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= text.len; i++) {
        if (!strncasecmp(text.ptr + i, word, len)) {
            return true;
        }
    }
    return false;
}

bool secrets_known_is_secret_header(struct span name)
{
    static const char *const parts[] = { "api-key", "apikey", "token", "secret", "password", "credential" };
    static const char *const whole[] = { "authorization", "proxy-authorization" };

    name = secrets_known_trimmed(name);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (holds_word(name, parts[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (name.len == strlen(whole[i]) && !strncasecmp(name.ptr, whole[i], name.len)) {
            return true;
        }
    }
    return false;
}

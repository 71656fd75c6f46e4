#include "actors/hooks/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema/base/hooks_config.h"

#define NOTHING ((struct span){ NULL, 0 })

void order_deinit(struct order *self)
{
    text_buf_deinit(&self->text);
    text_buf_deinit(&self->name);
    text_buf_deinit(&self->agent);
    text_buf_deinit(&self->session_key);
    text_buf_deinit(&self->channel);
    text_buf_deinit(&self->to);
    text_buf_deinit(&self->model);
    text_buf_deinit(&self->thinking);
}

static struct span said(const struct text_buf *text)
{
    return (struct span){ text->data, text->len };
}

static struct span text_of(struct span map, const char *key)
{
    return span_trim(value_str(value_get(map, key), NOTHING));
}

static int refuse(struct text_buf *why, const char *text)
{
    why->len = 0;
    return text_buf_add(why, span_from(text)) ? -ENOMEM : ORDER_E_REFUSED;
}

/* Nothing in a text may be what cannot be stored as one. */
static bool is_text(struct span text)
{
    return !text.len || (utf8_is_valid(text) && !memchr(text.ptr, 0, text.len));
}

/* --- as the sender wrote it --------------------------------------------------------------------- */

int order_wake(struct span payload, struct order *order, struct text_buf *why)
{
    struct span text = text_of(payload, "text");

    order->is_wake = true;
    order->is_now = !span_is_text(value_str(value_get(payload, "mode"), NOTHING), "next-heartbeat");
    if (!text.len) {
        return refuse(why, "text required");
    }
    if (text.len > ORDER_WAKE_MAX) {
        return refuse(why, "text is longer than 131072 bytes");
    }
    return is_text(text) ? text_buf_add(&order->text, text) : refuse(why, "text must not contain null bytes");
}

static uint32_t timeout_of(struct span value)
{
    double seconds = value_f64(value, (double)value_i64(value, 0));

    return !(seconds >= 1) ? 0 : seconds > ORDER_TIMEOUT_MAX ? ORDER_TIMEOUT_MAX : (uint32_t)seconds;
}

/* One of the smaller texts; what is too long is refused with its name. */
static int word_take(struct span text, const char *name, struct text_buf *out, struct text_buf *why)
{
    char line[64];

    if (text.len > ORDER_WORD_MAX || !is_text(text)) {
        (void)snprintf(line, sizeof(line), "%s is longer than 512 bytes, or no text", name);
        return refuse(why, line);
    }
    return text_buf_add(out, text);
}

static int words_take(struct span payload, struct order *order, struct text_buf *why)
{
    struct span name = text_of(payload, "name");
    int r = word_take(name.len ? name : SPAN_LIT("Hook"), "name", &order->name, why);

    r = r ? r : word_take(text_of(payload, "agentId"), "agentId", &order->agent, why);
    r = r ? r : word_take(text_of(payload, "sessionKey"), "sessionKey", &order->session_key, why);
    r = r ? r : word_take(text_of(payload, "to"), "to", &order->to, why);
    r = r ? r : word_take(text_of(payload, "model"), "model", &order->model, why);
    return r ? r : word_take(text_of(payload, "thinking"), "thinking", &order->thinking, why);
}

/* What is there and no text is no channel at all, which the caller says. */
static struct span channel_of(struct span value)
{
    struct span text = span_trim(value_str(value, NOTHING));

    return value.len ? text.len ? text : SPAN_LIT("?") : SPAN_LIT("last");
}

static int message_check(struct span message, struct text_buf *why)
{
    if (!message.len) {
        return refuse(why, "message required");
    }
    if (message.len > ORDER_TEXT_MAX) {
        return refuse(why, "message is longer than 1048576 bytes");
    }
    return is_text(message) ? 0 : refuse(why, "message must not contain null bytes");
}

int order_agent(struct span payload, struct order *order, struct text_buf *why)
{
    struct span message = text_of(payload, "message");
    struct span model = value_get(payload, "model");
    int r = message_check(message, why);

    order->is_now = !span_is_text(value_str(value_get(payload, "wakeMode"), NOTHING), "next-heartbeat");
    order->is_delivered = value_bool(value_get(payload, "deliver"), true);
    order->timeout_s = timeout_of(value_get(payload, "timeoutSeconds"));
    order->key_source = SETTINGS_KEY_OF_SENDER;
    order->source = "Webhook";
    if (!r && model.len && !text_of(payload, "model").len) {
        return refuse(why, "model required");
    }
    r = r ? r : text_buf_add(&order->text, message);
    r = r ? r : words_take(payload, order, why);
    return r ? r : word_take(channel_of(value_get(payload, "channel")), "channel", &order->channel, why);
}

/* --- as a mapping makes it -------------------------------------------------------------------------- */

struct filling {
    const struct template_facts *facts;
    struct span mapping;
    struct order *order;
    struct text_buf *why;
};

static void trim(struct text_buf *text)
{
    struct span kept = span_trim(said(text));

    if (kept.len) {
        memmove(text->data, kept.ptr, kept.len);
    }
    text->len = kept.len;
}

/* Fills the template under `key`; a filled text that is too long is refused. */
static int fill(const struct filling *in, const char *key, size_t most, struct text_buf *out)
{
    struct span text = value_str(value_get(in->mapping, key), NOTHING);
    char line[96];
    int r = template_fill(text, in->facts, most, out);

    if (r == TEMPLATE_E_LONG) {
        (void)snprintf(line, sizeof(line), "hook mapping: %s becomes longer than %zu bytes", key, most);
        return refuse(in->why, line);
    }
    if (!r && !is_text(said(out))) {
        (void)snprintf(line, sizeof(line), "hook mapping: %s becomes no text", key);
        return refuse(in->why, line);
    }
    return r;
}

static int wake_fill(const struct filling *in)
{
    int r = fill(in, "textTemplate", ORDER_WAKE_MAX, &in->order->text);

    in->order->is_wake = true;
    trim(&in->order->text);
    return r;
}

static int agent_fill(const struct filling *in)
{
    struct order *order = in->order;
    struct span key = text_of(in->mapping, "sessionKey");
    int r = fill(in, "messageTemplate", ORDER_TEXT_MAX, &order->text);

    r = r ? r : fill(in, "name", ORDER_WORD_MAX, &order->name);
    r = r ? r : fill(in, "sessionKey", ORDER_WORD_MAX, &order->session_key);
    r = r ? r : fill(in, "to", ORDER_WORD_MAX, &order->to);
    r = r ? r : fill(in, "model", ORDER_WORD_MAX, &order->model);
    r = r ? r : fill(in, "thinking", ORDER_WORD_MAX, &order->thinking);
    r = r ? r : word_take(text_of(in->mapping, "agentId"), "agentId", &order->agent, in->why);
    r = r ? r : word_take(channel_of(value_get(in->mapping, "channel")), "channel", &order->channel, in->why);
    trim(&order->name);
    trim(&order->session_key);
    trim(&order->to);
    trim(&order->model);
    trim(&order->thinking);
    order->is_delivered = value_bool(value_get(in->mapping, "deliver"), true);
    order->timeout_s = timeout_of(value_get(in->mapping, "timeoutSeconds"));
    order->key_source = hooks_is_template(key) ? SETTINGS_KEY_OF_SENDER : SETTINGS_KEY_OF_CONFIG;
    order->is_trusted = value_bool(value_get(in->mapping, "allowUnsafeExternalContent"), false);
    return r || order->name.len ? r : text_buf_add(&order->name, SPAN_LIT("Hook"));
}

/* There must be something to say. */
static int filled_check(const struct order *order, struct text_buf *why)
{
    if (span_trim(said(&order->text)).len) {
        return 0;
    }
    return refuse(why, order->is_wake ? "hook mapping requires text" : "hook mapping requires message");
}

static bool is_mail_session(const struct order *order)
{
    return order->session_key.len && span_starts(said(&order->session_key), "hook:gmail:");
}

/* A mail says what it is by the name of the hook, what it says of itself, or its session. */
static const char *source_of(const struct template_facts *facts, const struct order *order)
{
    struct span source = text_of(facts->payload, "source");
    bool is_mail = span_is_text(facts->path, "gmail") || span_is_text(source, "gmail") || is_mail_session(order);

    return is_mail ? "Email" : "Webhook";
}

static int mapping_apply(const struct filling *in)
{
    bool is_wake = span_is_text(value_str(value_get(in->mapping, "action"), NOTHING), "wake");
    int r;

    in->order->is_now = !span_is_text(value_str(value_get(in->mapping, "wakeMode"), NOTHING), "next-heartbeat");
    r = is_wake ? wake_fill(in) : agent_fill(in);
    in->order->source = source_of(in->facts, in->order);
    return r;
}

static bool mapping_fits(struct span mapping, const struct template_facts *facts)
{
    struct span path = hooks_match_path(value_str(value_path(mapping, "match.path"), NOTHING));
    struct span source = span_trim(value_str(value_path(mapping, "match.source"), NOTHING));

    return (!path.len || span_is(path, hooks_match_path(facts->path))) &&
           (!source.len || span_is(source, value_str(value_get(facts->payload, "source"), NOTHING)));
}

/* The mapping that the preset "gmail" stands for. */
static void gmail_pack(struct span gmail, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_text(out, "name", "Gmail");
    pack_kv_text(out, "sessionKey", "hook:gmail:{{messages[0].id}}");
    pack_kv_text(out, "messageTemplate",
                 "New email from {{messages[0].from}}\nSubject: {{messages[0].subject}}\n{{messages[0].snippet}}\n"
                 "{{messages[0].body}}");
    pack_kv_bool(out, "allowUnsafeExternalContent", value_bool(value_get(gmail, "allowUnsafeExternalContent"), false));
    if (text_of(gmail, "model").len) {
        pack_kv_str(out, "model", text_of(gmail, "model"));
    }
    if (text_of(gmail, "thinking").len) {
        pack_kv_str(out, "thinking", text_of(gmail, "thinking"));
    }
    pack_map_end(out);
}

static bool has_gmail(const struct settings *settings)
{
    struct value_iter it = value_iter(settings->presets);
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (span_is_text(value_str(item, NOTHING), "gmail")) {
            return true;
        }
    }
    return false;
}

static int preset_apply(const struct settings *settings, struct filling *in)
{
    struct pack mapping;
    int r;

    if (!has_gmail(settings) || !span_is_text(hooks_match_path(in->facts->path), "gmail")) {
        return ORDER_E_NONE;
    }
    pack_init(&mapping, 65536);
    gmail_pack(settings->gmail, &mapping);
    in->mapping = pack_span(&mapping);
    r = pack_error(&mapping) ? -ENOMEM : mapping_apply(in);
    r = r ? r : filled_check(in->order, in->why);
    pack_deinit(&mapping);
    return r;
}

int order_mapped(const struct settings *settings, const struct template_facts *facts, struct order *order,
                 struct span *ret_transform, struct text_buf *why)
{
    struct value_iter it = value_iter(settings->mappings);
    struct filling in = { .facts = facts, .order = order, .why = why };
    struct span key;

    while (value_next(&it, &key, &in.mapping)) {
        struct span transform = value_get(in.mapping, "transform");
        int r;

        if (!mapping_fits(in.mapping, facts)) {
            continue;
        }
        r = mapping_apply(&in);
        if (!r && value_kind_of(transform) == VALUE_MAP) {
            *ret_transform = transform;
            return ORDER_E_TRANSFORM;
        }
        return r ? r : filled_check(order, why);
    }
    return preset_apply(settings, &in);
}

/* --- as a transform changes it ------------------------------------------------------------------------ */

/* A text under `key` takes the place of the one that there is. */
static int word_change(struct span map, const char *key, struct text_buf *out, struct text_buf *why)
{
    struct span value = value_get(map, key);

    if (value_kind_of(value) != VALUE_STR) {
        return 0;
    }
    out->len = 0;
    return word_take(span_trim(value_str(value, NOTHING)), key, out, why);
}

static int text_change(struct span value, size_t most, struct text_buf *out, struct text_buf *why)
{
    struct span text = value_str(value, NOTHING);
    char line[96];

    if (value_kind_of(value) != VALUE_STR) {
        return 0;
    }
    if (text.len > most || !is_text(text)) {
        (void)snprintf(line, sizeof(line), "hook transform: the text is longer than %zu bytes, or no text", most);
        return refuse(why, line);
    }
    out->len = 0;
    return text_buf_add(out, text);
}

static int wake_change(struct span said, struct order *order, struct text_buf *why)
{
    int r = text_change(value_get(said, "text"), ORDER_WAKE_MAX, &order->text, why);

    trim(&order->text);
    order->is_now = order->is_now && !span_is_text(value_str(value_get(said, "mode"), NOTHING), "next-heartbeat");
    return r;
}

/* Who makes a key out of what was sent says nothing of it; who does not, that it is "static". */
static int key_change(struct span said, struct order *order, struct text_buf *why)
{
    bool is_ours = span_is_text(value_str(value_get(said, "sessionKeySource"), NOTHING), "static");

    if (value_kind_of(value_get(said, "sessionKey")) == VALUE_STR) {
        order->key_source = is_ours ? SETTINGS_KEY_OF_CONFIG : SETTINGS_KEY_OF_SENDER;
    }
    return word_change(said, "sessionKey", &order->session_key, why);
}

static int agent_change(struct span said, struct order *order, struct text_buf *why)
{
    struct span channel = value_get(said, "channel");
    struct span timeout = value_get(said, "timeoutSeconds");
    int r = text_change(value_get(said, "message"), ORDER_TEXT_MAX, &order->text, why);

    r = r ? r : word_change(said, "name", &order->name, why);
    r = r ? r : word_change(said, "agentId", &order->agent, why);
    r = r ? r : key_change(said, order, why);
    r = r ? r : word_change(said, "to", &order->to, why);
    r = r ? r : word_change(said, "model", &order->model, why);
    r = r ? r : word_change(said, "thinking", &order->thinking, why);
    channel = value_kind_of(channel) == VALUE_NIL ? NOTHING : channel;
    if (!r && (channel.len || !order->channel.len)) {
        order->channel.len = 0;
        r = word_take(channel_of(channel), "channel", &order->channel, why);
    }
    order->is_now = order->is_now && !span_is_text(value_str(value_get(said, "wakeMode"), NOTHING), "next-heartbeat");
    order->is_delivered = value_bool(value_get(said, "deliver"), order->is_delivered);
    order->is_trusted = value_bool(value_get(said, "allowUnsafeExternalContent"), order->is_trusted);
    order->timeout_s = timeout.len && value_kind_of(timeout) != VALUE_NIL ? timeout_of(timeout) : order->timeout_s;
    order->source = is_mail_session(order) ? "Email" : order->source;
    return r || order->name.len ? r : text_buf_add(&order->name, SPAN_LIT("Hook"));
}

/* Of the other kind of order nothing is kept. */
static void kind_set(struct order *order, bool is_wake)
{
    if (order->is_wake != is_wake) {
        const char *source = order->source;

        order_deinit(order);
        *order = (struct order){ .is_wake = is_wake, .is_now = true, .is_delivered = true, .source = source };
    }
}

int order_change(struct span said, struct order *order, struct text_buf *why)
{
    struct span kind = value_str(value_get(said, "kind"), NOTHING);
    int r = 0;

    if (value_kind_of(said) == VALUE_MAP) {
        kind_set(order, kind.len ? span_is_text(kind, "wake") : order->is_wake);
        r = order->is_wake ? wake_change(said, order, why) : agent_change(said, order, why);
    }
    return r ? r : filled_check(order, why);
}

/* --- what lasts --------------------------------------------------------------------------------------- */

void order_pack(const struct order *order, struct span agent, struct span session_key, int64_t at_ms, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_bool(out, "isWake", order->is_wake);
    pack_kv_bool(out, "isNow", order->is_now);
    pack_kv_i64(out, "at", at_ms);
    pack_kv_str(out, "text", said(&order->text));
    if (!order->is_wake) {
        pack_kv_str(out, "name", said(&order->name));
        pack_kv_str(out, "agent", agent);
        pack_kv_str(out, "session", session_key);
        pack_kv_str(out, "channel", said(&order->channel));
        pack_kv_str(out, "to", said(&order->to));
        pack_kv_str(out, "model", said(&order->model));
        pack_kv_str(out, "thinking", said(&order->thinking));
        pack_kv_u64(out, "timeout", order->timeout_s);
        pack_kv_bool(out, "isDelivered", order->is_delivered);
        pack_kv_bool(out, "isTrusted", order->is_trusted);
        pack_kv_text(out, "source", order->source);
    }
    pack_map_end(out);
}

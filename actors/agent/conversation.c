#include "actors/agent/conversation.h"

#include <string.h>

#include "actors/agent/message.h"
#include "bus/base/cleanup.h"
#include "bus/pack.h"
#include "bus/value.h"

void conversation_deinit(struct conversation *self)
{
    text_buf_deinit(&self->bytes);
}

static struct span role_of(struct span message)
{
    return value_str(value_get(message, "role"), SPAN_LIT(""));
}

static bool is_prompt(struct span message)
{
    struct span role = role_of(message);

    return !span_is_text(role, "user") && !span_is_text(role, "assistant") && !message_is_result(message);
}

static bool is_own(struct span messages)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t users_n = 0;

    while (value_next(&it, &key, &message)) {
        if (span_is_text(role_of(message), "assistant")) {
            return true;
        }
        users_n += span_is_text(role_of(message), "user");
    }
    return users_n > 1;
}

/* The number of messages up to the last one of the assistant. */
static uint32_t known_count(struct span messages)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    uint32_t at = 0;
    uint32_t known_n = 0;

    while (value_next(&it, &key, &message)) {
        at++;
        if (span_is_text(role_of(message), "assistant")) {
            known_n = at;
        }
    }
    return known_n;
}

static int message_check(struct span message, bool *is_said)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int rc = message_text_add(value_get(message, "content"), &text);

    if (rc) {
        return rc;
    }
    *is_said |= message_is_result(message) || text.len > 0;
    return text.len && memchr(text.data, 0, text.len) ? CONVERSATION_E_NUL : 0;
}

/* Packs the messages from number `from` on that are no prompts. */
static int fresh_pack(struct span messages, uint32_t from, struct conversation *self, struct pack *out)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;
    bool is_said = false;
    int rc = 0;

    self->is_plain = true;
    pack_array_begin(out);
    for (uint32_t at = 0; !rc && value_next(&it, &key, &message); at++) {
        if (at < from || is_prompt(message)) {
            continue;
        }
        rc = message_check(message, &is_said);
        self->is_plain = self->is_plain && message_is_text(value_get(message, "content"));
        pack_raw(out, message);
    }
    pack_array_end(out);
    rc = rc ? rc : pack_error(out);
    return rc ? rc : is_said ? 0 : CONVERSATION_E_EMPTY;
}

/* A conversation that ends with the assistant's word is about the last thing that a user said. */
static int last_pack(struct span messages, struct conversation *self, struct pack *out)
{
    struct span last = message_last(messages, "user");
    bool is_said = false;
    int rc = last.len ? message_check(last, &is_said) : 0;

    if (rc || !is_said) {
        return rc ? rc : CONVERSATION_E_EMPTY;
    }
    self->is_plain = message_is_text(value_get(last, "content"));
    pack_reset(out);
    pack_array_begin(out);
    pack_raw(out, last);
    pack_array_end(out);
    return pack_error(out);
}

int conversation_read(struct span messages, bool goes_on, struct conversation *ret_conversation)
{
    CLEANUP(pack_deinit) struct pack fresh;
    int rc;

    pack_init(&fresh, 0);
    ret_conversation->is_own = !goes_on && is_own(messages);
    rc = fresh_pack(messages, ret_conversation->is_own ? known_count(messages) : 0, ret_conversation, &fresh);
    if (rc == CONVERSATION_E_EMPTY && ret_conversation->is_own) {
        rc = last_pack(messages, ret_conversation, &fresh);
    }
    rc = rc ? rc : text_buf_add(&ret_conversation->bytes, pack_span(&fresh));
    ret_conversation->fresh = (struct span){ ret_conversation->bytes.data, ret_conversation->bytes.len };
    return rc;
}

int conversation_prompt_add(struct span messages, struct text_buf *out)
{
    struct value_iter it = value_iter(messages);
    struct span key;
    struct span message;

    while (value_next(&it, &key, &message)) {
        int rc;

        if (!is_prompt(message)) {
            continue;
        }
        rc = out->len ? text_buf_add(out, SPAN_LIT("\n")) : 0;
        rc = rc ? rc : message_text_add(value_get(message, "content"), out);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/*
 * conversation: what of the messages that an HTTP client sends is new, and whether they
 * stand alone or go behind what the session holds. Pure.
 *
 * A client that keeps the conversation itself sends all of it: it holds an assistant's
 * message, or several of a user. Then only what stands behind the last assistant's message
 * is new to the session. Anything else is one more turn of the session: a message of a
 * user, results of tools, or both.
 */
#ifndef ACTORS_AGENT_CONVERSATION_H
#define ACTORS_AGENT_CONVERSATION_H

#include <stdbool.h>

#include "bus/base/span.h"
#include "bus/json.h"

struct conversation {
    bool is_own;           /* the messages are the whole conversation */
    bool is_plain;         /* what is new is text alone, so the stored form says it all */
    struct span fresh;     /* packed messages to store */
    struct text_buf bytes; /* what it points into */
};

enum {
    CONVERSATION_E_EMPTY = 1, /* nobody says anything new */
    CONVERSATION_E_NUL = 2,   /* a text holds a null byte */
};
/* With `goes_on` they are one more turn of the session, whatever they are. 0, an outcome or -ENOMEM. */
int conversation_read(struct span messages, bool goes_on, struct conversation *ret_conversation);
void conversation_deinit(struct conversation *self);

/* Appends the text of all system messages. 0 or -ENOMEM. */
int conversation_prompt_add(struct span messages, struct text_buf *out);

#endif

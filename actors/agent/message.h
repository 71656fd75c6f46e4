/*
 * message: reads the content of a packed chat message, which is a text or a list of
 * parts ({type:"text", text}, …).
 */
#ifndef ACTORS_AGENT_MESSAGE_H
#define ACTORS_AGENT_MESSAGE_H

#include "bus/base/span.h"
#include "bus/json.h"
#include "bus/pack.h"

/* Appends all text of `content`, parts divided by a line break. What is no text is named by
 * kind and size, "[image image/png 1234 bytes]", so that nothing is lost unseen. 0 or -ENOMEM. */
int message_text_add(struct span content, struct text_buf *out);
/* The same without what is no text. */
int message_said_add(struct span content, struct text_buf *out);
/* Bytes that message_text_add would append at most. */
size_t message_text_bytes(struct span content);
/* The last message of `messages` with this role; empty when there is none. */
struct span message_last(struct span messages, const char *role);
/* Is every part of `content` text? */
bool message_is_text(struct span content);
/* Is it what a tool answered? And to which call; "" when it says none. */
bool message_is_result(struct span message);
struct span message_call_id(struct span message);
/* Packs a message, stored or as chat completions have it, in the form of chat completions:
 * plain text where all parts are text, the parts as they are otherwise, calls of tools and
 * what they answered. False when the message has nothing to say. */
bool message_pack(struct span message, struct pack *out);
/* Appends the part {type:"text", text} to an open array; nothing for no text. */
void message_text_pack(struct span text, struct pack *out);
/* Packs [{type:"text", text}], the form in which content is stored. */
void message_content_pack(struct span text, struct pack *out);

#endif

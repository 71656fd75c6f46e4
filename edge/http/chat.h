/*
 * chat: the messages of POST /v1/chat/completions, checked and brought into the form in
 * which agents take them. Pure.
 */
#ifndef EDGE_HTTP_CHAT_H
#define EDGE_HTTP_CHAT_H

#include "bus/base/span.h"
#include "bus/pack.h"
#include "edge/http/openai.h"
#include "edge/http/parts.h"

#define CHAT_MESSAGES_MAX 4096U
#define CHAT_CALLS_MAX 64U /* of one message */
#define CHAT_ID_MAX 256U

/* Appends the checked list. 0, OPENAI_E_REFUSED or a fault. */
int chat_messages_pack(struct span messages, struct parts *parts, struct pack *out, struct openai_error *error);

#endif

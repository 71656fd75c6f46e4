/*
 * transcript: makes the messages that are stored, and reads them back for people
 * (chat.history, previews) and for models (the conversation so far).
 */
#ifndef ACTORS_AGENT_TRANSCRIPT_H
#define ACTORS_AGENT_TRANSCRIPT_H

#include "actors/agent/session.h"
#include "actors/agent/store.h"
#include "bus/pack.h"

#define TRANSCRIPT_LIMIT_DEFAULT 200U
#define TRANSCRIPT_LIMIT_MAX 1000U
#define TRANSCRIPT_BYTES_MAX ((size_t)6291456) /* of one chat.history */
#define TRANSCRIPT_MESSAGE_MAX ((size_t)131072)
#define TRANSCRIPT_CHARS_DEFAULT 8000U
#define TRANSCRIPT_CONTEXT_MAX ((size_t)4 << 20) /* bytes of messages that a model is sent */

/* The stored form of what a person said, and of a run's answer by the state of the run. */
void transcript_question_pack(struct pack *out, struct span text, int64_t now_ms);
/* One of the packed `messages` of chat completions: of a user, an assistant or a tool. 0 or a fault. */
int transcript_message_pack(struct pack *out, struct span messages, struct span message, int64_t now_ms);
void transcript_answer_pack(struct pack *out, const struct run *run, int64_t now_ms);

struct transcript_limits {
    uint32_t messages_max;
    size_t bytes_max;
    size_t chars_max; /* of one text; longer ones are cut */
};

/* Packs the newest messages of a session as one array, oldest first. A store outcome or
 * 0. `seq_max` is the newest message to show. */
int transcript_history_pack(struct store *store, int64_t session_n, uint32_t seq_max,
                            const struct transcript_limits *limits, struct pack *out);
/* Packs [{role, text}] of the newest messages that hold text. */
int transcript_preview_pack(struct store *store, int64_t session_n, uint32_t seq_max, uint32_t limit, size_t chars_max,
                            struct pack *out);
struct transcript_context {
    uint32_t seq_max;              /* the newest message of the session */
    const char *system_prompts[2]; /* NULL: none */
    struct span notes;             /* something to know, or empty */
    struct span question;          /* packed messages in place of what is stored of the question, or empty */
};
/*
 * Packs the conversation as a provider takes it, an array of {role, content, …}: the
 * prompts, what was said before the run, the notes, and the run's own question last. What
 * waits behind the run is not part of it, nor is an answer that failed before its first
 * word. Calls of tools and their results come in pairs, whatever the session holds.
 */
int transcript_context_pack(struct store *store, const struct store_run *run, const struct transcript_context *what,
                            struct pack *out);

/* What is stored of the question of a heartbeat; people do not see it. */
void transcript_poll_mark_pack(struct pack *out, int64_t now_ms);
bool transcript_is_hidden(struct span body);

#endif

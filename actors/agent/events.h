/*
 * events: the payloads that clients get of a run and of its session, packed.
 *
 * Times are Unix milliseconds. `agent` events count run->seq up by one each; `chat`
 * events carry the count as it stands.
 */
#ifndef ACTORS_AGENT_EVENTS_H
#define ACTORS_AGENT_EVENTS_H

#include "actors/agent/session.h"
#include "actors/agent/settings.h"
#include "bus/pack.h"

/* Topic agent. */
void events_run_started(struct pack *out, struct run *run, int64_t now_ms);
/* The text from run->shown on. */
void events_run_text(struct pack *out, struct run *run, int64_t now_ms);
void events_run_ended(struct pack *out, struct run *run, int64_t now_ms);

/* Topic chat; all of the text so far, and for newer clients what is new from run->chat_shown on. */
void events_chat_delta(struct pack *out, struct run *run, int64_t now_ms);
/* final, aborted or error, by the state of the run. */
void events_chat_ended(struct pack *out, const struct run *run, int64_t now_ms);

/* The row of a session as sessions.list has it; one map. */
void events_session_row(struct pack *out, const struct store_session *row, const struct settings *settings);
/* The same with the map left open for more keys. */
void events_session_row_begin(struct pack *out, const struct store_session *row, const struct settings *settings);

/* The keys thinkingLevels, thinkingOptions and thinkingDefault. */
void events_thinking(struct pack *out);

/* What a sessions.changed tells of, and how the session was then. */
struct events_change {
    const char *phase; /* start, end or message */
    const struct store_session *row;
    struct span message_id; /* empty: it is about the run */
    uint32_t message_seq;
};
/* Topic sessions.changed. */
void events_session_changed(struct pack *out, const struct run *run, const struct settings *settings,
                            const struct events_change *change, int64_t now_ms);
/* Topic session.message. */
void events_session_message(struct pack *out, const struct run *run, const struct settings *settings, struct span body,
                            struct span message_id, uint32_t message_seq);

/* Topics agent and session.tool: a call of a tool, from its part of a stored answer; and what that tool answered, from
 * the stored message. Both carry the row of the session. */
void events_tool_called(struct pack *out, struct run *run, const struct settings *settings, struct span part,
                        int64_t now_ms);
void events_tool_answered(struct pack *out, struct run *run, const struct settings *settings, struct span message,
                          int64_t now_ms);

/* A stored message as clients get it: the map of `body` and __openclaw {id, seq}. */
void events_message(struct pack *out, struct span body, struct span message_id, uint32_t message_seq);

#endif

/*
 * replies: what the methods of the agent answer, packed.
 */
#ifndef ACTORS_AGENT_REPLIES_H
#define ACTORS_AGENT_REPLIES_H

#include "actors/agent/store.h"
#include "bus/pack.h"

/* chat.send: {runId, status} and, of a run that failed, its summary. */
void reply_send_pack(struct pack *out, const struct store_run *run, bool is_repeat);
/* agent, second phase; `answer` is the stored message. `path` names the transcript. */
int reply_agent_pack(struct pack *out, const struct store_run *run, const char *session_id, struct span answer,
                     const char *path, uint64_t context_tokens);
/* agent, second phase of a run that failed: the details of the failure. */
void reply_agent_failed_pack(struct pack *out, const struct store_run *run);
/* agent.wait of a run that has ended; NULL: it had not when the time was up. */
void reply_wait_pack(struct pack *out, struct span run_id, const struct store_run *run);

#endif

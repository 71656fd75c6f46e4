/*
 * run_ask: asks an agent for one turn on behalf of an HTTP request, and puts failures into
 * the words and the statuses of the OpenAI API.
 */
#ifndef EDGE_LISTENER_RUN_ASK_H
#define EDGE_LISTENER_RUN_ASK_H

#include "bus/actor.h"
#include "edge/listener/exchange.h"
#include "schema_gen.h"

struct run_ask {
    struct msg_agent_run *run;     /* what the body says; the headers and who asks are added */
    const struct endpoint *inputs; /* what may be fetched */
    actor_on_answer on_done;
    actor_on_chunk on_delta;
};
/* 0, and an answer will come; OPENAI_E_REFUSED for what a header says, see `error`; or a fault. A request that is
 * streamed gets chunks. */
int run_ask(struct exchange *self, const struct run_ask *ask, struct openai_error *error);
/* May who asks name another model than the agent's own? 0 or OPENAI_E_REFUSED. */
int run_ask_model_check(const struct exchange *self, const struct msg_auth_decision *decision,
                        struct openai_error *error);
/* The client has taken what was sent: the agent may send more. */
void run_ask_drained(struct exchange *self);

void run_ask_error(const struct failure *failure, struct openai_error *ret_error);
/* Answers with that error, and with when to come again. */
void run_ask_fail(struct exchange *self, const struct failure *failure);
/* Answers one that could not be asked: with what is wrong with its body, or for a fault with a lack of memory. */
void run_ask_refuse(struct exchange *self, int r, const struct openai_error *error);

/* Who asks, as owners see it; spans point into `decision` and the exchange. */
void run_ask_client(const struct exchange *self, const struct msg_auth_decision *decision, struct type_client *ret);
/* The value of a header, if there is one; how long it may be is header_limits' affair. */
void run_ask_header(const struct exchange *self, const char *name, bool *ret_has, struct span *ret_value);

#endif

/*
 * answer: tells the edge what came of a judgement, at once or later.
 */
#ifndef ACTORS_AUTH_ANSWER_H
#define ACTORS_AUTH_ANSWER_H

#include "actors/auth/judge.h"
#include "bus/actor.h"

/* To the message in hand, or with `ctx` NULL to a call that was put off. */
struct answer_to {
    struct actor *actor;
    struct actor_ctx *ctx;
    struct actor_token token;
};

int answer_fail(const struct answer_to *to, const struct failure *failure);
/* Settings have never been read: come again in a moment. */
int answer_starting(const struct answer_to *to);
/* The disk refuses what has to be kept of it. */
int answer_no_room(const struct answer_to *to);
int answer_connect_admit(const struct answer_to *to, const struct judge *judge, const struct judge_ask *ask,
                         const struct judge_verdict *verdict, uint64_t generation);
int answer_connect_refuse(const struct answer_to *to, const struct judge_ask *ask, struct judge_verdict *verdict);
int answer_http_admit(const struct answer_to *to, const struct judge *judge, const struct connect_peer *peer,
                      const struct judge_bearer_verdict *verdict, uint64_t generation);
/* What is behind a link to join, to whoever had its code. */
int answer_join(const struct answer_to *to, const struct connect_peer *peer, struct span setup, uint64_t generation);
int answer_http_refuse(const struct answer_to *to, const struct judge_bearer_verdict *verdict);

#endif

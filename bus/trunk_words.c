/*
 * trunk_words: what a host on another machine may say. Answers, credit and whatever actors say to each other pass;
 * of the words of the bus itself only those that a node says to the supervisor once it has joined. Who stops, listens,
 * restarts, spawns or tells of other hosts is the gateway's to say.
 */
#include <stdio.h>

#include "bus/envelope.h"
#include "bus/trunk_hub_internal.h"
#include "bus/wire.h"

static bool is_node(struct span address)
{
    return span_is_text(address, NODE_SUPERVISOR) || span_starts(address, "host/");
}

static bool is_node_of(struct span address, const struct topology_host *host)
{
    return span_starts(address, "host/") && span_is_text((struct span){ address.ptr + 5, address.len - 5 }, host->name);
}

static bool is_own(const struct topology *topology, const struct topology_host *host, struct span from)
{
    char text[ACTOR_ADDRESS_MAX];

    if (is_node(from)) {
        return is_node_of(from, host);
    }
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_FMT(from));
    return topology_place(topology, text) == host;
}

/* Asks for something to be done, other than an answer to what was asked here. */
static bool is_opening(const struct envelope *env)
{
    return env->kind == ENVELOPE_CALL || env->kind == ENVELOPE_CAST || env->kind == ENVELOPE_PUBLISH;
}

static bool may_say(const struct topology_host *host, const struct envelope *env)
{
    static const struct schema_msg *const to_supervisor[] = { &wire_hello, &wire_sync, &wire_blame, &wire_settle };

    if (!is_opening(env) || span_is_text(env->name, wire_gap.name) || span_is_text(env->name, wire_dead_letters.name)) {
        return true;
    }
    if (!span_starts(env->name, "bus.")) {
        return !is_node(env->to);
    }
    for (size_t i = 0; i < ARRAY_LEN(to_supervisor); i++) {
        if (span_is_text(env->name, to_supervisor[i]->name)) {
            return span_is_text(env->to, NODE_SUPERVISOR) && is_node_of(env->from, host);
        }
    }
    return false;
}

const char *trunk_word_refusal(const struct topology *topology, const struct topology_host *host, struct span header)
{
    struct envelope env;

    if (!envelope_decode(header, &env)) {
        return "it sent what is no message of the bus";
    }
    /* What is handed on speaks for who asked; whoever does that (the router) is on the gateway's machine. */
    if (env.via.len || !is_own(topology, host, env.from)) {
        return "it spoke for an actor that is not its own";
    }
    return may_say(host, &env) ? NULL : "it said a word that is the gateway's to say";
}

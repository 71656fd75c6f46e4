/*
 * directory: who is where, and who wants to know. Pure: no sockets, no clock.
 *
 * Each process has one, kept by its node. Entries of other hosts come from the
 * supervisor; those of this host are its own word.
 */
#ifndef BUS_DIRECTORY_H
#define BUS_DIRECTORY_H

#include "bus/actor.h"

#define DIRECTORY_ENDPOINT_MAX 160
#define DIRECTORY_STATUS_MAX 384 /* a path and what is wrong with it */
#define DIRECTORY_HOST_MAX 32
#define DIRECTORY_BLAME_MAX 96
#define DIRECTORY_LOST "host " /* so begins the status of an actor whose host is not there; its name and why follow */
#define DIRECTORY_SILENT_RETRY_MS 1000U /* what hangs has gone on, or been started again, by then */

struct directory_entry {
    struct directory_entry *next;
    char address[ACTOR_ADDRESS_MAX];
    char host[DIRECTORY_HOST_MAX];
    char endpoint[DIRECTORY_ENDPOINT_MAX]; /* across processes; "" when it is only in this one */
    char local[DIRECTORY_ENDPOINT_MAX];    /* inside its process; "" when it is elsewhere */
    bool is_up;                            /* messages may be sent to it */
    enum actor_life life;
    uint32_t incarnation;
    uint32_t retry_after_ms;
    char status[DIRECTORY_STATUS_MAX];
    bool is_silent;                    /* the supervisor says that it hangs; the rest is what it was before */
    char silence[DIRECTORY_BLAME_MAX]; /* and why, when that is not its own doing; known to the supervisor */
    char lost[DIRECTORY_BLAME_MAX];    /* of a host that is not there: why its actors are not, in short; the same */
    char blame[DIRECTORY_BLAME_MAX];   /* what it sends that it may not; known to the supervisor; empty: nothing */
    uint64_t blamed_ms;                /* CLOCK_MONOTONIC, the last time */
};

/* Someone of this process who must hear of changes. */
struct directory_interest {
    struct directory_interest *next;
    char who[ACTOR_ADDRESS_MAX];
    char pattern[ACTOR_ADDRESS_MAX]; /* address, "prefix*", or topic name */
    bool is_topic;
};

struct directory_topic {
    struct directory_topic *next;
    char name[ACTOR_ADDRESS_MAX];
    char address[ACTOR_ADDRESS_MAX]; /* of one subscriber */
    char host[DIRECTORY_HOST_MAX];
};

struct directory {
    struct directory_entry *entries; /* in order of arrival */
    struct directory_topic *topics;
    struct directory_interest *interests;
};

void directory_deinit(struct directory *self);

/* As others shall see it. */
enum actor_life directory_life(const struct directory_entry *entry);
const char *directory_status(const struct directory_entry *entry);
uint32_t directory_retry_ms(const struct directory_entry *entry);

struct directory_entry *directory_find(const struct directory *self, struct span address);
/* Finds or adds; a new one is ABSENT. */
struct directory_entry *directory_get(struct directory *self, struct span address);

/* True when this is new. */
bool directory_interest_add(struct directory *self, struct span who, struct span pattern, bool is_topic);
void directory_interest_drop(struct directory *self, struct span who);
bool directory_matches(const char *pattern, struct span address);

/* Both tell whether anything changed. */
bool directory_topic_add(struct directory *self, struct span name, struct span address, const char *host);
bool directory_topic_remove(struct directory *self, struct span name, struct span address);

#endif

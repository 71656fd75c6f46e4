/*
 * rig: messages of the bus tests, their servers, and the driver that plays a scenario.
 */
#ifndef TESTS_INTEGRATION_BUS_RIG_H
#define TESTS_INTEGRATION_BUS_RIG_H

#include "bus/actor.h"

struct msg_ping {
    uint64_t n;
    bool has_text;
    struct span text;
};

struct msg_pong {
    uint64_t n;
    uint32_t incarnation;
};

extern const struct schema_msg rig_ping;       /* call → pong */
extern const struct schema_msg rig_relay;      /* call, forwarded to "echo" as ping */
extern const struct schema_msg rig_relay_hold; /* call, forwarded to "echo" as hold */
extern const struct schema_msg rig_refuse;     /* call, refused with details */
extern const struct schema_msg rig_hoard;      /* call → pong: takes n MB and keeps them */
extern const struct schema_msg rig_hold;       /* call, never answered by itself */
extern const struct schema_msg rig_break;      /* call, its handler returns a fault */
extern const struct schema_msg rig_note;       /* cast, counted in order */
extern const struct schema_msg rig_noted;      /* call → pong: how many notes came in order */
extern const struct schema_msg rig_cancelled;  /* call → pong: how many holds were cancelled */
extern const struct schema_msg rig_flow;       /* call: streams n chunks */
extern const struct schema_msg rig_chunk;      /* chunk */
extern const struct schema_msg rig_slow;       /* call → pong, busy for n microseconds */
extern const struct schema_msg rig_doze;       /* call → pong, asleep for n microseconds */
extern const struct schema_msg rig_freeze;     /* call: a signal stops the process */
extern const struct schema_msg rig_announce;   /* call: publishes n events */
extern const struct schema_msg rig_event_b;    /* another topic, droppable, published in turns with the first */
extern const struct schema_msg rig_event;      /* topic */
extern const struct schema_msg rig_news;       /* topic that echo hears */
extern const struct schema_msg rig_heard;      /* call → pong: how many news came, in order */
extern const struct schema_msg rig_missed;     /* call → pong: of how many news echo was told that it missed them */
extern const struct schema_msg rig_pong;
extern const struct schema_registry rig_registry;

extern const struct actor_def echo_actor;
extern const struct actor_def relay_actor;
extern const struct actor_def driver_actor;

/* The scenario's end, from the driver's thread; the first verdict counts. */
void rig_verdict(bool is_well, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

typedef void (*rig_scenario)(struct actor *driver);
rig_scenario rig_scenario_find(const char *name);

#endif

/*
 * settings: what the config says about heartbeats: `agents` and the visibility keys of
 * `channels`. Pure.
 */
#ifndef ACTORS_SCHEDULER_SETTINGS_H
#define ACTORS_SCHEDULER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/scheduler/hours.h"
#include "bus/base/span.h"
#include "bus/pack.h"
#include "schema/base/agent_id.h"

#define SETTINGS_AGENTS_MAX 256
#define SETTINGS_EVERY_DEFAULT "30m"
#define SETTINGS_EVERY_MAX 64 /* bytes of the text, with terminator */
#define SETTINGS_ACK_DEFAULT 300U
#define SETTINGS_TIMEOUT_LEAST_MS 60000
#define SETTINGS_TIMEOUT_MOST_MS 600000 /* of a heartbeat for which the config names none */

/* One configured agent. */
struct beat_settings {
    char agent_id[AGENT_ID_MAX + 1];
    bool is_on; /* it has heartbeats, at intervals of every_ms */
    int64_t every_ms;
    char every[SETTINGS_EVERY_MAX];
    struct hours hours;
    char zone[ZONE_NAME_MAX]; /* of the hours: a name, "local", or "" for the user's */
    char *prompt;             /* owned */
    char model[257];          /* "": the agent's own */
    char session[513];
    char target[65]; /* "none", "last" or a channel */
    char to[257];
    char account[65]; /* "": any */
    uint32_t ack_max_chars;
    uint64_t timeout_ms; /* 0: the agent's own */
    bool is_isolated;
    bool has_guide;
    bool is_direct_blocked;
};

struct settings {
    struct beat_settings *agents; /* owned; in the order of the config */
    size_t agents_n;
    char user_zone[ZONE_NAME_MAX]; /* "": the host's */
    struct pack visibility;        /* what of `channels` concerns us */
};

/* Either span may be empty or nil. `self` is zeroed or was read before. 0 or a fault. */
int settings_read(struct settings *self, struct span agents, struct span channels);
void settings_deinit(struct settings *self);

/* What people on a channel see of heartbeats. */
struct visibility {
    bool shows_ok;
    bool shows_alerts;
    bool has_indicator;
};
/* `channel` "" or "webchat": the defaults. */
struct visibility settings_visibility(const struct settings *self, struct span channel, struct span account);

#endif

#include "bus/wire.h"

#define WIRE(var, number, text, kind_, flags_)                                                                         \
    const struct schema_msg var = { .id = (number),                                                                    \
                                    .name = (text),                                                                    \
                                    .name_len = sizeof(text) - 1,                                                      \
                                    .kind = (kind_),                                                                   \
                                    .flags = (flags_),                                                                 \
                                    .max_bytes = 4 * 1024 * 1024 }

WIRE(wire_resolve, 1, "bus.resolve", SCHEMA_MSG_CAST, 0);
WIRE(wire_topic, 2, "bus.topic", SCHEMA_MSG_CAST, 0);
WIRE(wire_subscribe, 3, "bus.subscribe", SCHEMA_MSG_CAST, 0);
WIRE(wire_unsubscribe, 4, "bus.unsubscribe", SCHEMA_MSG_CAST, 0);
WIRE(wire_watch, 5, "bus.watch", SCHEMA_MSG_CAST, 0);
WIRE(wire_state, 6, "bus.state", SCHEMA_MSG_CAST, 0);
WIRE(wire_exit, 7, "bus.exit", SCHEMA_MSG_CAST, 0);
WIRE(wire_spawn, 8, "bus.spawn", SCHEMA_MSG_CAST, 0);
WIRE(wire_despawn, 9, "bus.despawn", SCHEMA_MSG_CAST, 0);
WIRE(wire_restart, 10, "bus.restart", SCHEMA_MSG_CAST, 0);
WIRE(wire_entry, 11, "bus.entry", SCHEMA_MSG_CAST, 0);
WIRE(wire_subscribers, 12, "bus.subscribers", SCHEMA_MSG_CAST, 0);
WIRE(wire_stop, 13, "bus.stop", SCHEMA_MSG_CAST, 0);
WIRE(wire_hello, 14, "bus.hello", SCHEMA_MSG_CAST, 0);
WIRE(wire_sync, 15, "bus.sync", SCHEMA_MSG_CAST, 0);
WIRE(wire_host_down, 16, "bus.host_down", SCHEMA_MSG_CAST, 0);
WIRE(wire_actors, 17, "bus.actors", SCHEMA_MSG_CALL, 0);
WIRE(wire_tap, 18, "bus.tap", SCHEMA_MSG_CALL, 0);
WIRE(wire_dead_letters, 19, "bus.dead_letters", SCHEMA_MSG_TOPIC, SCHEMA_DROPPABLE);
WIRE(wire_gap, 20, "bus.gap", SCHEMA_MSG_CAST, 0);
WIRE(wire_rebind, 21, "bus.rebind", SCHEMA_MSG_CAST, 0);
WIRE(wire_settle, 22, "bus.settle", SCHEMA_MSG_CALL, 0);
WIRE(wire_silent, 25, "bus.silent", SCHEMA_MSG_CAST, 0);
WIRE(wire_settled, 23, "bus.settled", SCHEMA_MSG_CALL, 0);
WIRE(wire_listen, 24, "bus.listen", SCHEMA_MSG_CALL, 0);
WIRE(wire_links, 26, "bus.links", SCHEMA_MSG_CALL, 0);
WIRE(wire_blame, 27, "bus.blame", SCHEMA_MSG_CAST, 0);
WIRE(wire_operate, 28, "bus.operate", SCHEMA_MSG_CALL, 0);

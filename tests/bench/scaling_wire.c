/* The tables that the generator would write. */
#include "tests/bench/scaling_wire.h"

#include <stddef.h>

#define NUMBER(struct_, name_)                                                                                         \
    {                                                                                                                  \
        .name = #name_, .name_len = sizeof(#name_) - 1, .kind = SCHEMA_U64, .flags = SCHEMA_REQUIRED,                  \
        .offset = offsetof(struct struct_, name_), .has_offset = UINT32_MAX, .max = INT64_MAX                          \
    }
#define TEXT(struct_)                                                                                                  \
    {                                                                                                                  \
        .name = "text", .name_len = 4, .kind = SCHEMA_STR, .flags = SCHEMA_REQUIRED,                                   \
        .offset = offsetof(struct struct_, text), .has_offset = UINT32_MAX, .max = SCALING_TEXT_MAX                    \
    }
#define TYPE(name_)                                                                                                    \
    {                                                                                                                  \
#name_, sizeof(struct msg_##name_), name_##_fields, ARRAY_LEN(name_##_fields), 0                               \
    }
#define MSG(name_, kind_, reply_)                                                                                      \
    const struct schema_msg scaling_##name_ = { .name = #name_,                                                        \
                                                .name_len = sizeof(#name_) - 1,                                        \
                                                .kind = (kind_),                                                       \
                                                .type = &name_##_type,                                                 \
                                                .reply = (reply_),                                                     \
                                                .max_bytes = 2 * SCALING_TEXT_MAX }

static const struct schema_field accepted_fields[] = { NUMBER(msg_accepted, number) };
static const struct schema_field event_fields[] = { NUMBER(msg_event, number), NUMBER(msg_event, edge),
                                                    NUMBER(msg_event, is_last), TEXT(msg_event) };
static const struct schema_field load_fields[] = {
    NUMBER(msg_load, runs),   NUMBER(msg_load, window),  NUMBER(msg_load, text_bytes),
    NUMBER(msg_load, agents), NUMBER(msg_load, work_us), NUMBER(msg_load, wait_ms),
    NUMBER(msg_load, gap_ms), NUMBER(msg_load, events),  NUMBER(msg_load, event_bytes),
};
static const struct schema_field loaded_fields[] = { NUMBER(msg_loaded, p50_us), NUMBER(msg_loaded, p99_us),
                                                     NUMBER(msg_loaded, failed) };
static const struct schema_field run_fields[] = {
    NUMBER(msg_run, number),  NUMBER(msg_run, edge),        NUMBER(msg_run, agents),
    NUMBER(msg_run, work_us), NUMBER(msg_run, wait_ms),     NUMBER(msg_run, gap_ms),
    NUMBER(msg_run, events),  NUMBER(msg_run, event_bytes), TEXT(msg_run),
};

static const struct schema_type accepted_type = TYPE(accepted);
static const struct schema_type event_type = TYPE(event);
static const struct schema_type load_type = TYPE(load);
static const struct schema_type loaded_type = TYPE(loaded);
static const struct schema_type run_type = TYPE(run);

MSG(accepted, SCHEMA_MSG_REPLY, NULL);
MSG(event, SCHEMA_MSG_TOPIC, NULL);
MSG(load, SCHEMA_MSG_CALL, &scaling_loaded);
MSG(loaded, SCHEMA_MSG_REPLY, NULL);
MSG(run, SCHEMA_MSG_CALL, &scaling_accepted);

static const struct schema_msg *const msgs[] = { &scaling_accepted, &scaling_event, &scaling_load, &scaling_loaded,
                                                 &scaling_run };
const struct schema_registry scaling_registry = { .msgs = msgs, .msgs_n = ARRAY_LEN(msgs) };

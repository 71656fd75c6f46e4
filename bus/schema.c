#include "bus/schema_table.h"

#include "bus/value.h"

static int name_compare(struct span name, const struct schema_msg *msg)
{
    size_t shorter = name.len < msg->name_len ? name.len : msg->name_len;
    int order = shorter ? memcmp(name.ptr, msg->name, shorter) : 0;

    return order ? order : (name.len > msg->name_len) - (name.len < msg->name_len);
}

/* The first row whose name is not below `name`: a topic comes after a message of the same name. */
static size_t row_find(const struct schema_registry *registry, struct span name)
{
    size_t low = 0;
    size_t high = registry->msgs_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (name_compare(name, registry->msgs[middle]) > 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const struct schema_msg *row_at(const struct schema_registry *registry, size_t row, struct span name)
{
    if (row >= registry->msgs_n || name_compare(name, registry->msgs[row]) != 0) {
        return NULL;
    }
    return registry->msgs[row];
}

const struct schema_msg *schema_find(const struct schema_registry *registry, struct span name)
{
    return row_at(registry, row_find(registry, name), name);
}

const struct schema_msg *schema_find_topic(const struct schema_registry *registry, struct span name)
{
    size_t row = row_find(registry, name);
    const struct schema_msg *msg = row_at(registry, row, name);

    if (msg && msg->kind != SCHEMA_MSG_TOPIC) {
        msg = row_at(registry, row + 1, name);
    }
    return msg && msg->kind == SCHEMA_MSG_TOPIC ? msg : NULL;
}

bool schema_body_is_secret(const struct schema_msg *msg)
{
    return (msg->flags & (SCHEMA_SECRET | SCHEMA_SENSITIVE)) != 0;
}

bool schema_reply_is_secret(const struct schema_msg *call)
{
    return call->reply ? schema_body_is_secret(call->reply) : (call->flags & SCHEMA_SENSITIVE) != 0;
}

bool schema_is_droppable(const struct schema_msg *topic, struct span body)
{
    if (topic->flags & SCHEMA_DROPPABLE_DELTA) {
        return span_is_text(value_str(value_get(body, "state"), (struct span){ "", 0 }), "delta");
    }
    return (topic->flags & SCHEMA_DROPPABLE) != 0;
}

const char *schema_failure_text(const struct schema_registry *registry, int code)
{
    for (size_t i = 0; i < registry->failures_n; i++) {
        if (registry->failures[i].code == code) {
            return registry->failures[i].text;
        }
    }
    return NULL;
}

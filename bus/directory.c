#include "bus/directory.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"

static void text_set(char *out, size_t cap, struct span text)
{
    (void)snprintf(out, cap, "%.*s", SPAN_FMT(text)); /* callers have checked the length */
}

void directory_deinit(struct directory *self)
{
    while (self->entries) {
        struct directory_entry *next = self->entries->next;
        free(self->entries);
        self->entries = next;
    }
    while (self->topics) {
        struct directory_topic *next = self->topics->next;
        free(self->topics);
        self->topics = next;
    }
    while (self->interests) {
        struct directory_interest *next = self->interests->next;
        free(self->interests);
        self->interests = next;
    }
}

enum actor_life directory_life(const struct directory_entry *entry)
{
    return entry->is_up && entry->is_silent ? ACTOR_LIFE_UNRESPONSIVE : entry->life;
}

const char *directory_status(const struct directory_entry *entry)
{
    if (entry->is_up && entry->is_silent) { /* else whoever says that says why */
        return entry->silence[0] ? entry->silence : "does not respond";
    }
    return entry->is_up && entry->blame[0] ? entry->blame : entry->status;
}

uint32_t directory_retry_ms(const struct directory_entry *entry)
{
    return entry->is_up && entry->is_silent ? DIRECTORY_SILENT_RETRY_MS : entry->retry_after_ms;
}

struct directory_entry *directory_find(const struct directory *self, struct span address)
{
    struct directory_entry *entry = self->entries;

    while (entry && !span_is_text(address, entry->address)) {
        entry = entry->next;
    }
    return entry;
}

struct directory_entry *directory_get(struct directory *self, struct span address)
{
    struct directory_entry **at = &self->entries;

    while (*at && !span_is_text(address, (*at)->address)) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = mem_new(sizeof(**at));
        text_set((*at)->address, sizeof((*at)->address), address);
    }
    return *at;
}

bool directory_matches(const char *pattern, struct span address)
{
    size_t len = strlen(pattern);

    if (len && pattern[len - 1] == '*') {
        return address.len >= len - 1 && memcmp(address.ptr, pattern, len - 1) == 0;
    }
    return span_is(address, (struct span){ pattern, len });
}

bool directory_interest_add(struct directory *self, struct span who, struct span pattern, bool is_topic)
{
    for (struct directory_interest *at = self->interests; at; at = at->next) {
        if (at->is_topic == is_topic && span_is_text(who, at->who) && span_is_text(pattern, at->pattern)) {
            return false;
        }
    }
    struct directory_interest *interest = mem_new(sizeof(*interest));
    text_set(interest->who, sizeof(interest->who), who);
    text_set(interest->pattern, sizeof(interest->pattern), pattern);
    interest->is_topic = is_topic;
    interest->next = self->interests;
    self->interests = interest;
    return true;
}

void directory_interest_drop(struct directory *self, struct span who)
{
    struct directory_interest **at = &self->interests;

    while (*at) {
        struct directory_interest *interest = *at;

        if (span_is_text(who, interest->who)) {
            *at = interest->next;
            free(interest);
        } else {
            at = &interest->next;
        }
    }
}

bool directory_topic_add(struct directory *self, struct span name, struct span address, const char *host)
{
    struct directory_topic **at = &self->topics;

    while (*at) {
        if (span_is_text(name, (*at)->name) && span_is_text(address, (*at)->address)) {
            return false;
        }
        at = &(*at)->next;
    }
    *at = mem_new(sizeof(**at));
    text_set((*at)->name, sizeof((*at)->name), name);
    text_set((*at)->address, sizeof((*at)->address), address);
    text_set((*at)->host, sizeof((*at)->host), span_from(host));
    return true;
}

bool directory_topic_remove(struct directory *self, struct span name, struct span address)
{
    for (struct directory_topic **at = &self->topics; *at; at = &(*at)->next) {
        struct directory_topic *topic = *at;

        if (span_is_text(name, topic->name) && span_is_text(address, topic->address)) {
            *at = topic->next;
            free(topic);
            return true;
        }
    }
    return false;
}

/*
 * setup: the configuration, and which channels there are.
 */
#include <limits.h>
#include <stdio.h>

#include "actors/hooks/hooks_state.h"
#include "bus/value.h"
#include "schema/base/hooks_transform.h"
#include "schema_gen.h"

#define CHANNEL_HEAD "channel/"

static void unserved_tell(const struct settings *settings)
{
    struct span account = span_trim(value_str(value_get(settings->gmail, "account"), (struct span){ NULL, 0 }));
    char node[PATH_MAX];

    if (settings->transforms_n && !hooks_transform_node(node)) {
        log_warning("hooks_transform_not_served",
                    "mappings=%u problem=\"a transform is a module for Node.js, which is not there: hooks of those "
                    "mappings are refused\" fix=\"" HOOKS_TRANSFORM_NODE_FIX "\"",
                    settings->transforms_n);
    }
    if (account.len) {
        log_warning("hooks_gmail_not_watched",
                    "problem=\"hooks.gmail.account is set, and this gateway does not start the program that watches a "
                    "mailbox\" fix=\"run gog gmail watch serve beside it, with the address of /hooks/gmail\"");
    }
}

int on_config_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct hooks *self = arg;
    const struct msg_config_update *in = msg;
    int r = settings_read(&self->settings, value_get(in->config, "hooks"), value_get(in->config, "agents"));

    if (r) {
        return r;
    }
    self->has_settings = true;
    actor_status(self->actor, "");
    if (value_bool(value_path(in->config, "hooks.enabled"), false)) {
        unserved_tell(&self->settings);
    }
    r = dispatch_pump(self);
    return r ? r : config_follow_applied(ctx, msg);
}

static void on_config_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct hooks *self = state;
    int r = config_follow_life(&self->follow, life);

    (void)address;
    if (r) {
        (void)actor_fault(actor, r); /* the loop ends after this turn */
    }
}

static void on_channel_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct hooks *self = state;

    (void)actor;
    for (size_t i = 0; i < self->channels_n; i++) {
        if (span_is_text(address, self->channels[i])) {
            memmove(self->channels[i], self->channels[--self->channels_n], ACTOR_ADDRESS_MAX);
            break;
        }
    }
    if (life == ACTOR_LIFE_READY && self->channels_n < HOOKS_CHANNELS_MAX && address.len < ACTOR_ADDRESS_MAX) {
        (void)snprintf(self->channels[self->channels_n++], ACTOR_ADDRESS_MAX, "%.*s", SPAN_FMT(address));
    }
}

/* The type in "channel/<type>/<account>". */
static struct span type_of(const char *address)
{
    const char *type = address + sizeof(CHANNEL_HEAD) - 1;

    return (struct span){ type, strcspn(type, "/") };
}

static bool is_deliverable(struct span type)
{
    return type.len && !span_is_text(type, "webchat");
}

const char *setup_channel(const struct hooks *self, const char *type)
{
    if (!is_deliverable(span_from(type))) {
        return NULL;
    }
    for (size_t i = 0; i < self->channels_n; i++) {
        if (span_is_text(type_of(self->channels[i]), type)) {
            return self->channels[i];
        }
    }
    return NULL;
}

static bool is_first(const struct hooks *self, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (span_is(type_of(self->channels[i]), type_of(self->channels[at]))) {
            return false;
        }
    }
    return true;
}

void setup_channels_say(const struct hooks *self, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "channel must be last");

    for (size_t i = 0; i < self->channels_n; i++) {
        struct span type = type_of(self->channels[i]);

        if (is_deliverable(type) && is_first(self, i) && len + type.len + 2 < size) {
            len += (size_t)snprintf(out + len, size - len, "|%.*s", SPAN_FMT(type));
        }
    }
}

int setup_open(struct hooks *self)
{
    int r;

    actor_status(self->actor, "waiting for config");
    config_follow_open(&self->follow, self->actor);
    r = actor_watch(self->actor, "config", on_config_life);
    return r ? r : actor_watch(self->actor, CHANNEL_HEAD "*", on_channel_life);
}

void setup_close(struct hooks *self)
{
    config_follow_close(&self->follow);
}

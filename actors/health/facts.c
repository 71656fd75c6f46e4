/*
 * facts: see facts.h.
 */
#include "actors/health/facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"

const char *facts_life_name(enum facts_life life)
{
    static const char *const names[] = {
        "absent", "starting", "ready", "backoff", "gave_up", "stopped", "unresponsive"
    };

    return (size_t)life < sizeof(names) / sizeof(names[0]) ? names[life] : "unknown";
}

void facts_init(struct facts *self)
{
    *self = (struct facts){ .default_agent = "main", .main_key = "main", .main_session_key = "agent:main:main" };
    self->actors = mem_new(FACTS_ACTORS_MAX * sizeof(*self->actors));
    self->channels = mem_new(FACTS_CHANNELS_MAX * sizeof(*self->channels));
}

static void agents_free(struct facts_agent *agents, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(agents[i].sessions.bytes);
        free(agents[i].state.bytes);
    }
    free(agents);
}

void facts_deinit(struct facts *self)
{
    agents_free(self->agents, self->agents_n);
    for (size_t i = 0; i < self->channels_n; i++) {
        free(self->channels[i].state.bytes);
    }
    free(self->channels);
    free(self->beats.bytes);
    free(self->actors);
    *self = (struct facts){ 0 };
}

static void text_copy(char *to, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;

    if (len) {
        memcpy(to, text.ptr, len);
    }
    to[len] = '\0';
}

/* --- lives ------------------------------------------------------------------------------ */

static struct facts_actor *actor_find(const struct facts *self, struct span address)
{
    for (size_t i = 0; i < self->actors_n; i++) {
        if (span_is_text(address, self->actors[i].address)) {
            return &self->actors[i];
        }
    }
    return NULL;
}

static struct facts_actor *actor_make(struct facts *self, struct span address)
{
    struct facts_actor *row;

    if (self->actors_n == FACTS_ACTORS_MAX || address.len >= FACTS_ADDRESS_MAX) {
        return NULL;
    }
    row = &self->actors[self->actors_n++];
    *row = (struct facts_actor){ .life = FACTS_LIFE_ABSENT };
    memcpy(row->address, address.ptr, address.len);
    return row;
}

/* The words of a life that has ended stay while the next one only starts. */
static bool why_set(struct facts_actor *row, enum facts_life life, struct span why)
{
    if ((life == FACTS_LIFE_STARTING && !why.len) || span_is_text(why, row->why)) {
        return false;
    }
    text_copy(row->why, sizeof(row->why), why);
    return true;
}

bool facts_life_set(struct facts *self, struct span address, enum facts_life life, struct span why, int64_t now_ms)
{
    struct facts_actor *row = actor_find(self, address);
    bool is_new_why;
    /* A host of another machine that was denied, has ended, or never came is not gone on purpose; nor are its actors,
     * whose words begin with it. */
    bool is_lost =
        span_starts(why, "host ") || (life == FACTS_LIFE_STOPPED && span_starts(address, "host/") && why.len);

    if ((life == FACTS_LIFE_ABSENT || life == FACTS_LIFE_STOPPED) && !is_lost) {
        if (row) {
            *row = self->actors[--self->actors_n]; /* taken out on purpose; it may come again as new */
        }
        return row != NULL;
    }
    row = row ? row : actor_make(self, address);
    if (!row) {
        return false;
    }
    is_new_why = why_set(row, life, why);
    if (row->life == life) {
        return is_new_why;
    }
    row->restarts_n += life == FACTS_LIFE_BACKOFF || life == FACTS_LIFE_GAVE_UP;
    row->life = life;
    row->since_ms = now_ms;
    return true;
}

bool facts_is_ready(const struct facts *self, const char *address)
{
    const struct facts_actor *row = actor_find(self, span_from(address));

    return row && row->life == FACTS_LIFE_READY;
}

/* --- answers ------------------------------------------------------------------------------ */

void facts_answer_set(struct facts_answer *self, struct span bytes, int64_t now_ms)
{
    char *copy = malloc(bytes.len + 1);

    if (!copy) {
        facts_answer_fail(self, SPAN_LIT("out of memory"));
        return;
    }
    if (bytes.len) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    free(self->bytes);
    *self = (struct facts_answer){ .bytes = copy, .len = bytes.len, .at_ms = now_ms };
}

void facts_answer_fail(struct facts_answer *self, struct span why)
{
    snprintf(self->why, sizeof(self->why), "%.*s", (int)(why.len ? why.len : 9), why.len ? why.ptr : "no answer");
}

struct span facts_answer_span(const struct facts_answer *self)
{
    return (struct span){ self->bytes, self->len };
}

struct span facts_beat(const struct facts *self, const char *agent_id)
{
    return value_get(value_get(facts_answer_span(&self->beats), "agents"), agent_id);
}

bool facts_has_beats(const struct facts *self)
{
    const struct facts_actor *scheduler = actor_find(self, SPAN_LIT("scheduler"));

    return self->beats.at_ms ||
           !(scheduler && (scheduler->life == FACTS_LIFE_STARTING || scheduler->life == FACTS_LIFE_READY));
}

/* --- agents -------------------------------------------------------------------------------- */

static struct span text_of(struct span map, const char *key)
{
    return value_str(value_get(map, key), (struct span){ 0 });
}

/* What was known of the agent moves over. */
static void agent_inherit(struct facts *self, struct facts_agent *agent)
{
    for (size_t i = 0; i < self->agents_n; i++) {
        struct facts_agent *before = &self->agents[i];

        if (strcmp(before->id, agent->id) == 0) {
            agent->sessions = before->sessions;
            agent->state = before->state;
            before->sessions.bytes = before->state.bytes = NULL;
            return;
        }
    }
}

int facts_agents_set(struct facts *self, struct span list)
{
    struct value_iter it = value_iter(value_get(list, "agents"));
    uint32_t count = value_count(value_get(list, "agents"));
    struct facts_agent *agents = calloc(count ? count : 1, sizeof(*agents));
    size_t agents_n = 0;
    struct span key;
    struct span row;

    if (!agents) {
        return FAULT(-ENOMEM);
    }
    while (agents_n < FACTS_AGENTS_MAX && value_next(&it, &key, &row)) {
        struct facts_agent *agent = &agents[agents_n++];

        text_copy(agent->id, sizeof(agent->id), text_of(row, "id"));
        text_copy(agent->name, sizeof(agent->name), text_of(row, "name"));
        agent->is_default = value_bool(value_get(row, "is_default"), false);
        agent_inherit(self, agent);
    }
    agents_free(self->agents, self->agents_n);
    self->agents = agents;
    self->agents_n = agents_n;
    self->has_roster = true;
    text_copy(self->default_agent, sizeof(self->default_agent), text_of(list, "default_id"));
    text_copy(self->main_key, sizeof(self->main_key), text_of(list, "main_key"));
    text_copy(self->main_session_key, sizeof(self->main_session_key), text_of(list, "main_session_key"));
    self->is_global = span_is_text(text_of(list, "scope"), "global");
    return 0;
}

/* --- channels ------------------------------------------------------------------------------- */

struct facts_channel *facts_channel(struct facts *self, struct span address)
{
    struct facts_channel *row;

    for (size_t i = 0; i < self->channels_n; i++) {
        if (span_is_text(address, self->channels[i].address)) {
            return &self->channels[i];
        }
    }
    if (self->channels_n == FACTS_CHANNELS_MAX || address.len >= FACTS_ADDRESS_MAX) {
        return NULL;
    }
    row = &self->channels[self->channels_n++];
    *row = (struct facts_channel){ .address = "" };
    memcpy(row->address, address.ptr, address.len);
    return row;
}

void facts_channel_drop(struct facts *self, struct span address)
{
    for (size_t i = 0; i < self->channels_n; i++) {
        if (span_is_text(address, self->channels[i].address)) {
            free(self->channels[i].state.bytes);
            self->channels[i] = self->channels[--self->channels_n];
            return;
        }
    }
}

/* --- judgement ------------------------------------------------------------------------------ */

static void say(struct facts_verdict *verdict, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct facts_verdict *verdict, const char *fmt, ...)
{
    size_t len = strlen(verdict->why);
    va_list args;

    if (len + 8 >= sizeof(verdict->why)) {
        return;
    }
    if (len) {
        len += (size_t)snprintf(verdict->why + len, sizeof(verdict->why) - len, "; ");
    }
    va_start(args, fmt);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start stands above; clang 14 misses it */
    vsnprintf(verdict->why + len, sizeof(verdict->why) - len, fmt, args);
    va_end(args);
}

static bool is_needed(const struct facts *self, struct span address)
{
    return span_is_text(address, "config") || span_is_text(address, "auth") || span_is_text(address, "router") ||
           span_starts(address, "edge/") ||
           (span_starts(address, "agent/") &&
            span_is_text((struct span){ address.ptr + 6, address.len - 6 }, self->default_agent));
}

static void judge_missing(const struct facts *self, const char *address, struct facts_verdict *verdict)
{
    if (!actor_find(self, span_from(address))) {
        verdict->is_ok = false;
        say(verdict, "%s is absent", address);
    }
}

static void judge_agent(const struct facts *self, const struct facts_agent *agent, struct facts_verdict *verdict)
{
    struct span store_error = text_of(facts_answer_span(&agent->state), "store_error");
    char address[FACTS_ADDRESS_MAX];

    snprintf(address, sizeof(address), "agent/%s", agent->id);
    if (!facts_is_ready(self, address)) {
        return; /* which was said already, and explains the rest */
    }
    if (agent->state.why[0]) {
        say(verdict, "%s did not answer: %s", address, agent->state.why);
    } else if (store_error.len) {
        verdict->is_ok = false; /* it accepts nothing */
        say(verdict, "agent/%s cannot write: %.*s", agent->id, (int)(store_error.len > 160 ? 160 : store_error.len),
            store_error.ptr);
    }
}

static void judge_channel(const struct facts_channel *channel, struct facts_verdict *verdict)
{
    struct span row = facts_answer_span(&channel->state);
    struct span state = text_of(row, "state");
    int64_t unknown_n = value_i64(value_get(row, "unknown_n"), 0);
    int64_t dead_n = value_i64(value_get(row, "dead_n"), 0);

    if (channel->state.why[0]) {
        say(verdict, "%s did not answer: %s", channel->address, channel->state.why);
    } else if (row.len && !span_is_text(state, "up") && value_bool(value_get(row, "is_enabled"), true)) {
        say(verdict, "%s is %.*s", channel->address, SPAN_FMT(state));
    }
    if (unknown_n || dead_n) {
        say(verdict, "%s: %lld messages of unknown fate, %lld given up", channel->address, (long long)unknown_n,
            (long long)dead_n);
    }
}

/* These are asked how they are, and say the same there, and more. */
static bool answers_for_itself(const struct facts_actor *row)
{
    struct span address = span_from(row->address);

    return span_starts(address, "agent/") || span_starts(address, "channel/");
}

void facts_judge(const struct facts *self, struct facts_verdict *ret_verdict)
{
    struct facts_verdict *verdict = ret_verdict;
    char agent[FACTS_ADDRESS_MAX];

    *verdict = (struct facts_verdict){ .is_ok = true };
    judge_missing(self, "config", verdict);
    judge_missing(self, "auth", verdict);
    judge_missing(self, "router", verdict);
    snprintf(agent, sizeof(agent), "agent/%s", self->default_agent);
    judge_missing(self, agent, verdict);
    if (!self->has_roster) {
        verdict->is_ok = false;
        say(verdict, "the agents are not known yet");
    }
    for (size_t i = 0; i < self->actors_n; i++) {
        const struct facts_actor *row = &self->actors[i];

        if (row->life != FACTS_LIFE_READY) {
            verdict->is_ok = verdict->is_ok && !is_needed(self, span_from(row->address));
            say(verdict, "%s is %s%s%s", row->address, facts_life_name(row->life), row->why[0] ? ": " : "", row->why);
        } else if (row->why[0] && !answers_for_itself(row)) {
            say(verdict, "%s: %s", row->address, row->why);
        }
    }
    for (size_t i = 0; i < self->agents_n; i++) {
        judge_agent(self, &self->agents[i], verdict);
    }
    for (size_t i = 0; i < self->channels_n; i++) {
        judge_channel(&self->channels[i], verdict);
    }
}

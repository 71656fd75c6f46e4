/*
 * config and two actors that follow it under the addresses `log` and `auth`. A driver plays
 * the steps of the table below one after the other: it changes the config, and a check looks
 * at the answer and at what the two were sent: well (the next step follows), not yet (looked
 * at again), or wrong (the end).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/config/config.h"
#include "bus/base/clock.h"
#include "bus/host.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema/base/config_follow.h"
#include "schema_gen.h"

#define AGAIN_MS 10
#define STEP_MS 15000U
#define TEXT_MAX 2048

enum verdict {
    WELL,
    NOT_YET,
    WRONG,
};

enum mode {
    APPLY,
    ASK_FIRST, /* asks config something before it answers */
    REFUSE,
    SILENT, /* never answers */
    CRASH,  /* once */
};

/* What one of the two is to do, and what it was sent. */
struct part {
    enum mode mode;
    unsigned updates;
    unsigned applied;
    unsigned lives;
    bool is_whole;
    char paths[TEXT_MAX];
    char config[TEXT_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct part log;
    struct part auth;
    char dir[64];
    char config_path[96];
    bool is_well;
    char text[TEXT_MAX];
} told = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void text_put(char out[TEXT_MAX], struct span value)
{
    CLEANUP(text_buf_deinit) struct text_buf json = { 0 };

    out[0] = '\0';
    if (!json_from_value(value, &json)) {
        (void)snprintf(out, TEXT_MAX, "%.*s", (int)json.len, json.data);
    }
}

/* --- the two ------------------------------------------------------------------------------------------ */

struct scripted {
    struct actor *actor;
    struct part *part;
    struct config_follow follow;
    struct actor_token token;
    uint64_t version;
};

static void on_asked(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct scripted *self = arg;

    (void)cookie;
    if (!answer->failure) {
        pthread_mutex_lock(&told.lock);
        self->part->applied++;
        pthread_mutex_unlock(&told.lock);
        (void)actor_token_reply(actor, self->token, MSG_CONFIG_APPLIED,
                                &(struct msg_config_applied){ .version = self->version });
    }
}

static int ask_first(struct scripted *self, struct actor_ctx *ctx, uint64_t version)
{
    struct actor_call call = { .to = "config",
                               .msg = MSG_CONFIG_READ,
                               .in = &(struct msg_config_read){ .path = SPAN_LIT("gateway.port") },
                               .on_answer = on_asked };

    self->version = version;
    self->token = actor_defer(ctx, self);
    return actor_call(self->actor, &call, NULL);
}

static enum mode note(struct scripted *self, const struct msg_config_update *in)
{
    pthread_mutex_lock(&told.lock);
    enum mode mode = self->part->mode;
    self->part->updates++;
    self->part->is_whole = in->is_whole;
    text_put(self->part->paths, in->paths);
    text_put(self->part->config, in->config);
    self->part->applied += mode == APPLY;
    self->part->mode = mode == CRASH ? APPLY : mode;
    pthread_mutex_unlock(&told.lock);
    return mode;
}

static int on_update(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct scripted *self = arg;
    const struct msg_config_update *in = msg;

    switch (note(self, in)) {
    case ASK_FIRST:
        return ask_first(self, ctx, in->version);
    case REFUSE:
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "the level is not to my taste");
    case SILENT:
        (void)actor_defer(ctx, self);
        return 0;
    case CRASH:
        return FAULT(-EIO);
    case APPLY:
        break;
    }
    return config_follow_applied(ctx, msg);
}

static void on_config_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    struct scripted *self = arg;

    (void)address;
    if (config_follow_life(&self->follow, life)) {
        (void)actor_fault(actor, -EIO);
    }
}

static int scripted_init(void *state, struct actor *actor, const char *arg)
{
    struct scripted *self = state;

    (void)arg;
    self->actor = actor;
    self->part = strcmp(actor_address(actor), "log") == 0 ? &told.log : &told.auth;
    pthread_mutex_lock(&told.lock);
    self->part->lives++;
    pthread_mutex_unlock(&told.lock);
    config_follow_open(&self->follow, actor);
    return actor_watch(actor, "config", on_config_life);
}

static void scripted_deinit(void *state, struct actor *actor)
{
    struct scripted *self = state;

    (void)actor;
    config_follow_close(&self->follow);
}

static const struct actor_route scripted_routes[] = { { MSG_CONFIG_UPDATE, on_update, 0 } };
static const struct actor_def scripted_actor = { .name = "scripted",
                                                 .state_size = sizeof(struct scripted),
                                                 .routes = scripted_routes,
                                                 .routes_n = ARRAY_LEN(scripted_routes),
                                                 .init = scripted_init,
                                                 .deinit = scripted_deinit };

/* --- the driver ----------------------------------------------------------------------------------------- */

struct driver {
    struct actor *actor;
    size_t step;
    uint64_t step_ms; /* when it began */
    uint64_t took_ms; /* the change, until its answer */
    char answer[TEXT_MAX];
    char status[TEXT_MAX]; /* of config */
    enum actor_life life;  /* of config */
    unsigned config_lives;
    unsigned updates_before; /* of log and auth together, when the step began */
    uv_timer_t timer;
};

struct step {
    const char *what;
    enum mode log;
    enum mode auth;
    const char *patch; /* NULL: nothing is changed */
    void (*prepare)(struct driver *self);
    enum verdict (*check)(const struct driver *self); /* called with the lock */
};

static bool says(const struct driver *self, const char *word)
{
    return strstr(self->answer, word) != NULL;
}

static enum verdict both_have_all(const struct driver *self)
{
    (void)self;
    bool is_there = told.log.updates == 1 && told.auth.updates == 1;

    if (!is_there) {
        return NOT_YET;
    }
    return told.log.is_whole && strcmp(told.log.config, "{\"logging\":{\"level\":\"info\"}}") == 0 &&
                   told.auth.is_whole && strstr(told.auth.config, "FIRST") && !strstr(told.auth.config, "logging")
               ? WELL
               : WRONG;
}

/* The answer came after `log` had asked config, been answered, and said so. */
static enum verdict one_was_told_and_waited_for(const struct driver *self)
{
    return says(self, "\"ok\":true") && !says(self, "notApplied") && told.log.updates == 2 && told.log.applied == 2 &&
                   !told.log.is_whole && strcmp(told.log.paths, "[\"logging.level\"]") == 0 &&
                   strcmp(told.log.config, "{\"logging\":{\"level\":\"debug\"}}") == 0 && told.auth.updates == 1
               ? WELL
               : WRONG;
}

static enum verdict each_got_its_part(const struct driver *self)
{
    return !says(self, "notApplied") && told.log.updates == 3 && told.auth.updates == 2 &&
                   strcmp(told.log.paths, "[\"logging.level\"]") == 0 &&
                   strcmp(told.auth.paths, "[\"gateway.auth.token\"]") == 0 && strstr(told.auth.config, "SECOND") &&
                   !strstr(told.log.config, "SECOND")
               ? WELL
               : WRONG;
}

static enum verdict nobody_was_told(const struct driver *self)
{
    return says(self, "\"ok\":true") && !says(self, "notApplied") &&
                   told.log.updates + told.auth.updates == self->updates_before
               ? WELL
               : WRONG;
}

static enum verdict refusal_is_named(const struct driver *self)
{
    if (!says(self, "\"notApplied\":[{\"actor\":\"log\",\"reason\":\"the level is not to my taste\"}]")) {
        return WRONG;
    }
    return strstr(self->status, "log does not work by the config in force: the level") ? WELL : NOT_YET;
}

static enum verdict next_one_is_whole(const struct driver *self)
{
    if (says(self, "notApplied") || !told.log.is_whole || !strstr(told.log.config, "warn")) {
        return WRONG;
    }
    return self->status[0] ? NOT_YET : WELL;
}

static enum verdict crash_is_named_and_mended(const struct driver *self)
{
    if (!says(self, "\"notApplied\":[{\"actor\":\"auth\"")) {
        return WRONG;
    }
    bool is_back = told.auth.lives == 2 && told.auth.is_whole && strstr(told.auth.config, "THIRD");
    return is_back && !self->status[0] ? WELL : NOT_YET;
}

static enum verdict silence_ends_at_the_deadline(const struct driver *self)
{
    return says(self, "\"notApplied\":[{\"actor\":\"log\"") && self->took_ms >= 2500 && self->took_ms < 10000 ? WELL
                                                                                                              : WRONG;
}

static enum verdict nobody_waits_for_it_twice(const struct driver *self)
{
    return says(self, "\"notApplied\":[{\"actor\":\"log\"") && self->took_ms < 2000 ? WELL : WRONG;
}

static enum verdict it_gets_everything_later(const struct driver *self)
{
    return told.log.is_whole && strstr(told.log.config, "error") && !self->status[0] ? WELL : NOT_YET;
}

static enum verdict a_new_config_tells_all(const struct driver *self)
{
    return self->config_lives > 1 && told.log.updates + told.auth.updates >= self->updates_before + 2 &&
                   told.log.is_whole && told.auth.is_whole
               ? WELL
               : NOT_YET;
}

static void config_restart(struct driver *self)
{
    (void)actor_restart(self->actor, "config");
}

static const struct step steps[] = {
    { "who follows gets its part, whole", APPLY, APPLY, NULL, NULL, both_have_all },
    { "one is concerned, may ask config meanwhile, and is waited for", ASK_FIRST, APPLY, "{logging:{level:'debug'}}",
      NULL, one_was_told_and_waited_for },
    { "each gets its part of one change", APPLY, APPLY, "{logging:{level:'info'},gateway:{auth:{token:'SECOND'}}}",
      NULL, each_got_its_part },
    { "a change that concerns nobody is told to nobody", APPLY, APPLY, "{env:{vars:{A:'b'}}}", NULL, nobody_was_told },
    { "who refuses is named", REFUSE, APPLY, "{logging:{level:'debug'}}", NULL, refusal_is_named },
    { "and gets everything with the next change", APPLY, APPLY, "{logging:{level:'warn'}}", NULL, next_one_is_whole },
    { "who crashes is named, and gets everything when it is back", APPLY, CRASH, "{gateway:{auth:{token:'THIRD'}}}",
      NULL, crash_is_named_and_mended },
    { "who does not answer is named after a while", SILENT, APPLY, "{logging:{level:'debug'}}", NULL,
      silence_ends_at_the_deadline },
    { "nobody waits for it a second time", SILENT, APPLY, "{logging:{level:'error'}}", NULL,
      nobody_waits_for_it_twice },
    { "and it gets everything when it answers again", APPLY, APPLY, NULL, NULL, it_gets_everything_later },
    { "a config that begins anew tells all", APPLY, APPLY, NULL, config_restart, a_new_config_tells_all },
};

static void finish(struct driver *self, bool is_well)
{
    told.is_well = is_well;
    (void)snprintf(told.text, sizeof(told.text), "%.200s\nanswer %.600s\nstatus %.300s\nlog %.300s %.200s\nauth %.300s",
                   steps[self->step].what, self->answer, self->status, told.log.config, told.log.paths,
                   told.auth.config);
    host_stop();
}

static void step_begin(struct driver *self);

static void on_look(uv_timer_t *timer)
{
    struct driver *self = timer->data;

    pthread_mutex_lock(&told.lock);
    enum verdict verdict = steps[self->step].check(self);
    if (verdict == NOT_YET && clock_mono_ms() - self->step_ms > STEP_MS) {
        verdict = WRONG;
    }
    if (verdict == WRONG || (verdict == WELL && self->step + 1 == ARRAY_LEN(steps))) {
        finish(self, verdict == WELL);
    }
    bool is_next = verdict == WELL && ++self->step < ARRAY_LEN(steps);
    pthread_mutex_unlock(&told.lock);
    if (is_next) {
        step_begin(self);
    } else if (verdict == NOT_YET) {
        (void)uv_timer_start(&self->timer, on_look, AGAIN_MS, 0);
    }
}

static void answer_put(struct driver *self, const struct actor_answer *answer)
{
    if (answer->failure) {
        (void)snprintf(self->answer, sizeof(self->answer), "failure %.*s", SPAN_FMT(answer->failure->message));
    } else {
        text_put(self->answer, answer->body);
    }
}

static void on_patched(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = arg;

    (void)actor;
    (void)cookie;
    answer_put(self, answer);
    self->took_ms = clock_mono_ms() - self->step_ms;
    on_look(&self->timer);
}

static void on_got(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = arg;
    struct pack body;

    (void)cookie;
    pack_init(&body, 0);
    pack_map_begin(&body);
    pack_kv_text(&body, "raw", steps[self->step].patch);
    pack_kv_raw(&body, "baseHash", value_get(answer->body, "hash"));
    pack_map_end(&body);
    struct actor_call call = {
        .to = "config", .msg = MSG_CONFIG_PATCH, .body = pack_span(&body), .on_answer = on_patched
    };
    self->step_ms = clock_mono_ms();
    if (answer->failure || actor_call(actor, &call, NULL)) {
        answer_put(self, answer);
        finish(self, false);
    }
    pack_deinit(&body);
}

static void step_begin(struct driver *self)
{
    const struct step *step = &steps[self->step];
    struct actor_call call = { .to = "config",
                               .msg = MSG_CONFIG_GET,
                               .in = &(struct msg_config_get){ .has_client = false },
                               .on_answer = on_got };

    pthread_mutex_lock(&told.lock);
    told.log.mode = step->log;
    told.auth.mode = step->auth;
    self->updates_before = told.log.updates + told.auth.updates;
    pthread_mutex_unlock(&told.lock);
    self->answer[0] = '\0';
    self->step_ms = clock_mono_ms();
    if (step->prepare) {
        step->prepare(self);
    }
    if (!step->patch) {
        (void)uv_timer_start(&self->timer, on_look, AGAIN_MS, 0);
    } else if (actor_call(self->actor, &call, NULL)) {
        finish(self, false);
    }
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;

    (void)address;
    (void)snprintf(self->status, sizeof(self->status), "%.*s", SPAN_FMT(actor_life_status(actor)));
    self->config_lives += life == ACTOR_LIFE_READY && self->life != ACTOR_LIFE_READY;
    self->life = life;
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    (void)arg;
    self->actor = actor;
    uv_timer_init(actor_loop(actor), &self->timer);
    self->timer.data = self;
    step_begin(self);
    return actor_watch(actor, "config", on_life);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->timer, NULL);
}

static const struct actor_def driver_actor = {
    .name = "driver", .state_size = sizeof(struct driver), .init = driver_init, .deinit = driver_deinit
};

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return strcmp(address, "log") == 0 || strcmp(address, "auth") == 0 ? "scripted" : address;
}

static int state_make(void)
{
    (void)snprintf(told.dir, sizeof(told.dir), "/tmp/openclaw-followers-XXXXXX");
    if (!mkdtemp(told.dir)) {
        return 1;
    }
    (void)snprintf(told.config_path, sizeof(told.config_path), "%s/openclaw.json", told.dir);
    FILE *file = fopen(told.config_path, "w");
    if (!file) {
        return 1;
    }
    (void)fputs("{ gateway: { mode: 'local', port: 4242, auth: { token: 'FIRST' } }, logging: { level: 'info' } }",
                file);
    (void)fclose(file);
    setenv("OPENCLAW_STATE_DIR", told.dir, 1);
    setenv("OPENCLAW_CONFIG_PATH", told.config_path, 1);
    unsetenv("OPENCLAW_GATEWAY_TOKEN");
    unsetenv("OPENCLAW_GATEWAY_PORT");
    return 0;
}

int main(void)
{
    static const struct actor_def *const defs[] = { &config_actor, &scripted_actor, &driver_actor, NULL };
    struct topology topology;
    struct topology_error error;
    char command[128];

    if (state_make() ||
        topology_parse(SPAN_LIT("{hosts:{main:{actors:['log','config','auth','driver']}}}"), &topology, &error)) {
        return 1;
    }
    struct host_opts opts = { .name = "main",
                              .topology = &topology,
                              .defs = defs,
                              .registry = &schema_registry,
                              .def_of = def_of,
                              .incarnation = 1 };
    int r = host_run(&opts);
    topology_deinit(&topology);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", told.dir);
    int cleaned = system(command);
    (void)fprintf(stderr, "%s\n", told.is_well ? "ok" : told.text);
    return r || cleaned || !told.is_well;
}

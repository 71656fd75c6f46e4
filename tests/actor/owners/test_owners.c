/*
 * config, log and auth on a real bus in one process. A driver plays the steps of the
 * table below one after the other: a step asks, and its check says whether the answer is
 * what it should be (the next step follows), not yet (asked again), or wrong (the end).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/auth/auth.h"
#include "actors/config/config.h"
#include "actors/log/log.h"
#include "bus/host.h"
#include "bus/json.h"
#include "bus/value.h"
#include "schema_gen.h"

#define AGAIN_MS 10
#define NOTHING ((struct span){ 0 })

enum verdict {
    WELL,
    NOT_YET,
    WRONG,
};

struct step {
    const char *what;                     /* for whoever reads a failure */
    void (*prepare)(struct actor *actor); /* before the first asking; may be NULL */
    const char *to;
    const struct schema_msg *msg;
    const char *body; /* JSON5 */
    enum verdict (*check)(const struct actor_answer *answer);
};

struct driver {
    size_t step;
    bool is_prepared;
    bool is_auth_ready;
    uv_timer_t timer;
};

/* Told by the driver's thread before the host ends, read by main after. */
static struct {
    char dir[64];
    char config_path[96];
    bool is_well;
    char text[512];
    uint64_t generation; /* of the newest decision */
    uint64_t announced;  /* newest of the topic */
    unsigned auth_lives; /* how often auth became ready */
    uint64_t cursor;
} told;

static void config_put(const char *text)
{
    FILE *file = fopen(told.config_path, "w");

    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void config_reload(struct actor *actor)
{
    struct msg_config_reload reload = { 0 };

    (void)actor_cast(actor, "config", MSG_CONFIG_RELOAD, &reload, NULL);
}

static bool reply_is(const struct actor_answer *answer, const char *path, const char *expected)
{
    return !answer->failure && span_is_text(value_str(value_path(answer->body, path), NOTHING), expected);
}

static bool reply_holds(const struct actor_answer *answer, const char *text)
{
    CLEANUP(text_buf_deinit) struct text_buf json = { 0 };

    return !answer->failure && !json_from_value(answer->body, &json) && memmem(json.data, json.len, text, strlen(text));
}

static bool refused_with(const struct actor_answer *answer, int code, const char *detail, int64_t close_code)
{
    return answer->failure && answer->failure->code == code &&
           span_is_text(value_str(value_get(answer->failure->details, "code"), NOTHING), detail) &&
           value_i64(value_get(answer->failure->details, "_closeCode"), 0) == close_code;
}

static int64_t http_status(const struct actor_answer *answer)
{
    return answer->failure ? value_i64(value_get(answer->failure->details, "_httpStatus"), 0) : 200;
}

/* --- the checks, in the order of the table -------------------------------------------------- */

static enum verdict reads_the_port(const struct actor_answer *answer)
{
    return !answer->failure && value_i64(value_get(answer->body, "value"), 0) == 4242 ? WELL : WRONG;
}

static enum verdict reads_nothing(const struct actor_answer *answer)
{
    return !answer->failure && value_kind_of(value_get(answer->body, "value")) == VALUE_NIL ? WELL : WRONG;
}

static enum verdict shows_no_secret(const struct actor_answer *answer)
{
    return reply_is(answer, "config.gateway.auth.token", "__OPENCLAW_REDACTED__") && !reply_holds(answer, "FIRST")
               ? WELL
               : WRONG;
}

static enum verdict lists_the_model(const struct actor_answer *answer)
{
    return reply_holds(answer, "\"provider\":\"builtin\",\"id\":\"echo\"") ? WELL : WRONG;
}

static enum verdict refuses_a_token(const struct actor_answer *answer)
{
    return refused_with(answer, FAIL_INVALID_REQUEST, "AUTH_TOKEN_MISMATCH", 1008) ? WELL : WRONG;
}

static enum verdict refuses_params(const struct actor_answer *answer)
{
    return answer->failure && answer->failure->code == FAIL_INVALID_REQUEST ? WELL : WRONG;
}

static enum verdict admits_a_helper(const struct actor_answer *answer)
{
    told.generation = (uint64_t)value_i64(value_get(answer->body, "generation"), 0);
    return reply_is(answer, "role", "operator") && reply_is(answer, "method", "token") &&
                   reply_is(answer, "principal", "shared/127.0.0.1") && told.generation > 0 &&
                   reply_holds(answer, "\"scopes\":[\"operator.read\"]")
               ? WELL
               : WRONG;
}

static enum verdict admits_http(const struct actor_answer *answer)
{
    return http_status(answer) == 200 && reply_holds(answer, "operator.admin") ? WELL : WRONG;
}

static enum verdict refuses_http(const struct actor_answer *answer)
{
    return http_status(answer) == 401 ? WELL : WRONG;
}

static enum verdict refuses_http_soon(const struct actor_answer *answer)
{
    return http_status(answer) == 401 ? WELL : NOT_YET;
}

static enum verdict announced_a_generation(const struct actor_answer *answer)
{
    uint64_t now = (uint64_t)value_i64(value_get(answer->body, "generation"), 0);

    if (answer->failure || now != told.generation + 1) {
        return WRONG;
    }
    return told.announced == now ? WELL : NOT_YET; /* nothing orders what auth publishes with what it answers */
}

static enum verdict admits_by_what_is_in_force(const struct actor_answer *answer)
{
    return http_status(answer) == 200 ? WELL : WRONG;
}

static enum verdict tails_what_was_logged(const struct actor_answer *answer)
{
    if (!reply_holds(answer, "door_opened")) {
        return NOT_YET;
    }
    told.cursor = (uint64_t)value_i64(value_get(answer->body, "cursor"), 0);
    return reply_holds(answer, "repeated 2 times") && reply_holds(answer, "token=***") &&
                   !reply_holds(answer, "HUSH") && told.cursor > 0
               ? WELL
               : WRONG;
}

static enum verdict says_what_is_wrong(const struct actor_answer *answer)
{
    if (value_bool(value_get(answer->body, "valid"), true)) {
        return NOT_YET;
    }
    return reply_holds(answer, "openclaw.json:1:") &&
                   reply_is(answer, "config.gateway.auth.token", "__OPENCLAW_REDACTED__")
               ? WELL
               : WRONG;
}

static enum verdict lives_on_the_last_good_one(const struct actor_answer *answer)
{
    if (answer->failure || value_i64(value_get(answer->body, "version"), 0) != 1) {
        return NOT_YET; /* versions begin again with each life, and this was the second */
    }
    return value_i64(value_get(answer->body, "value"), 0) == 4343 ? WELL : WRONG;
}

static enum verdict kept_its_generation(const struct actor_answer *answer)
{
    return told.auth_lives < 2 ? NOT_YET : announced_a_generation(answer);
}

/* --- what happens between the steps --------------------------------------------------------------- */

static void log_some(struct actor *actor)
{
    struct msg_log_line line = { .ts_ms = 1795362742111,
                                 .level = SPAN_LIT("info"),
                                 .event = SPAN_LIT("door_opened"),
                                 .text = SPAN_LIT("token=HUSH who=cat") };

    for (int i = 0; i < 3; i++) {
        (void)actor_cast(actor, "log", MSG_LOG_LINE, &line, NULL);
    }
    line.text = SPAN_LIT("who=dog");
    (void)actor_cast(actor, "log", MSG_LOG_LINE, &line, NULL);
}

static void config_change(struct actor *actor)
{
    config_put("{ gateway: { mode: 'local', port: 4343, auth: { token: 'SECOND' } } }");
    config_reload(actor);
}

static void config_break(struct actor *actor)
{
    config_put("{ gateway: mode: 'local' }");
    config_reload(actor);
}

static void config_restart(struct actor *actor)
{
    (void)actor_restart(actor, "config");
}

static void auth_restart(struct actor *actor)
{
    (void)actor_restart(actor, "auth");
}

#define CLIENT(auth)                                                                                                   \
    "{conn_id:'c',remote:'127.0.0.1',is_loopback:true,host:'localhost',protocol:3,nonce:'n',params:{minProtocol:3,"    \
    "maxProtocol:3,client:{id:'gateway-client',mode:'backend'},scopes:['operator.read','operator.root'],auth:" auth    \
    "}}"
#define HTTP(bearer) "{remote:'127.0.0.1',is_loopback:true,path:'/v1/models',bearer:'" bearer "'}"

static const struct step steps[] = {
    { "a subtree is read", NULL, "config", MSG_CONFIG_READ, "{path:'gateway.port'}", reads_the_port },
    { "what is absent is nil", NULL, "config", MSG_CONFIG_READ, "{path:'no.such.thing'}", reads_nothing },
    { "config.get hides secrets", NULL, "config", MSG_CONFIG_GET, "{}", shows_no_secret },
    { "models.list", NULL, "config", MSG_MODELS_LIST, "{}", lists_the_model },
    { "a wrong token is refused", NULL, "auth", MSG_AUTH_CONNECT, CLIENT("{token:'WRONG'}"), refuses_a_token },
    { "params of another shape", NULL, "auth", MSG_AUTH_CONNECT,
      "{conn_id:'c',remote:'::1',is_loopback:true,protocol:3,nonce:'n',params:[1]}", refuses_params },
    { "the right token is let in", NULL, "auth", MSG_AUTH_CONNECT, CLIENT("{token:'FIRST'}"), admits_a_helper },
    { "a bearer is let in", NULL, "auth", MSG_AUTH_HTTP, HTTP("FIRST"), admits_http },
    { "a wrong bearer is not", NULL, "auth", MSG_AUTH_HTTP, HTTP("WRONG"), refuses_http },
    { "no bearer is not", NULL, "auth", MSG_AUTH_HTTP, HTTP(""), refuses_http },
    { "lines are logged", log_some, "log", MSG_LOGS_TAIL, "{}", tails_what_was_logged },
    /* GHSA-68x5-xx89-w9mm: after a reload new connections met the old auth, and the old ones lived on. */
    { "a reload voids the old token", config_change, "auth", MSG_AUTH_HTTP, HTTP("FIRST"), refuses_http_soon },
    { "and every old decision", NULL, "auth", MSG_AUTH_HTTP, HTTP("SECOND"), announced_a_generation },
    { "a broken file is explained", config_break, "config", MSG_CONFIG_GET, "{}", says_what_is_wrong },
    { "nobody follows whom the schema does not name", NULL, "config", MSG_CONFIG_FOLLOW, "{}", refuses_params },
    { "and changes nothing", NULL, "auth", MSG_AUTH_HTTP, HTTP("SECOND"), admits_by_what_is_in_force },
    { "config restarts on the last good file", config_restart, "config", MSG_CONFIG_READ, "{path:'gateway.port'}",
      lives_on_the_last_good_one },
    { "auth keeps its generation over a restart", auth_restart, "auth", MSG_AUTH_HTTP, HTTP("SECOND"),
      kept_its_generation },
};

/* --- the driver ---------------------------------------------------------------------------------------- */

static void finish(struct actor *actor, bool is_well, const struct actor_answer *answer)
{
    struct driver *self = actor_state(actor);
    CLEANUP(text_buf_deinit) struct text_buf json = { 0 };

    told.is_well = is_well;
    if (answer && answer->failure) {
        snprintf(told.text, sizeof(told.text), "%s: failure %d %.*s", steps[self->step].what, answer->failure->code,
                 SPAN_FMT(answer->failure->message));
    } else if (answer && !json_from_value(answer->body, &json)) {
        snprintf(told.text, sizeof(told.text), "%s: %.*s", steps[self->step].what, (int)json.len, json.data);
    }
    host_stop();
}

static void ask(struct actor *actor);

static void on_timer(uv_timer_t *timer)
{
    ask(timer->data);
}

static void on_answer(void *state, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    struct driver *self = state;
    bool is_restarting = answer->failure && answer->failure->code == FAIL_UNAVAILABLE;
    enum verdict verdict = is_restarting ? NOT_YET : steps[self->step].check(answer);

    (void)cookie;
    if (verdict == WRONG) {
        finish(actor, false, answer);
    } else if (verdict == NOT_YET) {
        uv_timer_start(&self->timer, on_timer, AGAIN_MS, 0);
    } else if (++self->step == ARRAY_LEN(steps)) {
        finish(actor, true, NULL);
    } else {
        self->is_prepared = false;
        ask(actor);
    }
}

static void ask(struct actor *actor)
{
    struct driver *self = actor_state(actor);
    const struct step *step = &steps[self->step];
    struct json_opts opts = { .json5 = true };
    struct json_error error;
    struct pack body;

    if (step->prepare && !self->is_prepared) {
        step->prepare(actor);
    }
    self->is_prepared = true;
    pack_init(&body, 0);
    if (json_to_pack(span_from(step->body), &opts, &body, &error)) {
        abort(); /* the table is wrong */
    }
    struct actor_call call = { .to = step->to, .msg = step->msg, .body = pack_span(&body), .on_answer = on_answer };
    if (actor_call(actor, &call, NULL)) {
        abort();
    }
    pack_deinit(&body);
}

static void on_life(void *state, struct actor *actor, struct span address, enum actor_life life)
{
    struct driver *self = state;

    (void)address;
    told.auth_lives += life == ACTOR_LIFE_READY;
    if (life == ACTOR_LIFE_READY && !self->is_auth_ready) {
        self->is_auth_ready = true;
        ask(actor);
    }
}

static int driver_init(void *state, struct actor *actor, const char *arg)
{
    struct driver *self = state;

    (void)arg;
    uv_timer_init(actor_loop(actor), &self->timer);
    self->timer.data = actor;
    return actor_watch(actor, "auth", on_life);
}

static void driver_deinit(void *state, struct actor *actor)
{
    struct driver *self = state;

    (void)actor;
    uv_close((uv_handle_t *)&self->timer, NULL);
}

static int on_generation(void *state, struct actor_ctx *ctx, const void *msg)
{
    const struct msg_auth_generation *in = msg;

    (void)state;
    (void)ctx;
    told.announced = in->generation;
    return 0;
}

static const struct actor_route driver_topics[] = {
    { MSG_AUTH_GENERATION, on_generation, 0 },
};

static const struct actor_def driver_actor = {
    .name = "driver",
    .state_size = sizeof(struct driver),
    .topics = driver_topics,
    .topics_n = ARRAY_LEN(driver_topics),
    .init = driver_init,
    .deinit = driver_deinit,
};

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return address;
}

int main(void)
{
    static const struct actor_def *const defs[] = { &config_actor, &log_actor, &auth_actor, &driver_actor, NULL };
    struct topology topology;
    struct topology_error error;
    char command[128];

    strcpy(told.dir, "/tmp/openclaw-owners-XXXXXX");
    if (!mkdtemp(told.dir)) {
        return 1;
    }
    snprintf(told.config_path, sizeof(told.config_path), "%s/openclaw.json", told.dir);
    config_put("{ gateway: { mode: 'local', port: 4242, auth: { token: 'FIRST' } } }");
    setenv("OPENCLAW_STATE_DIR", told.dir, 1);
    setenv("OPENCLAW_CONFIG_PATH", told.config_path, 1);
    unsetenv("OPENCLAW_GATEWAY_TOKEN");
    unsetenv("OPENCLAW_GATEWAY_PORT");
    /* auth and log come before what they ask for: they must be patient. */
    if (topology_parse(SPAN_LIT("{hosts:{main:{actors:['log','auth','config','driver']}}}"), &topology, &error)) {
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
    snprintf(command, sizeof(command), "rm -rf '%s'", told.dir);
    int cleaned = system(command);
    fprintf(stderr, "%s\n", told.is_well ? "ok" : told.text[0] ? told.text : "no verdict");
    return r || cleaned || !told.is_well;
}

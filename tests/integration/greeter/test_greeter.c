/*
 * The example actor is asked over the real bus: `integration_greeter inproc` runs it beside
 * its asker, `integration_greeter ipc` in a process of its own. No line of it knows which.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/host.h"
#include "bus/process.h"
#include "docs/examples/greeter/greeter.h"
#include "schema_gen.h"

/* --- the asker: greets three times, then ends the program with a verdict ------------------- */

struct asker {
    bool has_begun;
};

static void verdict(bool is_well, const char *text)
{
    FILE *file = fopen(getenv("GREETER_VERDICT"), "we");

    if (file) {
        (void)fputs(is_well ? "ok" : text, file);
        (void)fclose(file);
    }
    (void)kill(getenv("OPENCLAW_BUS_HOST") ? getppid() : getpid(), SIGTERM); /* as an operator would */
}

static void on_refusal(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    (void)arg;
    (void)actor;
    (void)cookie;
    verdict(answer->failure && answer->failure->code == FAIL_NOBODY_THERE &&
                span_is_text(answer->failure->message, "there is nobody to greet"),
            "the refusal differs");
}

static void on_invalid(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    static const struct msg_greet nobody = { .name = { "nobody", 6 } };

    (void)arg;
    (void)cookie;
    if (!answer->failure || answer->failure->code != FAIL_INVALID_REQUEST) {
        verdict(false, "a body that breaks the schema was accepted");
        return;
    }
    (void)actor_call(
        actor, &(struct actor_call){ .to = "greeter", .msg = MSG_GREET, .in = &nobody, .on_answer = on_refusal }, NULL);
}

static void on_greeting(void *arg, struct actor *actor, void *cookie, const struct actor_answer *answer)
{
    static const char blank[] = "\x81\xa4name\xa1 "; /* {"name": " "} */
    const struct msg_greeting *in = answer->msg;

    (void)arg;
    (void)cookie;
    if (answer->failure || !in || !span_is_text(in->text, "Hello, Ada!") || in->count != 1) {
        verdict(false, "the greeting differs");
        return;
    }
    (void)actor_call(
        actor,
        &(struct actor_call){
            .to = "greeter", .msg = MSG_GREET, .body = { blank, sizeof(blank) - 1 }, .on_answer = on_invalid },
        NULL);
}

/* A call to an actor that is not there fails at once, so the asker waits for its life. */
static void on_life(void *arg, struct actor *actor, struct span address, enum actor_life life)
{
    static const struct msg_greet ada = { .name = { "Ada", 3 } };
    struct asker *self = arg;

    (void)address;
    if (life == ACTOR_LIFE_READY && !self->has_begun) {
        self->has_begun = true;
        (void)actor_call(
            actor, &(struct actor_call){ .to = "greeter", .msg = MSG_GREET, .in = &ada, .on_answer = on_greeting },
            NULL);
    }
}

static int asker_init(void *arg, struct actor *actor, const char *text)
{
    (void)arg;
    (void)text;
    return actor_watch(actor, "greeter", on_life);
}

static const struct actor_def asker_actor = {
    .name = "asker",
    .state_size = sizeof(struct asker),
    .init = asker_init,
};

/* --- the program --------------------------------------------------------------------------- */

static const struct actor_def *const defs[] = { &greeter_actor, &asker_actor, NULL };
static const char one_host[] = "{ hosts: { main: { actors: ['greeter', 'asker'] } } }";
static const char two_hosts[] = "{ hosts: { main: { actors: ['asker'] }, apart: { actors: ['greeter'] } } }";

static const char *def_of(const char *address, const char **ret_arg)
{
    *ret_arg = "";
    return address;
}

static int host_main(const struct topology *topology, const char *name)
{
    const char *incarnation = getenv("OPENCLAW_BUS_INCARNATION");

    return host_run(&(struct host_opts){ .name = name ? name : "main",
                                         .topology = topology,
                                         .run_dir = getenv("OPENCLAW_BUS_RUN_DIR"),
                                         .defs = defs,
                                         .registry = &schema_registry,
                                         .def_of = def_of,
                                         .has_supervisor = name != NULL,
                                         .incarnation = incarnation ? (uint32_t)strtoul(incarnation, NULL, 10) : 1 });
}

static int process_main(struct topology *topology, char *program, const char *run_dir)
{
    char control[256];
    char *child_argv[] = { program, (char *)(uintptr_t) "ipc", NULL };

    (void)snprintf(control, sizeof(control), "%s/control.sock", run_dir);
    return process_run(&(struct process_opts){ .topology = topology,
                                               .run_dir = run_dir,
                                               .registry = &schema_registry,
                                               .child_argv = child_argv,
                                               .control_path = control });
}

static int verdict_read(const char *path)
{
    char line[128] = "";
    FILE *file = fopen(path, "re");

    if (!file || !fgets(line, sizeof(line), file)) {
        (void)fprintf(stderr, "the asker gave no verdict\n");
    }
    if (file) {
        (void)fclose(file);
    }
    (void)fprintf(stderr, "%s\n", line);
    return strcmp(line, "ok") == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool is_ipc = argc > 1 && strcmp(argv[1], "ipc") == 0;
    const char *host = getenv("OPENCLAW_BUS_HOST");
    struct topology topology;
    struct topology_error error;
    char dir[] = "/tmp/greeter-XXXXXX", path[64], command[64];
    int r;

    if (topology_parse(span_from(is_ipc ? two_hosts : one_host), &topology, &error)) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    if (host) {
        r = host_main(&topology, host);
        topology_deinit(&topology);
        return r == 0 ? 0 : 1;
    }
    if (!mkdtemp(dir)) {
        topology_deinit(&topology);
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/verdict", dir);
    (void)setenv("GREETER_VERDICT", path, 1);
    r = is_ipc ? process_main(&topology, argv[0], dir) : host_main(&topology, NULL);
    topology_deinit(&topology);
    (void)fprintf(stderr, "the program ended with %d\n", r);
    r = verdict_read(path) || r != 0;
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command); /* what stays in /tmp harms no verdict */
    return r;
}

#include "actors/hooks/transform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "schema/base/program.h"

#define ENVIRONMENT_MAX 12U
#define NO_PROCESS "no process can be started for it now"

struct transform {
    struct transform *next;
    struct transforms *owner;
    struct transform_job job;
    char node[PATH_MAX];
    char dir[PATH_MAX];
    struct text_buf input;
    struct program *program; /* NULL: it waits */
    char errors[TRANSFORM_ERRORS_MAX];
    size_t errors_len;
};

static void transform_destroy(struct transform **transform_p)
{
    struct transform *self = *transform_p;

    *transform_p = NULL;
    if (self) {
        text_buf_deinit(&self->input);
        free(self);
    }
}

static void transform_unlink(struct transform *self)
{
    struct transform **at = &self->owner->first;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    if (self->program) {
        self->owner->running_n--;
    } else {
        self->owner->waiting_n--;
    }
}

/* --- running ---------------------------------------------------------------------------------- */

static void transforms_pump(struct transforms *self);

static void on_program(void *arg, struct span output, const char *problem)
{
    struct transform *self = arg;
    struct transforms *owner = self->owner;
    struct transform_end end = { .output = output, .problem = problem, .errors = { self->errors, self->errors_len } };

    transform_unlink(self);
    self->job.on_done(self->job.arg, &end);
    transform_destroy(&self);
    transforms_pump(owner);
}

/* The last of it is what tells why. */
static void on_errors(void *arg, struct span bytes)
{
    struct transform *self = arg;
    size_t kept;

    if (bytes.len > sizeof(self->errors)) {
        bytes.ptr += bytes.len - sizeof(self->errors);
        bytes.len = sizeof(self->errors);
    }
    kept = sizeof(self->errors) - bytes.len;
    kept = kept < self->errors_len ? kept : self->errors_len;
    memmove(self->errors, self->errors + self->errors_len - kept, kept);
    memcpy(self->errors + kept, bytes.ptr, bytes.len);
    self->errors_len = kept + bytes.len;
}

/* Of our variables those that say where things are; none of the others, which may hold secrets. */
static void environment_fill(char *environment[ENVIRONMENT_MAX], size_t *ret_n)
{
    static const char *const names[] = { "PATH",    "HOME",   "USER",
                                         "LOGNAME", "LANG",   "LC_ALL",
                                         "TZ",      "TMPDIR", "NODE_EXTRA_CA_CERTS" };
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]); /* NOLINT(concurrency-mt-unsafe): set before threads start */

        if (value) {
            size_t size = strlen(names[i]) + strlen(value) + 2;

            environment[n] = mem_new(size);
            (void)snprintf(environment[n++], size, "%s=%s", names[i], value);
        }
    }
    environment[n] = NULL;
    *ret_n = n;
}

static int transform_run(struct transform *self)
{
    char *environment[ENVIRONMENT_MAX];
    size_t environment_n;
    const char *argv[] = { self->node, "--input-type=module", "--eval", transform_script, NULL };
    struct program_opts opts = { .command = self->node,
                                 .argv = (char *const *)(const void *)argv,
                                 .envp = environment,
                                 .input = { self->input.data, self->input.len },
                                 .is_input_file = true,
                                 .is_output_apart = true,
                                 .dir = self->dir,
                                 .timeout_ms = TRANSFORM_MS,
                                 .quiet_ms = TRANSFORM_MS,
                                 .output_max = TRANSFORM_OUTPUT_MAX,
                                 .on_errors = on_errors,
                                 .on_done = on_program,
                                 .arg = self };
    int r;

    environment_fill(environment, &environment_n);
    r = program_start(self->owner->loop, &opts, &self->program);
    for (size_t i = 0; i < environment_n; i++) {
        free(environment[i]);
    }
    if (!r) {
        text_buf_deinit(&self->input);
    }
    return r;
}

static struct transform *waiting_find(const struct transforms *self)
{
    struct transform *transform = self->first;

    while (transform && transform->program) {
        transform = transform->next;
    }
    return transform;
}

/* Gives the next ones their turn. One that cannot be started (no process, no descriptor, no memory) is told so. */
static void transforms_pump(struct transforms *self)
{
    struct transform *transform;

    while (!self->is_closing && self->running_n < TRANSFORM_RUNNING_MAX && (transform = waiting_find(self)) != NULL) {
        if (transform_run(transform) == 0) {
            self->waiting_n--;
            self->running_n++;
        } else {
            transform_unlink(transform);
            transform->job.on_done(transform->job.arg, &(struct transform_end){ .problem = NO_PROCESS });
            transform_destroy(&transform);
        }
    }
}

/* --- asking ------------------------------------------------------------------------------------- */

int transform_start(struct transforms *self, const struct transform_job *job, struct text_buf *input,
                    struct transform **ret_transform)
{
    CLEANUP(transform_destroy) struct transform *transform = mem_new(sizeof(*transform));
    struct transform **at = &self->first;
    int r;

    transform->owner = self;
    transform->job = *job;
    transform->input = *input;
    *input = (struct text_buf){ 0 };
    (void)snprintf(transform->node, sizeof(transform->node), "%s", job->node);
    (void)snprintf(transform->dir, sizeof(transform->dir), "%s", job->dir);
    if (self->running_n < TRANSFORM_RUNNING_MAX) {
        r = transform_run(transform);
        if (r) {
            return r;
        }
        self->running_n++;
    } else if (self->waiting_n < TRANSFORM_WAITING_MAX) {
        self->waiting_n++;
    } else {
        return TRANSFORM_E_FULL;
    }
    while (*at) {
        at = &(*at)->next;
    }
    *at = transform;
    *ret_transform = TAKE(transform);
    return 0;
}

void transform_cancel(struct transform **transform_p)
{
    struct transform *self = *transform_p;

    *transform_p = NULL;
    if (self) {
        struct transforms *owner = self->owner;

        transform_unlink(self);
        program_cancel(&self->program);
        transform_destroy(&self);
        transforms_pump(owner);
    }
}

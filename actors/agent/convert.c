#include "actors/agent/convert.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/agent/ids.h"
#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "schema/base/program.h"
#include "schema/base/program_bounds.h"
#include "schema/base/program_keeper.h"

#define MEMORY_MAX ((uint64_t)1 << 30)
#define CPU_S 20U
#define ARGV_MAX 24U
#define WORK_DIR_MAX 128U
#define NO_PROCESS "no process can be started for it now"

struct convert {
    struct convert *next;
    struct converts *owner;
    struct convert_job job;
    struct program *program; /* NULL: it waits */
    char command[PATH_MAX];
    char work_dir[WORK_DIR_MAX];
};

static void convert_unlink(struct convert *self)
{
    struct convert **at = &self->owner->first;

    while (*at != self) {
        at = &(*at)->next;
    }
    *at = self->next;
    self->owner->running_n -= self->program != NULL;
}

/* --- running ---------------------------------------------------------------------------------- */

static void converts_pump(struct converts *self);

static void on_program(void *arg, struct span output, const char *problem)
{
    struct convert *self = arg;
    struct converts *owner = self->owner;
    struct convert_job job = self->job;

    convert_unlink(self);
    free(self);
    job.on_done(job.arg, output, problem);
    converts_pump(owner);
}

static int convert_run(struct convert *self)
{
    static const struct program_bounds bounds = { .memory_bytes = MEMORY_MAX, .cpu_s = CPU_S };
    static const char *const environment[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                               "HOME=/nonexistent", NULL };
    const char *argv[ARGV_MAX] = { self->command };
    struct program_opts opts = { .command = self->command,
                                 .argv = (char *const *)(const void *)argv,
                                 .envp = (char *const *)(const void *)environment,
                                 .input = self->job.input,
                                 .is_input_file = true,
                                 .timeout_ms = CONVERT_MS,
                                 .quiet_ms = CONVERT_MS,
                                 .output_max = CONVERT_OUTPUT_MAX,
                                 .bounds = &bounds,
                                 .work_dir = self->job.makes_picture ? self->work_dir : NULL,
                                 .on_done = on_program,
                                 .arg = self };

    for (size_t i = 0; i + 2 < ARGV_MAX && self->job.argv[i]; i++) {
        argv[i + 1] = self->job.argv[i];
    }
    return program_start(self->owner->loop, &opts, &self->program);
}

static struct convert *waiting_find(const struct converts *self)
{
    struct convert *convert = self->first;

    while (convert && convert->program) {
        convert = convert->next;
    }
    return convert;
}

/* Gives the next ones their turn. One that cannot be started (no process, no descriptor, no memory) is told so. */
static void converts_pump(struct converts *self)
{
    struct convert *convert;

    while (self->running_n < CONVERTS_RUNNING_MAX && (convert = waiting_find(self)) != NULL) {
        if (convert_run(convert) == 0) {
            self->running_n++;
        } else {
            struct convert_job job = convert->job;

            convert_unlink(convert);
            free(convert);
            job.on_done(job.arg, (struct span){ 0 }, NO_PROCESS);
        }
    }
}

/* --- asking ------------------------------------------------------------------------------------- */

static void work_dir_name(char path[WORK_DIR_MAX])
{
    const char *base = getenv("TMPDIR");
    char id[IDS_UUID_MAX];

    ids_uuid(id);
    (void)snprintf(path, WORK_DIR_MAX, "%s/openclaw-%s",
                   base && base[0] == '/' && strlen(base) < WORK_DIR_MAX / 2 ? base : "/tmp", id); /* fits */
}

int convert_start(struct converts *self, const struct convert_job *job, char problem[CONVERT_PROBLEM_MAX],
                  struct convert **ret_convert)
{
    CLEANUP(mem_free) struct convert *convert = mem_new(sizeof(*convert));
    struct convert **at = &self->first;

    convert->owner = self;
    convert->job = *job;
    work_dir_name(convert->work_dir);
    if (!program_find(job->program, convert->command)) {
        (void)snprintf(problem, CONVERT_PROBLEM_MAX,
                       "it takes the program %s, which the machine of the gateway does not have (on Debian: apt "
                       "install %s)",
                       job->program, job->package); /* fits */
        return CONVERT_E_FAILED;
    }
    if (self->running_n < CONVERTS_RUNNING_MAX) {
        if (convert_run(convert)) {
            (void)snprintf(problem, CONVERT_PROBLEM_MAX, "%s", NO_PROCESS);
            return CONVERT_E_FAILED;
        }
        self->running_n++;
    }
    while (*at) {
        at = &(*at)->next;
    }
    *at = convert;
    *ret_convert = TAKE(convert);
    return 0;
}

void convert_cancel(struct convert **convert_p)
{
    struct convert *self = *convert_p;

    *convert_p = NULL;
    if (self) {
        struct converts *owner = self->owner;

        convert_unlink(self);
        program_cancel(&self->program);
        free(self);
        converts_pump(owner);
    }
}

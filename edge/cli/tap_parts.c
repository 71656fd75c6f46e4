#include "edge/cli/tap_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/mem.h"
#include "edge/cli/cli.h"
#include "edge/cli/cli_out.h"

#define PARTS_MAX 10000U

/* FILE.n, or FILE itself for 0. Freed by the caller. */
static char *part_path(const struct tap_parts *self, unsigned number)
{
    size_t cap = strlen(self->path) + 16;
    char *path = mem_new(cap);

    (void)snprintf(path, cap, number ? "%s.%u" : "%s", self->path, number);
    return path;
}

static bool part_exists(const struct tap_parts *self, unsigned number)
{
    CLEANUP(mem_free) char *path = part_path(self, number);

    return access(path, F_OK) == 0;
}

static int part_open(struct tap_parts *self)
{
    CLEANUP(mem_free) char *path = part_path(self, self->number);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int r = fd < 0 ? FAULT(-errno) : tap_load_new(fd, &self->load);

    if (r == TAP_LOAD_E_FOREIGN) {
        cli_err("%s is no recording of `openclaw bus tap --record`", path);
        return CLI_EXIT_FAILED;
    }
    if (r) {
        cli_err("cannot read %s: %s", path, fault_text(r));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

int tap_parts_open(struct tap_parts *self, const char *path)
{
    self->path = path;
    while (self->number < PARTS_MAX && part_exists(self, self->number + 1)) {
        self->number++;
    }
    return part_open(self);
}

static void part_close(struct tap_parts *self)
{
    struct tap_load_sums sums = tap_load_sums(self->load);
    CLEANUP(mem_free) char *path = part_path(self, self->number);

    if (sums.damaged) {
        cli_err("%s: %llu of %llu blocks are damaged and were left out", path, (unsigned long long)sums.damaged,
                (unsigned long long)sums.blocks);
    }
    if (sums.is_cut) {
        cli_err("%s ends within a block: it is still written, or whoever wrote it was killed", path);
    }
    tap_load_destroy(&self->load);
}

int tap_parts_next(struct tap_parts *self, const struct tap_filter *filter, struct tap_record *ret_record)
{
    for (;;) {
        int r = tap_load_next(self->load, filter, ret_record);

        if (r < 0) {
            cli_err("cannot read %s: %s", self->path, fault_text(r));
            return CLI_EXIT_FAILED;
        }
        if (r == 0) {
            return CLI_EXIT_OK;
        }
        part_close(self);
        if (self->number == 0) {
            self->is_end = true;
            return CLI_EXIT_OK;
        }
        self->number--;
        r = part_open(self);
        if (r) {
            return r;
        }
    }
}

void tap_parts_close(struct tap_parts *self)
{
    tap_load_destroy(&self->load);
}

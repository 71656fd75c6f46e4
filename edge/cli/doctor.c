#include "edge/cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "bus/base/mem.h"

void doctor_init(struct doctor *self, const struct cli *cli)
{
    *self = (struct doctor){ .cli = cli, .disk = { .is_secret = true }, .fresh = { .is_secret = true } };
    self->included = mem_new(DOCTOR_INCLUDED_MAX * sizeof(*self->included));
    self->findings = mem_new((DOCTOR_FINDINGS_MAX + 1) * sizeof(*self->findings)); /* the last is the spare one */
}

void doctor_deinit(struct doctor *self)
{
    text_buf_deinit(&self->disk);
    text_buf_deinit(&self->fresh);
    for (size_t i = 0; i < self->included_n; i++) {
        text_buf_deinit(&self->included[i]->disk);
        text_buf_deinit(&self->included[i]->fresh);
        free(self->included[i]);
    }
    free(self->included);
    free(self->findings);
}

struct doctor_finding *doctor_add(struct doctor *self, const char *topic, enum doctor_level level, const char *fmt, ...)
{
    bool has_room = self->n < DOCTOR_FINDINGS_MAX;
    struct doctor_finding *finding = &self->findings[has_room ? self->n : DOCTOR_FINDINGS_MAX];
    va_list args;

    self->n += has_room;
    self->left_out += !has_room;
    *finding = (struct doctor_finding){ .topic = topic, .level = level };
    va_start(args, fmt);
    (void)vsnprintf(finding->text, sizeof(finding->text), fmt, args); /* cut */
    va_end(args);
    return finding;
}

void doctor_fix_say(struct doctor_finding *finding, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(finding->fix, sizeof(finding->fix), fmt, args); /* cut */
    va_end(args);
}

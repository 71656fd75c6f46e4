/*
 * doctor_json: what the doctor found, and what it did, for programs. In the shape that the
 * original has for it, as far as both know the same.
 */
#include <stdio.h>

#include "bus/pack.h"
#include "edge/cli/doctor.h"

static void finding_pack(const struct doctor_finding *finding, struct pack *out)
{
    static const char *const severities[] = {
        [DOCTOR_NOTE] = "info", [DOCTOR_WARNING] = "warning", [DOCTOR_PROBLEM] = "error"
    };
    char check[64];

    (void)snprintf(check, sizeof(check), "core/doctor/%s", finding->topic);
    pack_map_begin(out);
    pack_kv_text(out, "checkId", check);
    pack_kv_text(out, "severity", severities[finding->level]);
    pack_kv_text(out, "message", finding->text);
    if (finding->path[0]) {
        pack_kv_text(out, "path", finding->path);
    }
    if (finding->fix[0]) {
        pack_kv_text(out, "fixHint", finding->fix);
    }
    pack_kv_bool(out, "repairable", finding->repair != NULL);
    pack_map_end(out);
}

void doctor_findings_pack(const struct doctor *self, struct pack *out)
{
    bool is_ok = true;

    for (size_t i = 0; i < self->n; i++) {
        is_ok = is_ok && self->findings[i].level != DOCTOR_PROBLEM;
    }
    pack_kv_bool(out, "ok", is_ok);
    pack_key(out, "findings");
    pack_array_begin(out);
    for (size_t i = 0; i < self->n; i++) {
        finding_pack(&self->findings[i], out);
    }
    pack_array_end(out);
    if (self->left_out) {
        pack_kv_u64(out, "leftOut", self->left_out);
    }
}

#include "edge/cli/secrets_report.h"

static const char *code_name(enum secrets_code code)
{
    static const char *const names[] = { "PLAINTEXT_FOUND", "REF_UNRESOLVED", "REF_SHADOWED", "LEGACY_RESIDUE" };

    return names[code];
}

void secrets_report_init(struct secrets_report *self)
{
    *self = (struct secrets_report){ .findings_n = 0 };
    pack_init(&self->findings, 0);
    pack_init(&self->files, 0);
    pack_array_begin(&self->findings);
    pack_array_begin(&self->files);
}

void secrets_report_deinit(struct secrets_report *self)
{
    pack_deinit(&self->findings);
    pack_deinit(&self->files);
}

int secrets_report_end(struct secrets_report *self)
{
    pack_array_end(&self->findings);
    pack_array_end(&self->files);
    return pack_error(&self->findings) ? pack_error(&self->findings) : pack_error(&self->files);
}

const char *secrets_report_status(const struct secrets_report *self)
{
    return self->counts[SECRETS_REF_UNRESOLVED] ? "unresolved" : self->findings_n ? "findings" : "clean";
}

void secrets_report_tell(struct secrets_report *self, const struct secrets_finding *finding)
{
    struct pack *out = &self->findings;

    pack_map_begin(out);
    pack_kv_text(out, "code", code_name(finding->code));
    pack_kv_text(out, "severity", finding->severity);
    pack_kv_text(out, "file", finding->file);
    pack_kv_text(out, "jsonPath", finding->place);
    pack_kv_text(out, "message", finding->message);
    if (finding->provider.len) {
        pack_kv_str(out, "provider", finding->provider);
    }
    if (finding->profile.len) {
        pack_kv_str(out, "profileId", finding->profile);
    }
    pack_map_end(out);
    self->counts[finding->code]++;
    self->findings_n++;
}

#include "actors/config/view.h"

#include <stdio.h>

#include "schema/base/config_redact.h"
#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "schema/base/config_shape.h"

static void issue_pack(struct span where, const char *text, struct pack *out)
{
    pack_map_begin(out);
    pack_kv_str(out, "path", where);
    pack_kv_text(out, "message", text);
    pack_map_end(out);
}

static void unserved_pack(void *arg, const struct config_section *section)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "kept, but not served by this gateway: %s", section->later);
    issue_pack(span_from(section->name), text, arg);
}

static void warnings_pack(const struct snapshot *snapshot, struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < snapshot->secrets.n; i++) {
        const struct secret_entry *entry = &snapshot->secrets.items[i];

        if (entry->is_active && entry->is_settled && !entry->value.len) {
            issue_pack(span_from(entry->path), "the secret that this refers to is not available", out);
        } else if (entry->is_stale) {
            issue_pack(span_from(entry->path),
                       "the secret that this refers to is not available; the value of before stays in use", out);
        }
    }
    config_shape_unserved(pack_span(&snapshot->document.source), unserved_pack, out);
    if (value_bool(value_path(pack_span(&snapshot->document.resolved), "env.shellEnv.enabled"), false)) {
        issue_pack(SPAN_LIT("env.shellEnv"), "kept, but this gateway takes no variables from a login shell", out);
    }
    pack_array_end(out);
}

static void issues_pack(const struct view_issues *issues, struct pack *out)
{
    pack_key(out, "issues");
    if (*issues->text && value_count(issues->items)) {
        pack_raw(out, issues->items);
    } else {
        pack_array_begin(out);
        if (*issues->text) {
            issue_pack(SPAN_LIT(""), issues->text, out);
        }
        pack_array_end(out);
    }
    if (*issues->text && issues->left_out) {
        pack_kv_u64(out, "issuesHiddenCount", issues->left_out);
    }
}

void view_pack(const struct snapshot *snapshot, const char *path, const struct view_issues *issues, struct pack *out)
{
    CLEANUP(pack_deinit) struct pack source;
    CLEANUP(pack_deinit) struct pack resolved;
    CLEANUP(pack_deinit) struct pack effective;

    pack_init(&source, 0);
    pack_init(&resolved, 0);
    pack_init(&effective, 0);
    bool has_secrets = config_redact(pack_span(&snapshot->document.source), &source);
    config_redact(pack_span(&snapshot->document.resolved), &resolved);
    config_redact(pack_span(&snapshot->effective), &effective);

    pack_map_begin(out);
    pack_kv_text(out, "path", path);
    pack_kv_bool(out, "exists", snapshot->document.is_present);
    pack_key(out, "raw");
    if (has_secrets || !snapshot->document.is_present) {
        pack_nil(out); /* a text cannot be redacted without losing its comments */
    } else {
        pack_str(out, config_document_text(&snapshot->document));
    }
    pack_kv_raw(out, "parsed", pack_span(&source));
    pack_kv_raw(out, "sourceConfig", pack_span(&source));
    pack_kv_raw(out, "resolved", pack_span(&resolved));
    pack_kv_bool(out, "valid", !*issues->text);
    pack_kv_raw(out, "runtimeConfig", pack_span(&effective));
    pack_kv_raw(out, "config", pack_span(&effective));
    if (snapshot->document.is_present) {
        pack_kv_text(out, "hash", snapshot->document.hash);
    }
    issues_pack(issues, out);
    pack_key(out, "warnings");
    warnings_pack(snapshot, out);
    pack_key(out, "legacyIssues");
    pack_array_begin(out);
    pack_array_end(out);
    pack_map_end(out);
}

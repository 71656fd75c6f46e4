#include "edge/cli/secrets_residue.h"

#include <stdio.h>

#include "bus/value.h"
#include "edge/cli/secrets_known.h"
#include "schema/base/dotenv.h"
#include "schema/base/secret_ref.h"

#define NOTHING ((struct span){ 0 })

struct look {
    struct secrets_report *report;
    const char *file;
};

/* --- models.json, which is generated --------------------------------------------------------------------------- */

struct value_at {
    struct span value;
    const char *place;
    struct span provider;
    bool is_secret; /* by its name */
    bool is_marker; /* says where the secret is */
};

static void generated_look(const struct look *self, const struct value_at *at)
{
    struct secret_ref ref;
    struct span text = secrets_known_trimmed(value_str(at->value, NOTHING));
    bool is_ref = value_kind_of(at->value) == VALUE_MAP && secret_ref_read(at->value, NOTHING, &ref);

    if (is_ref) {
        secrets_report_tell(self->report,
                            &(struct secrets_finding){
                                .file = self->file,
                                .code = SECRETS_REF_UNRESOLVED,
                                .severity = "error",
                                .place = at->place,
                                .message = "A generated file holds a reference, which nobody resolves there: have "
                                           "the file generated anew.",
                                .provider = at->provider });
    } else if (text.len && at->is_secret && !at->is_marker) {
        secrets_report_tell(self->report,
                            &(struct secrets_finding){ .file = self->file,
                                                       .code = SECRETS_PLAINTEXT_FOUND,
                                                       .severity = "warn",
                                                       .place = at->place,
                                                       .message = "A generated file holds a secret in plain text.",
                                                       .provider = at->provider });
    }
}

static void generated_provider_look(const struct look *self, struct span id, struct span provider)
{
    struct value_iter it = value_iter(value_get(provider, "headers"));
    struct span key = value_get(provider, "apiKey");
    struct span name;
    struct span item;
    char place[SECRETS_MESSAGE_MAX];
    int id_len = (int)(id.len < 300 ? id.len : 300);

    (void)snprintf(place, sizeof(place), "providers.%.*s.apiKey", id_len, id.ptr);
    generated_look(self, &(struct value_at){ .value = key,
                                             .place = place,
                                             .provider = id,
                                             .is_secret = true,
                                             .is_marker = secrets_known_is_marker(value_str(key, NOTHING)) });
    while (it.is_map && value_next(&it, &name, &item)) {
        (void)snprintf(place, sizeof(place), "providers.%.*s.headers.%.*s", id_len, id.ptr,
                       (int)(name.len < 300 ? name.len : 300), name.ptr);
        generated_look(self,
                       &(struct value_at){ .value = item,
                                           .place = place,
                                           .provider = id,
                                           .is_secret = secrets_known_is_secret_header(name),
                                           .is_marker = secrets_known_is_header_marker(value_str(item, NOTHING)) });
    }
}

void secrets_residue_models(struct secrets_report *report, const char *file, struct span doc)
{
    struct value_iter it = value_iter(value_get(doc, "providers"));
    struct span id;
    struct span provider;

    while (it.is_map && value_next(&it, &id, &provider)) {
        generated_provider_look(&(struct look){ report, file }, id, provider);
    }
}

/* --- auth.json of old releases -------------------------------------------------------------------------------- */

void secrets_residue_legacy(struct secrets_report *report, const char *file, struct span doc)
{
    struct value_iter it = value_iter(doc);
    char place[SECRETS_MESSAGE_MAX];
    struct span id;
    struct span entry;

    while (it.is_map && value_next(&it, &id, &entry)) {
        if (span_is_text(value_str(value_get(entry, "type"), NOTHING), "api_key") &&
            secrets_known_trimmed(value_str(value_get(entry, "key"), NOTHING)).len) {
            (void)snprintf(place, sizeof(place), "%.*s", (int)(id.len < 500 ? id.len : 500), id.ptr);
            secrets_report_tell(
                report, &(struct secrets_finding){ .file = file,
                                                   .code = SECRETS_LEGACY_RESIDUE,
                                                   .severity = "warn",
                                                   .place = place,
                                                   .message = "A file of an old release still holds an API key.",
                                                   .provider = id });
        }
    }
}

/* --- .env --------------------------------------------------------------------------------------------------------- */

static void on_variable(void *arg, const struct dotenv_item *item)
{
    const struct look *self = arg;
    char place[SECRETS_MESSAGE_MAX];
    char message[SECRETS_MESSAGE_MAX];

    if (!item->value[0] || !secrets_known_is_variable(span_from(item->name))) {
        return;
    }
    (void)snprintf(place, sizeof(place), "$env.%.300s", item->name);
    (void)snprintf(message, sizeof(message), "%.300s is a variable for secrets, and its value stands in a file.",
                   item->name);
    secrets_report_tell(self->report, &(struct secrets_finding){ .file = self->file,
                                                                 .code = SECRETS_PLAINTEXT_FOUND,
                                                                 .severity = "warn",
                                                                 .place = place,
                                                                 .message = message });
}

void secrets_residue_env(struct secrets_report *report, const char *file, struct span text)
{
    struct look look = { report, file };

    dotenv_walk(text, on_variable, &look);
}

#include "schema/base/secret_check.h"

#include <stdio.h>
#include <string.h>

#include "bus/value.h"
#include "schema/base/config_edit.h"
#include "schema/base/secret_ref.h"
#include "schema/base/secret_target.h"

#define NOTHING ((struct span){ 0 })

struct check {
    struct span doc;
    void (*on)(void *arg, const struct config_shape_issue *issue);
    void *arg;
    unsigned issues;
};

static void tell(struct check *self, const struct json5_step *steps, size_t steps_n, const char *text)
{
    struct config_shape_issue issue = { .steps = steps, .steps_n = steps_n, .where_n = steps_n };

    self->issues++;
    (void)snprintf(issue.message, sizeof(issue.message), "%s", text);
    self->on(self->arg, &issue);
}

/* --- references --------------------------------------------------------------------------------------- */

/* What config.get shows in place of a secret: everybody knows it. */
static bool is_marker(struct span value)
{
    struct span text = value_str(value, SPAN_LIT(""));

    return memmem(text.ptr, text.len, CONFIG_REDACTED, sizeof(CONFIG_REDACTED) - 1) != NULL;
}

static void on_target(void *arg, const struct secret_target *target)
{
    struct check *self = arg;
    struct secret_ref ref;
    const char *problem = secret_target_ref(target, self->doc, &ref) ? secret_ref_problem(&ref) : NULL;
    char text[384];

    if (is_marker(target->value)) {
        tell(self, target->steps, target->steps_n,
             "Invalid secret: it is the redaction marker, which hides a secret and is none; give the value itself");
        return;
    }
    if (!target->row->is_served) {
        return;
    }
    if (problem) {
        (void)snprintf(text, sizeof(text), "Invalid reference to a secret of source \"%s\": %s",
                       secret_source_name(ref.source), problem);
        tell(self, target->steps, target->steps_n, text);
    } else if (secret_ref_is_legacy(target->value)) {
        tell(self, target->steps, target->steps_n,
             "Invalid reference to a secret: write { source: \"env\", provider: \"default\", id: \"NAME\" } instead of "
             "this marker of older releases");
    }
}

/* --- providers ---------------------------------------------------------------------------------------- */

static bool is_absolute(struct span path)
{
    return span_starts(path, "/") || span_starts(path, "~/");
}

static void provider_check(struct check *self, struct span name, struct span entry)
{
    struct json5_step steps[] = { { .key = SPAN_LIT("secrets") },
                                  { .key = SPAN_LIT("providers") },
                                  { .key = name },
                                  { .key = SPAN_LIT("command") },
                                  { .index = 0 } };
    struct span command = value_str(value_get(entry, "command"), NOTHING);
    struct value_iter it = value_iter(value_get(entry, "trustedDirs"));
    struct span key;
    struct span dir;

    if (!secret_provider_is_fit(name)) {
        tell(self, steps, 3,
             "Invalid name of a provider: it must be of a-z, 0-9, _ and -, begin with a letter, and have 64 characters "
             "at most");
    }
    if (command.len && !is_absolute(command)) {
        tell(self, steps, 4, "Invalid input: expected an absolute path");
    }
    steps[3].key = SPAN_LIT("trustedDirs");
    for (; value_next(&it, &key, &dir); steps[4].index++) {
        if (!is_absolute(value_str(dir, SPAN_LIT("/")))) {
            tell(self, steps, 5, "Invalid input: expected an absolute path");
        }
    }
}

unsigned secret_check(struct span doc, void (*on)(void *arg, const struct config_shape_issue *issue), void *arg)
{
    struct check self = { .doc = doc, .on = on, .arg = arg };
    struct value_iter it = value_iter(value_path(doc, "secrets.providers"));
    struct span name;
    struct span entry;

    secret_target_each(doc, "openclaw.json", on_target, &self);
    while (it.is_map && value_next(&it, &name, &entry)) {
        provider_check(&self, name, entry);
    }
    return self.issues;
}

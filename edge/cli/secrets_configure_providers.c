#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_prompt.h"
#include "edge/cli/secrets_ask.h"
#include "edge/cli/secrets_configure.h"
#include "edge/cli/secrets_edit.h"
#include "schema/base/secret_ref.h"

#define NOTHING ((struct span){ 0 })
#define PROVIDERS_MAX 256U

struct provider_list {
    struct cli_choice choices[PROVIDERS_MAX];
    char names[PROVIDERS_MAX][SECRET_PROVIDER_MAX + 1];
    char hints[PROVIDERS_MAX][48];
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    return strcmp(((const struct cli_choice *)a)->value, ((const struct cli_choice *)b)->value);
}

static void providers_list(const struct secrets_configure *self, struct provider_list *list)
{
    struct value_iter it = value_iter(value_path(pack_span(&self->staged_doc), "secrets.providers"));
    struct span name;
    struct span entry;

    list->n = 0;
    while (it.is_map && list->n < PROVIDERS_MAX && value_next(&it, &name, &entry)) {
        size_t i = list->n++;
        (void)snprintf(list->names[i], sizeof(list->names[i]), "%.*s", SPAN_FMT(name));
        list->choices[i] =
            (struct cli_choice){ list->names[i], secrets_ask_hint(entry, list->hints[i], sizeof(list->hints[i])) };
    }
    qsort(list->choices, list->n, sizeof(list->choices[0]), by_value);
}

static int provider_put(struct secrets_configure *self, const char *name, struct span entry)
{
    struct json5_step steps[] = { { .key = SPAN_LIT("secrets") },
                                  { .key = SPAN_LIT("providers") },
                                  { .key = span_from(name) } };
    int r = entry.len ? secrets_edit_set(&self->staged, steps, 3, entry) : secrets_edit_remove(&self->staged, steps, 3);

    return r ? secrets_configure_break(FAULT_FOLD(r)) : secrets_configure_restage(self);
}

static const char *alias_check(void *arg, const char *answer)
{
    const struct secrets_configure *self = arg;

    if (!secret_provider_is_fit(span_from(answer))) {
        return "A name is of a-z, 0-9, _ and -, begins with a letter, and has at most 64 characters.";
    }
    if (self && secret_provider_entry(pack_span(&self->staged_doc), span_from(answer)).len) {
        return "There is a provider of that name.";
    }
    return NULL;
}

static int provider_ask(struct secrets_configure *self, const char *name, struct span now)
{
    CLEANUP(secrets_edit_wipe) struct pack entry;
    CLEANUP(secrets_edit_wipe) struct pack before; /* `now` goes when the staged config is read anew */
    enum secret_source source = SECRET_SOURCE_ENV;
    unsigned preset = SECRET_SOURCES_N;

    pack_init(&entry, 0);
    pack_init(&before, 0);
    if (now.len) {
        pack_raw(&before, now);
        preset = secret_source_find(value_str(value_get(now, "source"), NOTHING), &source) ? source : preset;
    }
    if (secrets_ask_source(preset, &source) || secrets_ask_provider(source, pack_span(&before), &entry)) {
        return secrets_configure_end();
    }
    return pack_error(&entry) ? secrets_configure_break(pack_error(&entry))
                              : provider_put(self, name, pack_span(&entry));
}

static int provider_add(struct secrets_configure *self)
{
    struct cli_question question = { "Name of the provider", "default", alias_check, self };
    char name[CLI_PROMPT_ANSWER_MAX];

    return cli_prompt_text(&question, name) ? secrets_configure_end() : provider_ask(self, name, NOTHING);
}

static int provider_remove(struct secrets_configure *self, const char *name)
{
    char text[128];
    bool is_sure = false;

    (void)snprintf(text, sizeof(text), "Remove the provider \"%s\"?", name);
    if (cli_prompt_confirm(text, false, &is_sure)) {
        return secrets_configure_end();
    }
    return is_sure ? provider_put(self, name, NOTHING) : CLI_EXIT_OK;
}

int secrets_configure_providers(struct secrets_configure *self)
{
    static const struct cli_choice actions[] = {
        { "add", "a provider" }, { "continue", "on to the credentials" }, { "edit", NULL }, { "remove", NULL }
    };
    struct provider_list *list = mem_new(sizeof(*list));
    size_t action = 0;
    size_t which = 0;
    int r = CLI_EXIT_OK;

    while (!r) {
        providers_list(self, list);
        if (cli_prompt_choose(list->n ? "Secret providers" : "Secret providers (none yet: only variables can be used)",
                              actions, list->n ? 4 : 2, 1, &action)) {
            r = secrets_configure_end();
        } else if (action == 1) {
            break;
        } else if (!action) {
            r = provider_add(self);
        } else if (cli_prompt_choose("Which?", list->choices, list->n, list->n, &which)) {
            r = secrets_configure_end();
        } else {
            const char *name = list->choices[which].value;
            r = action == 2
                    ? provider_ask(self, name, secret_provider_entry(pack_span(&self->staged_doc), span_from(name)))
                    : provider_remove(self, name);
        }
    }
    free(list);
    return r;
}

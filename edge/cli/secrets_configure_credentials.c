#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_prompt.h"
#include "edge/cli/secrets_configure.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_files.h"
#include "edge/cli/secrets_known.h"
#include "edge/cli/secrets_stores.h"
#include "schema/base/secret_resolve.h"
#include "schema/base/secret_target.h"
#include "schema/base/provider_id.h"

#define NOTHING ((struct span){ 0 })
#define DONE "done"
#define NEW_PROFILE "new-profile"
#define SHOW_ALL "show-all"
#define SHOW_PRESENT "show-present"

/* --- whose profiles ------------------------------------------------------------------------------------- */

static void agents_name(const struct secrets_configure *self)
{
    struct value_iter it = value_iter(value_path(pack_span(&self->document.resolved), "agents.list"));
    char known[512] = "";
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        size_t len = strlen(known);
        (void)snprintf(known + len, sizeof(known) - len, "%s%.*s", len ? ", " : "",
                       SPAN_FMT(value_str(value_get(item, "id"), SPAN_LIT("?"))));
    }
    cli_err_more("agents: %s", known[0] ? known : "main");
}

static int agent_choose(struct secrets_configure *self)
{
    struct span config = pack_span(&self->document.resolved);
    const char *asked = cli_text(self->cli, "agent");
    struct span id = asked ? span_from(asked) : secrets_store_default_agent(config);

    if (!agent_id_normalize(id, self->agent) || !secrets_store_is_agent(config, self->agent)) {
        cli_err("there is no agent \"%s\"", asked ? asked : self->agent);
        agents_name(self);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static int profiles_open(struct secrets_configure *self)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    struct config_error error = { "" };
    char dir[PATH_MAX];
    char path[PATH_MAX];
    bool is_there = false;
    int r = agent_choose(self);

    if (r) {
        return r;
    }
    if (!secrets_store_of(self->cli->paths.state_dir, pack_span(&self->document.resolved), span_from(self->agent),
                          dir) ||
        snprintf(path, sizeof(path), "%s/auth-profiles.json", dir) >= (int)sizeof(path)) {
        return CLI_EXIT_OK; /* then there is no such file */
    }
    r = secrets_file_read(path, SECRETS_FILE_BYTES_MAX, &text, &is_there, &error);
    if (!r && is_there && secrets_edit_read((struct span){ text.data ? text.data : "", text.len }, &self->profiles)) {
        (void)snprintf(error.text, sizeof(error.text), "%.500s: is no JSON object", path);
        r = SECRETS_FILES_E_REFUSED;
    }
    if (r) {
        cli_err("%s", r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

/* --- one credential ------------------------------------------------------------------------------------- */

static bool has_source(const struct secrets_configure *self, const char *source)
{
    struct value_iter it = value_iter(value_path(pack_span(&self->staged_doc), "secrets.providers"));
    struct span key;
    struct span entry;

    while (it.is_map && value_next(&it, &key, &entry)) {
        if (span_is_text(value_str(value_get(entry, "source"), NOTHING), source)) {
            return true;
        }
    }
    return false;
}

/* The provider that is offered first for a source: the default one, else the first one, else "default". */
static void alias_offer(const struct secrets_configure *self, enum secret_source source,
                        char out[SECRET_PROVIDER_MAX + 1])
{
    struct span doc = pack_span(&self->staged_doc);
    struct value_iter it = value_iter(value_path(doc, "secrets.providers"));
    struct span chosen = secret_provider_default(doc, source);
    bool is_said = value_get(value_path(doc, "secrets.defaults"), secret_source_name(source)).len > 0;
    struct span key;
    struct span entry;

    while (!is_said && it.is_map && value_next(&it, &key, &entry)) {
        if (span_is_text(value_str(value_get(entry, "source"), NOTHING), secret_source_name(source))) {
            chosen = key;
            is_said = true;
        }
    }
    (void)snprintf(out, SECRET_PROVIDER_MAX + 1, "%.*s", SPAN_FMT(chosen));
}

static void id_offer(const struct secrets_configure *self, const struct secrets_candidate *candidate,
                     const struct secret_ref *ref, char *out, size_t out_size)
{
    char provider[PROVIDER_ID_LEN];
    struct span entry = secret_provider_entry(pack_span(&self->staged_doc), ref->provider);
    struct span offer = NOTHING;

    if (candidate->has_now && candidate->now.source == ref->source) {
        offer = candidate->now.id;
    } else if (ref->source == SECRET_SOURCE_ENV) {
        offer = secrets_known_variable_of(span_from(provider_id_normalize(candidate->provider, provider)));
    } else if (span_is_text(value_str(value_get(entry, "mode"), NOTHING), "singleValue")) {
        offer = SPAN_LIT(SECRET_SINGLE_ID);
    }
    (void)snprintf(out, out_size, "%.*s", SPAN_FMT(offer));
}

static const char *alias_check(void *arg, const char *answer)
{
    (void)arg;
    return secret_provider_is_fit(span_from(answer))
               ? NULL
               : "A name is of a-z, 0-9, _ and -, begins with a letter, and has at most 64 characters.";
}

static const char *id_check(void *arg, const char *answer)
{
    const enum secret_source *source = arg;
    struct secret_ref ref = { .source = *source, .provider = SPAN_LIT("default"), .id = span_from(answer) };

    return secret_ref_problem(&ref);
}

/* Does it lead anywhere? Tells when it does not. */
static bool ref_tried(struct secrets_configure *self, const struct secrets_candidate *candidate,
                      const struct secret_ref *ref)
{
    CLEANUP(secret_resolve_destroy) struct secret_resolve *resolve = NULL;
    struct secret_resolve_opts opts = { .doc = pack_span(&self->staged_values),
                                        .lookup = config_lookup_process(),
                                        .refs = ref,
                                        .refs_n = 1,
                                        .is_exec_skipped = !self->is_exec_allowed };
    const char *why = "it cannot be tried now";

    if (!secret_resolve_wait(&opts, &resolve)) {
        const struct secret_outcome *outcome = secret_resolve_outcome(resolve, 0);

        if (outcome->state == SECRET_SKIPPED ||
            (outcome->state == SECRET_FOUND && secret_target_takes(candidate->place.row, outcome->value))) {
            return true;
        }
        why = outcome->state == SECRET_FOUND ? "what it leads to is no text, or an empty one" : outcome->problem.text;
    }
    (void)fprintf(stderr, "It cannot be resolved: %s.\n", why);
    return false;
}

static int source_ask(const struct secrets_configure *self, const struct secrets_candidate *candidate,
                      enum secret_source *ret_source)
{
    struct cli_choice choices[SECRET_SOURCES_N] = { { "env", NULL } };
    size_t n = 1;
    size_t chosen = 0;
    size_t preset = 0;

    for (enum secret_source source = SECRET_SOURCE_FILE; source <= SECRET_SOURCE_EXEC; source++) {
        if (has_source(self, secret_source_name(source))) {
            preset = candidate->has_now && candidate->now.source == source ? n : preset;
            choices[n++] = (struct cli_choice){ secret_source_name(source), NULL };
        }
    }
    int r = cli_prompt_choose("Where is it?", choices, n, preset, &chosen);
    if (!r) {
        (void)secret_source_find(span_from(choices[chosen].value), ret_source);
    }
    return r;
}

static int credential_ask(struct secrets_configure *self, struct secrets_candidate *candidate)
{
    enum secret_source source = SECRET_SOURCE_ENV;
    char offered[SECRET_PROVIDER_MAX + 1];
    char offered_id[SECRET_ID_MAX + 1];
    char provider[CLI_PROMPT_ANSWER_MAX];
    char id[CLI_PROMPT_ANSWER_MAX];

    if (source_ask(self, candidate, &source)) {
        return secrets_configure_end();
    }
    alias_offer(self, source, offered);
    if (candidate->has_now && candidate->now.source == source) {
        (void)snprintf(offered, sizeof(offered), "%.*s", SPAN_FMT(candidate->now.provider));
    }
    if (cli_prompt_text(&(struct cli_question){ "Provider", offered, alias_check, NULL }, provider)) {
        return secrets_configure_end();
    }
    struct secret_ref ref = { .source = source, .provider = span_from(provider) };
    id_offer(self, candidate, &ref, offered_id, sizeof(offered_id));
    if (cli_prompt_text(&(struct cli_question){ "Id of the secret", offered_id, id_check, &source }, id)) {
        return secrets_configure_end();
    }
    ref.id = span_from(id);
    if (ref_tried(self, candidate, &ref)) {
        secrets_candidate_choose(candidate, source, provider, id);
    }
    return CLI_EXIT_OK;
}

static const char *profile_check(void *arg, const char *answer)
{
    size_t len = strlen(answer);

    (void)arg;
    return len && len <= 128 &&
                   strspn(answer, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:_-") == len
               ? NULL
               : "A profile's name is of letters, digits, : _ and -, at most 128.";
}

static const char *something_check(void *arg, const char *answer)
{
    (void)arg;
    return answer[0] ? NULL : "There must be something.";
}

static int profile_ask(struct secrets_configure *self)
{
    static const struct cli_choice types[] = { { "api_key", NULL }, { "token", NULL } };
    char name[CLI_PROMPT_ANSWER_MAX];
    char provider[CLI_PROMPT_ANSWER_MAX];
    size_t type = 0;

    if (cli_prompt_text(&(struct cli_question){ "Name of the profile", NULL, profile_check, NULL }, name) ||
        cli_prompt_choose("What does it hold?", types, ARRAY_LEN(types), 0, &type) ||
        cli_prompt_text(&(struct cli_question){ "Provider of models", NULL, something_check, NULL }, provider)) {
        return secrets_configure_end();
    }
    struct secrets_candidate *made = secrets_candidates_add(&self->candidates, name, types[type].value, provider);
    if (!made) {
        (void)fputs("There is no room for another one.\n", stderr);
        return CLI_EXIT_OK;
    }
    return credential_ask(self, made);
}

/* --- the list of credentials --------------------------------------------------------------------------------- */

struct menu {
    struct cli_choice choices[SECRETS_CANDIDATES_MAX + 4];
    struct secrets_candidate *of[SECRETS_CANDIDATES_MAX + 4]; /* NULL: an action */
    size_t n;
};

static void menu_add(struct menu *menu, const char *value, const char *hint, struct secrets_candidate *candidate)
{
    menu->of[menu->n] = candidate;
    menu->choices[menu->n++] = (struct cli_choice){ value, hint };
}

static void menu_fill(struct secrets_configure *self, struct menu *menu, bool shows_all)
{
    bool has_absent = false;
    bool has_chosen = false;

    menu->n = 0;
    for (size_t i = 0; i < self->candidates.n; i++) {
        struct secrets_candidate *item = self->candidates.items[i];
        const char *hint = secrets_candidate_is_profile(item) ? "auth-profiles.json" : "openclaw.json";

        has_absent |= item->is_absent;
        has_chosen |= item->is_chosen;
        hint = item->is_chosen ? "chosen" : item->is_absent ? "not there yet" : hint;
        if (shows_all || item->is_chosen || !item->is_absent) {
            menu_add(menu, item->path, hint, item);
        }
    }
    menu_add(menu, NEW_PROFILE, "a profile that does not exist yet", NULL);
    if (has_absent) {
        menu_add(menu, shows_all ? SHOW_PRESENT : SHOW_ALL,
                 shows_all ? "only what the config holds" : "also what it could hold", NULL);
    }
    if (has_chosen) {
        menu_add(menu, DONE, "check the plan", NULL);
    }
}

/* One turn; `ret_is_over` when the person says so. */
static int credential_choose(struct secrets_configure *self, struct menu *menu, bool *shows_all, bool *ret_is_over)
{
    size_t which = 0;
    bool is_more = true;
    int r;

    menu_fill(self, menu, *shows_all);
    if (cli_prompt_choose("Which credential?", menu->choices, menu->n, menu->n, &which)) {
        return secrets_configure_end();
    }
    const char *value = menu->choices[which].value;
    if (!menu->of[which] && !strcmp(value, DONE)) {
        *ret_is_over = true;
        return CLI_EXIT_OK;
    }
    if (!menu->of[which] && strcmp(value, NEW_PROFILE) != 0) {
        *shows_all = !*shows_all;
        return CLI_EXIT_OK;
    }
    r = menu->of[which] ? credential_ask(self, menu->of[which]) : profile_ask(self);
    if (!r && cli_prompt_confirm("Another credential?", true, &is_more)) {
        r = secrets_configure_end();
    }
    *ret_is_over = !is_more;
    return r;
}

int secrets_configure_credentials(struct secrets_configure *self)
{
    struct menu *menu = mem_new(sizeof(*menu));
    bool shows_all = false;
    bool is_over = false;
    int r = profiles_open(self);

    if (!r) {
        secrets_candidates_list(&self->candidates, pack_span(&self->staged_doc), pack_span(&self->profiles));
    }
    while (!r && !is_over) {
        r = credential_choose(self, menu, &shows_all, &is_over);
    }
    free(menu);
    return r;
}

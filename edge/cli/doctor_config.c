/*
 * doctor_config: the config file. All repairs of it are one text, made here and written by
 * doctor_write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/config_legacy.h"
#include "schema/base/config_path.h"
#include "edge/cli/doctor.h"
#include "edge/cli/doctor_write.h"
#include "schema/base/config_create.h"
#include "schema/base/config_edit.h"
#include "schema/base/config_mend.h"
#include "schema/base/config_shape.h"
#include "schema/base/config_store.h"
#include "schema/base/config_valid.h"
#include "schema/base/gateway_check.h"
#include "schema/base/hooks_transform.h"
#include "schema/base/json5_edit.h"
#include "schema/base/secret_provider.h"

#define PLACE_MAX 512
#define NOTHING ((struct span){ 0 })

static struct span text_span(const struct text_buf *text)
{
    return (struct span){ text->data ? text->data : "", text->len };
}

/* For another text. */
static void text_reset(struct text_buf *text)
{
    text_buf_deinit(text);
    text->is_secret = true;
}

static void text_swap(struct text_buf *text, struct text_buf *fresh)
{
    struct text_buf old = *text;

    *text = *fresh;
    *fresh = old;
}

/* Would this text be taken as the config file? */
static bool is_valid(const struct doctor *self, struct span text)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct text_buf copy = { 0 };
    struct config_error error = { "" };

    config_document_init(&document);
    return !text_buf_add(&copy, text) &&
           !config_document_build(&document, self->cli->paths.config_path, &copy, config_lookup_process(), &error) &&
           !config_valid(&document, &error, NULL);
}

/* Is it a whole one, which says what every config of a gateway does? */
static bool is_whole(const struct doctor *self, struct span text)
{
    CLEANUP(pack_deinit) struct pack doc;
    struct config_error ignored;

    pack_init(&doc, 0);
    return is_valid(self, text) && !config_file_parse(text, "", &doc, &ignored) &&
           value_path(pack_span(&doc), "gateway").len;
}

/* --- a whole text from elsewhere ---------------------------------------------------------------------- */

/* The newest copy that would do: of the last good config, else of what a write replaced. */
static bool spare_find(const struct doctor *self, struct text_buf *ret_text, char path[PATH_MAX])
{
    static const char *const names[] = { ".last-good", ".bak", ".bak.1", ".bak.2", ".bak.3", ".bak.4" };
    struct config_error ignored;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        text_reset(ret_text);
        if (snprintf(path, PATH_MAX, "%s%s", self->cli->paths.config_path, names[i]) < PATH_MAX &&
            !config_file_read(path, ret_text, &ignored) && is_whole(self, text_span(ret_text))) {
            return true;
        }
    }
    text_reset(ret_text);
    return false;
}

void doctor_config_spare(struct doctor *self, struct doctor_finding *finding)
{
    char path[PATH_MAX];

    if (!spare_find(self, &self->fresh, path)) {
        doctor_fix_say(finding, "there is no copy that could be put back: correct it by hand, or move it away and run "
                                "`openclaw setup`");
        return;
    }
    finding->repair = doctor_write_replaced;
    doctor_fix_say(finding, "put back %s; what is there now is kept beside it", path);
}

/* A line of output before the text, say. */
static bool prefix_offer(struct doctor *self, struct doctor_finding *finding)
{
    struct span text = text_span(&self->disk);

    for (size_t at = 1; at < text.len; at++) {
        struct span rest = { text.ptr + at, text.len - at };

        if (text.ptr[at] == '{' && text.ptr[at - 1] == '\n' && is_whole(self, rest)) {
            text_reset(&self->fresh);
            finding->repair = text_buf_add(&self->fresh, rest) ? NULL : doctor_write_replaced;
            doctor_fix_say(finding, "remove the %zu bytes before it; what is there now is kept beside it", at);
            return true;
        }
    }
    return false;
}

/* --- changes of the text -------------------------------------------------------------------------------------- */

static void edit_offer(struct doctor_finding *finding)
{
    finding->repair = doctor_write_edited;
}

static void on_legacy(void *arg, const char *says, bool is_done)
{
    struct doctor *self = arg;
    struct doctor_finding *finding =
        doctor_add(self, "config", is_done ? DOCTOR_PROBLEM : DOCTOR_WARNING, "of an earlier version: %s", says);

    if (is_done) {
        edit_offer(finding);
        doctor_fix_say(finding, "rewrite it: %s", says);
    }
}

static int legacy_look(struct doctor *self)
{
    CLEANUP(text_buf_deinit) struct text_buf moved = { .is_secret = true };
    int r = config_legacy_move(text_span(&self->fresh), on_legacy, self, &moved);

    if (!r) {
        text_swap(&self->fresh, &moved);
    }
    return r;
}

static int value_set(struct doctor *self, const char *place, const char *value)
{
    CLEANUP(text_buf_deinit) struct text_buf fresh = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack packed;
    struct config_path path;

    pack_init(&packed, 0);
    pack_text(&packed, value);
    int r = config_path_parse(place, &path);
    r = r ? r : json5_set(text_span(&self->fresh), path.steps, path.n, pack_span(&packed), &fresh);
    if (packed.data) {
        mem_wipe(packed.data, packed.cap);
    }
    if (!r) {
        text_swap(&self->fresh, &fresh);
    }
    return r;
}

static void mode_look(struct doctor *self, struct span doc)
{
    struct doctor_finding *finding;

    if (value_path(doc, "gateway.mode").len) {
        return;
    }
    finding = doctor_add(self, "config", DOCTOR_PROBLEM, "gateway.mode is not set, without which no gateway starts");
    if (!value_set(self, "gateway.mode", "local")) {
        edit_offer(finding);
        doctor_fix_say(finding, "set gateway.mode to \"local\"");
    }
}

/* A reference to a secret is never replaced by the secret itself. */
static void token_look(struct doctor *self, struct span doc, bool is_missing)
{
    struct span token = value_path(doc, "gateway.auth.token");
    char fresh[CONFIG_TOKEN_LEN];
    struct doctor_finding *finding;

    if (!is_missing && !self->wants_token) {
        return;
    }
    if (value_kind_of(token) == VALUE_MAP) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM,
                                  "gateway.auth.token refers to a secret, which a token made here does not replace"),
                       "see that the reference leads somewhere: openclaw secrets audit --check");
        return;
    }
    finding = doctor_add(self, "config", is_missing ? DOCTOR_PROBLEM : DOCTOR_NOTE, "%s",
                         is_missing ? "the gateway has no token to compare a client's with" : "a new token is wanted");
    if (!config_token_generate(fresh) && !value_set(self, "gateway.auth.token", fresh)) {
        edit_offer(finding);
        doctor_fix_say(finding, "put a random token into gateway.auth.token%s",
                       is_missing ? "" : "; clients that use the old one have to be told");
    }
    mem_wipe(fresh, sizeof(fresh));
}

/* --- what the text says --------------------------------------------------------------------------------------------
 */

static void on_unserved(void *arg, const struct config_section *section)
{
    char(*list)[400] = arg;
    size_t len = strlen(*list);

    (void)snprintf(*list + len, sizeof(*list) - len, "%s%s", len ? ", " : "", section->name); /* cut */
}

/* Places of texts that hide a secret, and of references to variables that are not set. */
static void values_look(struct doctor *self, struct span value, const char *place)
{
    struct value_iter it = value_iter(value);
    char inner[PLACE_MAX];
    struct span key;
    struct span item;
    bool is_set = false;

    if (span_is_text(value_str(value, NOTHING), CONFIG_REDACTED)) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM,
                                  "%s holds the marker that stands for a hidden secret, not the secret", place),
                       "openclaw config set %s SECRET", place);
        return;
    }
    if (span_is_text(value_str(value_get(value, "source"), NOTHING), "env") && value_get(value, "id").len &&
        !config_secret_resolve(value, config_lookup_process(), inner, sizeof(inner), &is_set) && is_set) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_WARNING,
                                  "%s refers to the variable %.*s, which is not set here", place,
                                  SPAN_FMT(value_str(value_get(value, "id"), NOTHING))),
                       "set it for the gateway, in its environment or in .env of the state directory");
        return;
    }
    for (size_t i = 0; value_next(&it, &key, &item); i++) {
        bool is_fit = key.ptr ? snprintf(inner, sizeof(inner), "%s%s%.*s", place, *place ? "." : "", SPAN_FMT(key)) <
                                    (int)sizeof(inner)
                              : snprintf(inner, sizeof(inner), "%s[%zu]", place, i) < (int)sizeof(inner);
        if (is_fit) {
            values_look(self, item, inner);
        }
    }
}

static void on_untrusted(void *arg, struct span name, const char *key, const char *problem)
{
    doctor_fix_say(
        doctor_add(arg, "secrets", DOCTOR_WARNING, "secrets.providers.%.*s.%s: %s", SPAN_FMT(name), key, problem),
        "its references lead nowhere until that is mended");
}

/* They were found in the repaired text; people look for them in the one that is there. */
static void issues_tell(struct doctor *self, const struct config_issues *issues)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error ignored = { "" };
    struct text_buf copy = { 0 };
    char text[DOCTOR_TEXT_MAX];

    config_document_init(&document);
    bool is_changed = self->included_n > 0 || !span_is(text_span(&self->fresh), text_span(&self->disk));
    bool is_there =
        is_changed && !text_buf_add(&copy, text_span(&self->disk)) &&
        !config_document_build(&document, self->cli->paths.config_path, &copy, config_lookup_process(), &ignored);
    for (size_t i = 0; i < config_issues_kept(issues); i++) {
        struct config_issue issue = *config_issues_at(issues, i);

        if (is_there && issue.where.file[0]) {
            config_document_find(&document, span_from(issue.place), &issue.where);
        }
        config_issue_show(&issue, text, sizeof(text));
        doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM, "%s", text),
                       "correct it by hand, or with openclaw config set");
    }
    if (config_issues_left_out(issues)) {
        doctor_fix_say(
            doctor_add(self, "config", DOCTOR_PROBLEM, "and %zu more that are wrong", config_issues_left_out(issues)),
            "openclaw doctor shows them when the others are corrected");
    }
}

/* What stands in the way of a start, in the words of a start. */
static bool start_look(struct doctor *self, struct config_document *document, bool *ret_is_secret_missing)
{
    CLEANUP(config_issues_destroy) struct config_issues *issues = config_issues_new();
    CLEANUP(gateway_config_deinit) struct gateway_config gateway = { 0 };
    struct config_lookup lookup = config_lookup_process();
    struct gateway_overrides overrides = gateway_overrides_from(lookup);
    struct config_error error = { "" };

    overrides.is_dev = self->cli->paths.is_dev;
    if (!value_path(pack_span(&document->resolved), "gateway.mode").len) {
        overrides.is_unconfigured_allowed = true; /* that it is not set is told apart */
    }
    int r = gateway_check(document, &overrides, lookup, &gateway, &error, issues);
    if (r == GATEWAY_CHECK_E_ELSEWHERE) {
        doctor_fix_say(doctor_add(self, "gateway", DOCTOR_NOTE,
                                  "gateway.mode is \"remote\": the gateway and its state are on another machine"),
                       "run the doctor there as well");
        return true;
    }
    *ret_is_secret_missing = r == GATEWAY_CHECK_E_NO_SECRET;
    if (r > 0 && !*ret_is_secret_missing) {
        issues_tell(self, issues);
    }
    return r == 0 || *ret_is_secret_missing;
}

/* A config of the original that says nothing of it meant that they are not to be served. */
static void completions_look(struct doctor *self, struct span doc)
{
    if (!value_path(doc, "gateway.http.endpoints.chatCompletions.enabled").len) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_NOTE,
                                  "POST /v1/chat/completions is served, as "
                                  "gateway.http.endpoints.chatCompletions.enabled is not set; the original gateway "
                                  "serves it only when it is true"),
                       "say which: openclaw config set gateway.http.endpoints.chatCompletions.enabled true (or false)");
    }
}

/* Parts of `hooks` that the original runs itself. */
/* The first problem is that of all mappings: one word of it is enough. */
static void transforms_look(struct doctor *self, struct span hooks)
{
    struct value_iter it = value_iter(value_get(hooks, "mappings"));
    struct span key;
    struct span mapping;
    char path[PATH_MAX];
    char dir[PATH_MAX];
    char problem[HOOKS_TRANSFORM_PROBLEM_MAX];
    const char *home = getenv("HOME"); /* NOLINT(concurrency-mt-unsafe): one thread */

    for (unsigned i = 0; value_next(&it, &key, &mapping); i++) {
        struct span transform = value_get(mapping, "transform");

        if (value_kind_of(transform) != VALUE_MAP) {
            continue;
        }
        if (!hooks_transform_node(path)) {
            doctor_fix_say(doctor_add(self, "config", DOCTOR_WARNING,
                                      "hooks.mappings[%u].transform is a module for Node.js, which is not there: its "
                                      "hooks are answered with 501",
                                      i),
                           HOOKS_TRANSFORM_NODE_FIX);
            return;
        }
        if (!hooks_transform_dir(hooks, self->cli->paths.config_path, home, dir, problem)) {
            doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM, "%s: hooks with a transform fail", problem),
                           "move the modules there, or remove hooks.transformsDir");
            return;
        }
        if (!hooks_transform_module(dir, value_str(value_get(transform, "module"), NOTHING), path, problem)) {
            doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM,
                                      "hooks.mappings[%u].transform: %s: its hooks fail", i, problem),
                           "put the module there, or remove the transform");
        }
    }
}

static void hooks_look(struct doctor *self, struct span doc)
{
    if (!value_bool(value_path(doc, "hooks.enabled"), false)) {
        return;
    }
    transforms_look(self, value_get(doc, "hooks"));
    if (value_str(value_path(doc, "hooks.gmail.account"), NOTHING).len) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_WARNING,
                                  "hooks.gmail.account is set, and this gateway does not start the program that "
                                  "watches a mailbox"),
                       "run `gog gmail watch serve` beside it, with the address of /hooks/gmail");
    }
}

static void document_look(struct doctor *self)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };
    char unserved[400] = "";
    bool is_secret_missing = false;

    config_document_init(&document);
    int r = doctor_included_build(self, &document, &error);
    if (r) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM, "%s", r < 0 ? fault_text(r) : error.text),
                       "correct it by hand");
        return;
    }
    struct span doc = pack_span(&document.resolved);
    bool is_startable = start_look(self, &document, &is_secret_missing);
    if (!self->is_token_alone) {
        mode_look(self, doc);
        completions_look(self, doc);
        hooks_look(self, doc);
        values_look(self, pack_span(&document.source), "");
        secret_provider_each_untrusted(doc, on_untrusted, self);
        config_shape_unserved(pack_span(&document.source), on_unserved, &unserved);
    }
    if (is_startable) {
        token_look(self, pack_span(&document.source), is_secret_missing);
    }
    if (unserved[0]) {
        (void)doctor_add(self, "config", DOCTOR_NOTE, "kept, and not served by this version: %s", unserved);
    }
}

/* With the repairs the config is usable, or less is wrong with it and nothing that is right now. */
static bool is_better(struct doctor *self)
{
    CLEANUP(config_document_deinit) struct config_document old;
    CLEANUP(config_document_deinit) struct config_document fresh;
    struct gateway_overrides overrides = gateway_overrides_from(config_lookup_process());
    struct config_error old_error = { "" };
    struct config_error fresh_error = { "" };
    struct text_buf copy = { .is_secret = true };

    config_document_init(&old);
    config_document_init(&fresh);
    overrides.is_dev = self->cli->paths.is_dev;
    int r = doctor_included_build(self, &fresh, &fresh_error);
    if (!r && !config_valid(&fresh, &fresh_error, NULL)) {
        return true;
    }
    bool is_loaded =
        !text_buf_add(&copy, text_span(&self->disk)) &&
        !config_document_build(&old, self->cli->paths.config_path, &copy, config_lookup_process(), &old_error);
    return config_mend_is(&(struct config_mend_side){ &old, is_loaded, &old_error },
                          &(struct config_mend_side){ &fresh, !r, &fresh_error }, &overrides, false);
}

/* Writing what would be refused helps nobody: then the rest has to be mended first. */
static void repairs_check(struct doctor *self)
{
    bool is_fine = self->fresh.data && is_better(self);

    for (size_t i = 0; i < self->n; i++) {
        struct doctor_finding *finding = &self->findings[i];
        size_t len = strlen(finding->fix);
        bool is_root = finding->repair == doctor_write_edited;
        bool is_edit = is_root || finding->repair == doctor_write_included;

        if ((is_edit && !is_fine) || (self->is_link && (is_root || finding->repair == doctor_write_replaced))) {
            finding->repair = NULL;
            finding->is_held = true;
            (void)snprintf(finding->fix + len, sizeof(finding->fix) - len, "; --fix does it once %s",
                           self->is_link ? "the link is gone" : "what only you can correct is corrected"); /* cut */
        }
    }
}

/* Half of it gone, and with it what every config of a gateway has: somebody's accident. */
static bool clobber_look(struct doctor *self)
{
    CLEANUP(text_buf_deinit) struct text_buf spare = { .is_secret = true };
    CLEANUP(pack_deinit) struct pack doc;
    char path[PATH_MAX];
    struct config_error ignored;

    pack_init(&doc, 0);
    if (config_file_parse(text_span(&self->disk), "", &doc, &ignored) ||
        value_path(pack_span(&doc), "gateway.mode").len || !spare_find(self, &spare, path) ||
        self->disk.len >= spare.len / 2) {
        return false;
    }
    doctor_config_spare(self,
                        doctor_add(self, "config", DOCTOR_PROBLEM,
                                   "%s has lost most of what it held: %zu bytes are left of %zu, and no gateway.mode",
                                   self->cli->paths.config_path, self->disk.len, spare.len));
    return true;
}

static bool disk_read(struct doctor *self)
{
    const char *path = self->cli->paths.config_path;
    struct config_error error = { "" };
    struct stat st;
    int r = config_file_read(path, &self->disk, &error);

    self->has_disk = r != CONFIG_FILE_E_ABSENT;
    self->is_link = !lstat(path, &st) && S_ISLNK(st.st_mode);
    if (self->is_link) {
        doctor_fix_say(
            doctor_add(self, "config", DOCTOR_WARNING, "%s is a symbolic link, which is never written to", path),
            "name the file itself in OPENCLAW_CONFIG_PATH");
    }
    if (r == CONFIG_FILE_E_ABSENT && self->host[0]) {
        return false; /* its config comes from the gateway */
    }
    if (r == CONFIG_FILE_E_ABSENT) {
        struct doctor_finding *finding = doctor_add(self, "config", DOCTOR_PROBLEM, "there is no config: %s", path);
        char spare[PATH_MAX];

        if (spare_find(self, &self->fresh, spare)) {
            doctor_config_spare(self, finding);
        } else {
            doctor_fix_say(finding, "`openclaw setup` makes one");
        }
    } else if (r) {
        doctor_fix_say(doctor_add(self, "config", DOCTOR_PROBLEM, "%s", r < 0 ? fault_text(r) : error.text),
                       "see that user %u can read it", (unsigned)geteuid());
    }
    return r == 0;
}

static void config_look(struct doctor *self)
{
    CLEANUP(pack_deinit) struct pack doc;
    struct config_error error = { "" };

    pack_init(&doc, 0);
    if (!disk_read(self) || clobber_look(self)) {
        return;
    }
    self->is_usable = is_valid(self, text_span(&self->disk));
    if (config_file_parse(text_span(&self->disk), self->cli->paths.config_path, &doc, &error)) {
        struct doctor_finding *finding = doctor_add(self, "config", DOCTOR_PROBLEM, "%s", error.text);

        if (!prefix_offer(self, finding)) {
            doctor_config_spare(self, finding);
        }
        return;
    }
    int r = text_buf_add(&self->fresh, text_span(&self->disk));
    if (!self->is_token_alone) {
        r = r ? r : legacy_look(self);
        r = r ? r : doctor_included_legacy(self);
        r = r ? r : doctor_unknown_look(self);
    }
    if (r) {
        (void)doctor_add(self, "config", DOCTOR_PROBLEM, "the config cannot be looked at: %s", fault_text(r));
        return;
    }
    document_look(self);
}

void doctor_config_look(struct doctor *self)
{
    config_look(self);
    repairs_check(self);
}

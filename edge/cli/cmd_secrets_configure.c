/*
 * openclaw secrets configure: asks which credentials shall become references to what, makes a
 * plan of the answers, and carries it out when that is wanted.
 */
#include <stdio.h>
#include <time.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_commands.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_prompt.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/secrets_apply.h"
#include "edge/cli/secrets_configure.h"
#include "edge/cli/secrets_edit.h"
#include "edge/cli/secrets_files.h"
#include "schema/base/config_env.h"
#include "schema/base/config_store.h"
#include "schema/base/config_valid.h"
#include "schema/base/secret_memory.h"
#include "schema/base/secret_ref.h"

static void configure_deinit(struct secrets_configure *self)
{
    secrets_candidates_deinit(&self->candidates);
    config_document_deinit(&self->document);
    secrets_text_wipe(&self->staged);
    secrets_edit_wipe(&self->staged_doc);
    secrets_edit_wipe(&self->staged_values);
    secrets_edit_wipe(&self->profiles);
    secrets_edit_wipe(&self->plan);
}

int secrets_configure_end(void)
{
    cli_err("cancelled; nothing was written");
    return CLI_EXIT_FAILED;
}

int secrets_configure_break(int fault)
{
    cli_err("%s", fault_text(fault));
    return CLI_EXIT_SOFTWARE;
}

/* --- what there is ------------------------------------------------------------------------------------- */

int secrets_configure_restage(struct secrets_configure *self)
{
    struct config_error error = { "" };

    pack_reset(&self->staged_doc);
    pack_reset(&self->staged_values);
    int r = secrets_edit_read((struct span){ self->staged.data, self->staged.len }, &self->staged_doc);
    r = r ? FAULT_FOLD(r) : r;
    r = r ? r
          : config_env_substitute(pack_span(&self->staged_doc), config_lookup_process(), &self->staged_values, &error);
    if (r > 0) {
        cli_err("%s", error.text);
        return CLI_EXIT_FAILED;
    }
    return r ? secrets_configure_break(r) : CLI_EXIT_OK;
}

static int config_open(struct secrets_configure *self)
{
    struct config_error error = { "" };
    int r = config_document_load(&self->document, self->cli->paths.config_path, config_lookup_process(), &error);

    r = r ? r : config_valid(&self->document, &error, NULL);
    if (r) {
        cli_err("the config must be valid first: %s", r < 0 ? fault_text(r) : error.text);
        return CLI_EXIT_FAILED;
    }
    r = json_from_value(pack_span(&self->document.source), &self->staged);
    return r ? secrets_configure_break(r) : secrets_configure_restage(self);
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

static size_t targets_pack(struct secrets_configure *self)
{
    size_t n = 0;

    pack_key(&self->plan, "targets");
    pack_array_begin(&self->plan);
    for (size_t i = 0; i < self->candidates.n; i++) {
        if (self->candidates.items[i]->is_chosen) {
            secrets_candidate_pack(self->candidates.items[i], self->agent, &self->plan);
            n++;
        }
    }
    pack_array_end(&self->plan);
    return n;
}

/* What of `to` is not the same in `from`; with `is_gone` the names alone, of what `from` lacks. */
static size_t differences_pack(struct span from, struct span to, bool is_gone, struct pack *out)
{
    struct value_iter it = value_iter(value_path(to, "secrets.providers"));
    struct span name;
    struct span entry;
    size_t n = 0;

    while (it.is_map && value_next(&it, &name, &entry)) {
        struct span other = secret_provider_entry(from, name);

        if (is_gone ? other.len > 0 : secrets_edit_is_same(other, entry)) {
            continue;
        }
        if (is_gone) {
            pack_str(out, name);
        } else {
            pack_key_span(out, name);
            pack_raw(out, entry);
        }
        n++;
    }
    return n;
}

static size_t providers_pack(struct secrets_configure *self)
{
    CLEANUP(secrets_edit_wipe) struct pack some;
    struct span before = pack_span(&self->document.source);
    struct span after = pack_span(&self->staged_doc);

    pack_init(&some, 0);
    pack_map_begin(&some);
    size_t upserts_n = differences_pack(before, after, false, &some);
    pack_map_end(&some);
    if (upserts_n) {
        pack_kv_raw(&self->plan, "providerUpserts", pack_span(&some));
    }
    pack_reset(&some);
    pack_array_begin(&some);
    size_t deletes_n = differences_pack(after, before, true, &some);
    pack_array_end(&some);
    if (deletes_n) {
        pack_kv_raw(&self->plan, "providerDeletes", pack_span(&some));
    }
    return upserts_n + deletes_n;
}

static int plan_make(struct secrets_configure *self)
{
    time_t seconds = (time_t)(clock_wall_ms() / 1000);
    struct tm tm = { 0 };
    char when[32];

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S.000Z", &tm);
    pack_map_begin(&self->plan);
    pack_kv_i64(&self->plan, "version", 1);
    pack_kv_i64(&self->plan, "protocolVersion", 1);
    pack_kv_text(&self->plan, "generatedAt", when);
    pack_kv_text(&self->plan, "generatedBy", "openclaw secrets configure");
    size_t n = targets_pack(self);
    n += providers_pack(self);
    pack_key(&self->plan, "options");
    pack_map_begin(&self->plan);
    pack_kv_bool(&self->plan, "scrubEnv", true);
    pack_kv_bool(&self->plan, "scrubAuthProfilesForProviderTargets", true);
    pack_kv_bool(&self->plan, "scrubLegacyAuthJson", true);
    pack_map_end(&self->plan);
    pack_map_end(&self->plan);
    if (pack_error(&self->plan)) {
        return secrets_configure_break(pack_error(&self->plan));
    }
    if (!n) {
        cli_err("nothing was chosen, so there is no plan");
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

static int plan_write(const struct secrets_configure *self, struct text_buf *text)
{
    const char *path = cli_text(self->cli, "plan-out");
    int r = path ? config_store_put(path, (struct span){ text->data, text->len }) : 0;

    if (r) {
        cli_err("the plan cannot be written to %s: %s", path, fault_text(r));
        return CLI_EXIT_FAILED;
    }
    if (path && !cli_flag(self->cli, "json")) {
        cli_out("The plan is in %s\n", path);
    }
    return CLI_EXIT_OK;
}

/* --- carrying it out ------------------------------------------------------------------------------------------------
 */

/* Is it to be carried out, by options or by word? 0 or CLI_PROMPT_E_ENDED. */
static int consent_get(const struct secrets_configure *self, bool *ret_is_wanted)
{
    bool is_json = cli_flag(self->cli, "json");
    int r = 0;

    *ret_is_wanted = cli_flag(self->cli, "apply");
    if (!*ret_is_wanted) {
        return is_json ? 0 : cli_prompt_confirm("Carry the plan out now?", true, ret_is_wanted);
    }
    if (!cli_flag(self->cli, "yes") && !is_json) {
        r = cli_prompt_confirm("The values in plain text are gone then, and no copy is kept. Go on?", true,
                               ret_is_wanted);
        if (!r && !*ret_is_wanted) {
            cli_out("Nothing was written\n");
        }
    }
    return r;
}

static int carry_out(struct secrets_configure *self, const struct secrets_plan *plan, struct pack *out)
{
    CLEANUP(secrets_result_deinit) struct secrets_result result;
    struct secrets_apply_opts opts = { .is_write = true, .is_exec_allowed = self->is_exec_allowed };

    secrets_result_init(&result);
    int r = secrets_apply(self->cli, plan, &opts, &result);
    if (r) {
        return r;
    }
    if (cli_flag(self->cli, "json")) {
        pack_key(out, "applied");
        secrets_result_pack(&result, true, out);
    } else {
        secrets_result_print(&result, true);
    }
    return CLI_EXIT_OK;
}

static int plan_finish(struct secrets_configure *self, const struct secrets_plan *plan, struct pack *out)
{
    CLEANUP(secrets_result_deinit) struct secrets_result result;
    struct secrets_apply_opts opts = { .is_exec_allowed = self->is_exec_allowed };
    bool is_wanted = false;

    secrets_result_init(&result);
    int r = secrets_apply(self->cli, plan, &opts, &result);
    if (r) {
        return r;
    }
    if (cli_flag(self->cli, "json")) {
        pack_kv_raw(out, "plan", pack_span(&self->plan));
        pack_key(out, "preflight");
        secrets_result_pack(&result, false, out);
    } else {
        secrets_result_print(&result, false);
    }
    if (consent_get(self, &is_wanted)) {
        return secrets_configure_end();
    }
    return is_wanted ? carry_out(self, plan, out) : CLI_EXIT_OK;
}

static int finish(struct secrets_configure *self)
{
    CLEANUP(secrets_text_wipe) struct text_buf text = { 0 };
    CLEANUP(secrets_plan_deinit) struct secrets_plan plan;
    CLEANUP(secrets_edit_wipe) struct pack out;
    struct config_error error = { "" };
    int r = secrets_edit_write(pack_span(&self->plan), &text);

    pack_init(&out, 0);
    pack_init(&plan.doc, 0);
    plan.targets = NULL;
    /* Through the same gate as a plan from a file. */
    r = r ? r : secrets_plan_parse((struct span){ text.data, text.len }, &plan, &error);
    if (r) {
        cli_err("no plan can be made of this: %s", r < 0 ? fault_text(r) : error.text);
        return r < 0 ? CLI_EXIT_SOFTWARE : CLI_EXIT_FAILED;
    }
    pack_map_begin(&out);
    r = plan_write(self, &text);
    r = r ? r : plan_finish(self, &plan, &out);
    pack_map_end(&out);
    return r || !cli_flag(self->cli, "json") ? r : cli_rpc_print_json(pack_span(&out));
}

static int usage_check(const struct cli *cli)
{
    if (cli_flag(cli, "providers-only") && cli_flag(cli, "skip-provider-setup")) {
        cli_err("--providers-only and --skip-provider-setup leave nothing to ask");
        return CLI_EXIT_FAILED;
    }
    if (!cli_prompt_is_possible()) {
        cli_err("this asks questions, and standard input is no terminal");
        cli_err_more("a plan that is there can be carried out with `openclaw secrets apply --from <path>`");
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

int cmd_secrets_configure(struct cli *cli)
{
    CLEANUP(configure_deinit)
    struct secrets_configure self = { .cli = cli, .is_exec_allowed = cli_flag(cli, "allow-exec") };

    config_document_init(&self.document);
    pack_init(&self.staged_doc, 0);
    pack_init(&self.staged_values, 0);
    pack_init(&self.profiles, 0);
    pack_init(&self.plan, 0);
    secret_memory_guard();
    int r = usage_check(cli);
    r = r ? r : config_open(&self);
    r = r || cli_flag(cli, "skip-provider-setup") ? r : secrets_configure_providers(&self);
    r = r || cli_flag(cli, "providers-only") ? r : secrets_configure_credentials(&self);
    r = r ? r : plan_make(&self);
    return r ? r : finish(&self);
}

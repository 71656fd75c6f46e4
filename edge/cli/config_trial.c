#include "edge/cli/config_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_refs.h"
#include "schema/base/secret_resolve.h"

#define REFS_MAX 512U

struct trial {
    struct config_writer *writer;
    const struct config_ops *ops;
    struct config_document document; /* as it would be */
    struct config_error error;       /* why it would not fit */
    struct secret_ref refs[REFS_MAX];
    size_t refs_n;
    size_t checked_n;
    size_t skipped_n;
    struct secret_resolve *resolve;
};

/* --- which references ------------------------------------------------------------------------------------ */

static void ref_add(struct trial *self, const struct secret_ref *ref)
{
    for (size_t i = 0; i < self->refs_n; i++) {
        if (secret_ref_is_same(&self->refs[i], ref)) {
            return;
        }
    }
    if (self->refs_n < REFS_MAX) {
        self->refs[self->refs_n++] = *ref;
    }
}

/* Those in `value`; of that provider alone unless it is empty. */
static void refs_find(struct trial *self, struct span value, struct span provider)
{
    struct value_iter it = value_iter(value);
    struct secret_ref ref;
    struct span key;
    struct span item;

    if (value_kind_of(value) == VALUE_MAP && secret_ref_read(value, pack_span(&self->document.source), &ref)) {
        if (!provider.len || span_is(provider, ref.provider)) {
            ref_add(self, &ref);
        }
        return;
    }
    while (value_next(&it, &key, &item)) {
        refs_find(self, item, provider);
    }
}

/* What the change names, and what else it puts to use: "${NAME}" in place of a secret, or another provider. */
static void refs_collect(struct trial *self)
{
    CLEANUP(config_refs_deinit) struct config_refs fresh = { .n = 0 };

    config_refs_find(&fresh, &self->writer->document, &self->document);
    for (size_t i = 0; i < fresh.n; i++) {
        ref_add(self, &fresh.refs[i]);
    }
    for (size_t i = 0; i < self->ops->n; i++) {
        const struct config_op *op = &self->ops->items[i];

        if (op->is_provider) {
            refs_find(self, pack_span(&self->document.source), op->path.steps[2].key);
        } else {
            refs_find(self, pack_span(&op->value), (struct span){ 0 });
        }
    }
}

/* --- the checks ------------------------------------------------------------------------------------------- */

static int shape_check(struct trial *self)
{
    CLEANUP(config_edit_deinit) struct config_edit edit = { 0 };
    int r = config_writer_make(self->writer, &edit, &self->document, &self->error);

    r = r ? r : config_writer_judge(self->writer, &self->document, &self->error);
    return r > 0 ? 0 : r;
}

static int refs_check(struct trial *self)
{
    bool is_exec_fine = cli_flag(self->writer->cli, "allow-exec");
    struct secret_resolve_opts opts = { .doc = pack_span(&self->document.resolved),
                                        .lookup = config_lookup_process(),
                                        .refs = self->refs,
                                        .refs_n = self->refs_n,
                                        .is_exec_skipped = !is_exec_fine };

    for (size_t i = 0; i < self->refs_n; i++) {
        bool is_skipped = self->refs[i].source == SECRET_SOURCE_EXEC && !is_exec_fine;

        self->skipped_n += is_skipped;
        self->checked_n += !is_skipped;
    }
    return self->refs_n ? secret_resolve_wait(&opts, &self->resolve) : 0;
}

static bool is_unresolved(const struct trial *self, size_t i)
{
    return self->resolve && secret_resolve_outcome(self->resolve, i)->state == SECRET_FAILED;
}

static size_t unresolved_count(const struct trial *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->refs_n; i++) {
        n += is_unresolved(self, i);
    }
    return n;
}

/* --- telling --------------------------------------------------------------------------------------------------- */

static void errors_pack(const struct trial *self, struct pack *out)
{
    char label[SECRET_REF_TEXT_MAX];

    pack_key(out, "errors");
    pack_array_begin(out);
    if (self->error.text[0]) {
        pack_map_begin(out);
        pack_kv_text(out, "kind", "schema");
        pack_kv_text(out, "message", self->error.text);
        pack_map_end(out);
    }
    for (size_t i = 0; i < self->refs_n; i++) {
        if (is_unresolved(self, i)) {
            secret_ref_text(&self->refs[i], label);
            pack_map_begin(out);
            pack_kv_text(out, "kind", "resolvability");
            pack_kv_text(out, "message", secret_resolve_outcome(self->resolve, i)->problem.text);
            pack_kv_text(out, "ref", label);
            pack_map_end(out);
        }
    }
    pack_array_end(out);
}

static void modes_pack(const struct trial *self, struct pack *out)
{
    pack_key(out, "inputModes");
    pack_array_begin(out);
    for (int mode = 0; mode < CONFIG_OP_MODES_N; mode++) {
        bool is_there = false;

        for (size_t i = 0; i < self->ops->n; i++) {
            is_there |= (int)self->ops->items[i].mode == mode;
        }
        if (is_there) {
            pack_text(out, config_op_mode_name((enum config_op_mode)mode));
        }
    }
    pack_array_end(out);
}

static int json_print(const struct trial *self, bool is_ok)
{
    CLEANUP(pack_deinit) struct pack out;

    pack_init(&out, 0);
    pack_map_begin(&out);
    pack_kv_bool(&out, "ok", is_ok);
    pack_kv_u64(&out, "operations", self->ops->n);
    pack_kv_text(&out, "configPath", self->writer->cli->paths.config_path);
    modes_pack(self, &out);
    pack_key(&out, "checks");
    pack_map_begin(&out);
    pack_kv_bool(&out, "schema", true);
    pack_kv_bool(&out, "resolvability", true);
    pack_kv_bool(&out, "resolvabilityComplete", !self->skipped_n && !self->error.text[0]);
    pack_map_end(&out);
    pack_kv_u64(&out, "refsChecked", self->checked_n);
    pack_kv_u64(&out, "skippedExecRefs", self->skipped_n);
    if (!is_ok) {
        errors_pack(self, &out);
    }
    pack_map_end(&out);
    int r = cli_rpc_print_json(pack_span(&out));
    return r ? r : is_ok ? CLI_EXIT_OK : CLI_EXIT_FAILED;
}

static int text_print(const struct trial *self, bool is_ok, const char *what)
{
    char label[SECRET_REF_TEXT_MAX];

    if (self->error.text[0]) {
        cli_err("%s", self->error.text);
    }
    for (size_t i = 0; i < self->refs_n; i++) {
        if (is_unresolved(self, i)) {
            secret_ref_text(&self->refs[i], label);
            cli_err("%s: %s", label, secret_resolve_outcome(self->resolve, i)->problem.text);
        }
    }
    if (!is_ok) {
        cli_err_more("config: %s; nothing was written", self->writer->cli->paths.config_path);
        return CLI_EXIT_FAILED;
    }
    cli_out("would do: %s\n", what);
    if (self->writer->left.text[0]) {
        cli_out("wrong still: ");
        cli_out_safe(span_from(self->writer->left.text), false);
        cli_out("\n");
    }
    if (self->skipped_n) {
        cli_out("not checked: %zu references to what a program knows; --allow-exec runs it\n", self->skipped_n);
    }
    return CLI_EXIT_OK;
}

int config_trial(struct config_writer *writer, const struct config_ops *ops, const char *what)
{
    struct trial *self = mem_new(sizeof(*self));

    self->writer = writer;
    self->ops = ops;
    config_document_init(&self->document);
    int r = shape_check(self);
    if (!r && !self->error.text[0]) {
        refs_collect(self);
        r = refs_check(self);
    }
    if (r) {
        cli_err("%s", fault_text(r));
        r = CLI_EXIT_SOFTWARE;
    } else {
        bool is_ok = !self->error.text[0] && !unresolved_count(self);

        r = cli_flag(writer->cli, "json") ? json_print(self, is_ok) : text_print(self, is_ok, what);
    }
    secret_resolve_destroy(&self->resolve);
    config_document_deinit(&self->document);
    free(self);
    return r;
}

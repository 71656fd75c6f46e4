#include "actors/hooks/changing.h"

#include <stdio.h>
#include <stdlib.h>

#include "bus/base/cleanup.h"
#include "bus/base/log.h"
#include "bus/base/utf8.h"
#include "bus/value.h"
#include "schema/base/hooks_transform.h"
#include "schema_gen.h"

#define NOTHING ((struct span){ NULL, 0 })
#define ACTION_DEPTH 32U
#define SHOWN 300U /* bytes of what a module said, in the log */

/* --- before ------------------------------------------------------------------------------------- */

static void failed_tell(const struct changing *self, const char *reason, struct span said)
{
    said = utf8_cut(span_trim(said), TRANSFORM_ERRORS_MAX);
    log_warning("hook_transform_failed", "path=\"%s\" module=\"%s\" reason=\"%s\" printed=\"%.*s\"", self->path,
                self->module, reason, SPAN_FMT(said));
}

static bool module_find(struct changing *self, const struct settings *settings, struct span name,
                        char problem[HOOKS_TRANSFORM_PROBLEM_MAX])
{
    const char *config = getenv("OPENCLAW_CONFIG_PATH"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *home = getenv("HOME");                   /* NOLINT(concurrency-mt-unsafe): the same */
    struct span hooks = { settings->bytes.data, settings->bytes.len };

    return hooks_transform_dir(hooks, config ? config : "", home, self->dir, problem) &&
           hooks_transform_module(self->dir, name, self->module, problem);
}

int changing_begin(struct changing *self, const struct settings *settings, struct span transform,
                   const struct msg_hook_post *in, char problem[CHANGING_PROBLEM_MAX])
{
    struct span name = span_trim(value_str(value_get(transform, "module"), NOTHING));
    char why[HOOKS_TRANSFORM_PROBLEM_MAX];

    (void)snprintf(self->path, sizeof(self->path), "%.*s", SPAN_FMT(utf8_cut(in->path, sizeof(self->path) - 1)));
    if (!hooks_transform_node(self->node)) {
        (void)snprintf(problem, CHANGING_PROBLEM_MAX,
                       "hook mapping failed: its transform is a module for Node.js, which is not there; "
                       "" HOOKS_TRANSFORM_NODE_FIX);
        return CHANGING_E_UNSERVED;
    }
    if (!module_find(self, settings, name, why)) {
        (void)snprintf(self->module, sizeof(self->module), "%.*s", SPAN_FMT(name));
        failed_tell(self, why, NOTHING);
        (void)snprintf(problem, CHANGING_PROBLEM_MAX,
                       "hook mapping failed: its transform has no module that can be used; the gateway's log says why");
        return CHANGING_E_FAILED;
    }
    return 0;
}

/* Appends `,"name":`. */
static int key_add(const char *name, struct text_buf *out)
{
    int r = text_buf_add(out, SPAN_LIT(",\""));

    r = r ? r : text_buf_add(out, span_from(name));
    return r ? r : text_buf_add(out, SPAN_LIT("\":"));
}

static int text_add(const char *name, struct span text, struct text_buf *out)
{
    int r = key_add(name, out);

    return r ? r : json_from_text(text, out);
}

static int value_add(const char *name, struct span value, struct text_buf *out)
{
    int r = key_add(name, out);

    return r ? r : json_from_value(value, out);
}

int changing_ask(const struct changing *self, const struct settings *settings, struct span transform,
                 const struct msg_hook_post *in, struct text_buf *out)
{
    struct span wanted = span_trim(value_str(value_get(transform, "export"), NOTHING));
    int r = text_buf_add(out, SPAN_LIT("{\"version\":1"));

    r = r ? r : text_add("module", span_from(self->module), out);
    r = r || !wanted.len ? r : text_add("export", wanted, out);
    r = r ? r : text_add("base", span_from(settings->path), out);
    r = r ? r : text_add("path", in->path, out);
    r = r ? r : value_add("query", in->query, out);
    r = r ? r : value_add("headers", in->headers, out);
    r = r ? r : value_add("payload", in->payload, out);
    return r ? r : text_buf_add(out, SPAN_LIT("}"));
}

void changing_deinit(struct changing *self)
{
    transform_cancel(&self->transform);
}

/* --- afterwards ----------------------------------------------------------------------------------- */

void changing_said_deinit(struct changing_said *self)
{
    pack_deinit(&self->pack);
}

static int fail(struct changing_said *said, const char *problem)
{
    (void)snprintf(said->problem, sizeof(said->problem), "hook mapping failed: %s; the gateway's log may say more",
                   problem);
    changing_said_deinit(said);
    return CHANGING_E_FAILED;
}

static int answer_read(const struct changing *self, const struct transform_end *end, struct changing_said *said)
{
    struct json_opts opts = { .depth_max = ACTION_DEPTH };
    struct span error;
    char reason[SHOWN + 1];

    if (json_to_pack(end->output, &opts, &said->pack, NULL) || value_kind_of(pack_span(&said->pack)) != VALUE_MAP) {
        failed_tell(self, "the module ended without an answer, or one that is nested too deeply", end->errors);
        return fail(said, "its transform gave no answer that can be read");
    }
    error = value_get(pack_span(&said->pack), "error");
    if (error.len) {
        (void)snprintf(reason, sizeof(reason), "%.*s", SPAN_FMT(utf8_cut(value_str(error, NOTHING), SHOWN)));
        failed_tell(self, reason, end->errors);
        return fail(said, "its transform threw an error");
    }
    if (value_bool(value_get(pack_span(&said->pack), "skip"), false)) {
        changing_said_deinit(said);
        return CHANGING_E_SKIPPED;
    }
    said->action = value_get(pack_span(&said->pack), "action");
    return 0;
}

int changing_hear(const struct changing *self, const struct transform_end *end, struct changing_said *ret_said)
{
    int r;

    *ret_said = (struct changing_said){ .action = NOTHING };
    pack_init(&ret_said->pack, TRANSFORM_OUTPUT_MAX * 3);
    if (end->problem) {
        failed_tell(self, end->problem, end->errors);
        return fail(ret_said, end->problem);
    }
    r = answer_read(self, end, ret_said);
    if (r != CHANGING_E_FAILED && end->errors.len) {
        struct span printed = utf8_cut(span_trim(end->errors), TRANSFORM_ERRORS_MAX);

        log_info("hook_transform_printed", "path=\"%s\" module=\"%s\" printed=\"%.*s\"", self->path, self->module,
                 SPAN_FMT(printed));
    }
    return r;
}

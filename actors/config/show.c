#include "actors/config/internal.h"

#include <stdio.h>
#include <time.h>

#include "actors/config/models.h"
#include "actors/config/view.h"
#include "bus/base/clock.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_shape.h"

void config_time(int64_t wall_ms, char out[CONFIG_TIME_LEN])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };
    char date[24] = "";

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, CONFIG_TIME_LEN, "%.19s.%03uZ", date, (unsigned)(wall_ms % 1000) % 1000U);
}

/* The part of the snapshot at a dotted path; empty when there is none. */
static struct span part_find(const struct config *self, struct span path)
{
    struct span value = pack_span(&self->snapshot.effective);
    char dotted[CONFIG_PATH_MAX];

    (void)snprintf(dotted, sizeof(dotted), "%.*s", SPAN_FMT(path));
    return *dotted ? value_path(value, dotted) : value;
}

int config_part(const struct config *self, struct span path, struct span address, struct text_buf *text,
                struct span *ret_value)
{
    static const char nil = (char)0xc0;
    struct span value = part_find(self, path);

    if (!value.len) {
        *ret_value = (struct span){ &nil, 1 };
        return 0;
    }
    int r = secret_set_show(&self->snapshot.secrets, pack_span(&self->snapshot.effective), value, address, text);
    *ret_value = r > 0 ? (struct span){ text->data, text->len } : value;
    return r < 0 ? r : 0;
}

int config_on_read(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    const struct msg_config_read *in = msg;
    CLEANUP(text_buf_deinit) struct text_buf text = { .is_secret = true };
    struct span value;

    int r = config_part(self, in->path, actor_ctx_from(ctx), &text, &value);
    return r ? r
             : actor_reply(ctx, MSG_CONFIG_VALUE,
                           &(struct msg_config_value){ .version = self->version, .value = value });
}

static int scratch_reply(struct config *self, struct actor_ctx *ctx)
{
    int fault = pack_error(&self->scratch);

    return fault ? fault : actor_reply_span(ctx, pack_span(&self->scratch));
}

int config_on_get(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;

    (void)msg;
    pack_reset(&self->scratch);
    view_pack(&self->snapshot, self->path,
              &(struct view_issues){ self->issue.text, pack_span(&self->issues), self->issues_left_out },
              &self->scratch);
    return scratch_reply(self, ctx);
}

int config_on_models(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;

    (void)msg; /* every view of this gateway's list is the configured one */
    pack_reset(&self->scratch);
    models_list_pack(pack_span(&self->snapshot.effective), &self->scratch);
    return scratch_reply(self, ctx);
}

int config_on_schema(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    struct pack *out = &self->scratch;
    char when[CONFIG_TIME_LEN];

    (void)msg;
    config_time(clock_wall_ms(), when);
    pack_reset(out);
    pack_map_begin(out);
    pack_key(out, "schema");
    config_shape_root_pack(out);
    pack_key(out, "uiHints");
    pack_map_begin(out);
    for (size_t i = 0; i < config_sections_n; i++) {
        pack_key(out, config_sections[i].name);
        config_shape_hint_pack(span_from(config_sections[i].name), &config_shapes[config_sections[i].shape], out);
    }
    pack_map_end(out);
    pack_kv_text(out, "version", OPENCLAW_VERSION);
    pack_kv_text(out, "generatedAt", when);
    pack_map_end(out);
    return scratch_reply(self, ctx);
}

int config_on_schema_lookup(void *arg, struct actor_ctx *ctx, const void *msg)
{
    struct config *self = arg;
    const struct msg_config_schema_lookup *in = msg;
    const struct config_shape *shape = config_shape_find(in->path, NULL);
    struct pack *out = &self->scratch;

    if (!shape) {
        return actor_fail(ctx, FAIL_INVALID_REQUEST, "config schema path not found");
    }
    pack_reset(out);
    pack_map_begin(out);
    pack_kv_str(out, "path", in->path);
    pack_key(out, "schema");
    config_shape_schema_pack(shape, true, out);
    pack_key(out, "hint");
    config_shape_hint_pack(in->path, shape, out);
    pack_kv_str(out, "hintPath", in->path);
    pack_key(out, "children");
    config_shape_children_pack(in->path, shape, out);
    pack_map_end(out);
    return scratch_reply(self, ctx);
}

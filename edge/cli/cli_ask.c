#include "edge/cli/cli_ask.h"

#include <stdio.h>

#include "bus/base/clock.h"
#include "bus/value.h"
#include "edge/cli/cli_format.h"
#include "edge/cli/cli_out.h"

int cli_ask_open(const struct cli *cli, const char *name, struct cli_ask *ret_ask)
{
    struct cli_rpc_opts opts = { .display_name = name, .timeout_ms = cli_number(cli, "timeout") };
    int r;

    *ret_ask = (struct cli_ask){ .cli = cli, .timeout_ms = opts.timeout_ms };
    r = cli_rpc_open(cli, &opts, &ret_ask->rpc);
    if (!r) {
        pack_init(&ret_ask->params, 0);
        pack_init(&ret_ask->answer, 0);
    }
    return r;
}

void cli_ask_close(struct cli_ask *self)
{
    pack_deinit(&self->params);
    pack_deinit(&self->answer);
    cli_rpc_close(&self->rpc);
}

struct pack *cli_ask_params(struct cli_ask *self)
{
    pack_reset(&self->params);
    pack_map_begin(&self->params);
    return &self->params;
}

int cli_ask_send(struct cli_ask *self, const char *method)
{
    struct cli_call call = { .method = method, .timeout_ms = self->timeout_ms };

    pack_map_end(&self->params);
    call.params = pack_span(&self->params);
    pack_reset(&self->answer);
    return cli_rpc_call(&self->rpc, &call, &self->answer);
}

int cli_ask_plain(struct cli_ask *self, const char *method)
{
    (void)cli_ask_params(self);
    return cli_ask_send(self, method);
}

int cli_ask_text(struct cli_ask *self, const char *method, const char *key, const char *text)
{
    pack_kv_text(cli_ask_params(self), key, text);
    return cli_ask_send(self, method);
}

struct span cli_ask_answer(const struct cli_ask *self)
{
    return pack_span(&self->answer);
}

int cli_ask_show(const struct cli_ask *self)
{
    return cli_rpc_print_json(cli_ask_answer(self));
}

int cli_ask_once(const struct cli *cli, const char *method, const char *key, const char *text, const char *done)
{
    struct cli_ask ask;
    int r = cli_ask_open(cli, method, &ask);

    if (r) {
        return r;
    }
    r = cli_ask_text(&ask, method, key, text);
    if (!r && cli_flag(cli, "json")) {
        r = cli_ask_show(&ask);
    } else if (!r) {
        cli_out("%s %s\n", done, text);
    }
    cli_ask_close(&ask);
    return r;
}

const char *cli_ask_join(struct span list, char *out, size_t out_size)
{
    struct value_iter iter = value_iter(list);
    struct span key;
    struct span item;
    size_t len = 0;

    (void)snprintf(out, out_size, "-");
    while (value_next(&iter, &key, &item)) {
        struct span text = value_str(item, (struct span){ 0 });

        if (len + text.len + 3 > out_size) {
            break;
        }
        len += (size_t)snprintf(out + len, out_size - len, "%s%.*s", len ? ", " : "", SPAN_FMT(text));
    }
    return out;
}

const char *cli_ask_age(struct span ms, char *out, size_t out_size)
{
    int64_t at = value_i64(ms, 0);
    char text[CLI_FORMAT_LEN];

    (void)snprintf(out, out_size, "%s", at ? cli_format_age(clock_wall_ms() - at, text) : "-");
    return out;
}

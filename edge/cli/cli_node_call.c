#include "edge/cli/cli_node_call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_uuid.h"
#include "schema/base/base64.h"
#include "schema/base/duration.h"

#define MORE_MS 5000U /* so that the gateway says why there is no answer */

int cli_node_open(const struct cli *cli, const char *name, struct cli_node_call *ret_call)
{
    int r = cli_ask_open(cli, name, &ret_call->ask);

    if (r) {
        return r;
    }
    pack_init(&ret_call->params, 0);
    r = cli_node_find(&ret_call->ask, cli_text(cli, "node"), ret_call->id);
    if (r) {
        cli_node_close(ret_call);
    }
    return r;
}

void cli_node_close(struct cli_node_call *self)
{
    pack_deinit(&self->params);
    cli_ask_close(&self->ask);
}

struct pack *cli_node_params(struct cli_node_call *self)
{
    pack_reset(&self->params);
    pack_map_begin(&self->params);
    return &self->params;
}

int cli_node_send(struct cli_node_call *self, const char *command)
{
    pack_map_end(&self->params);
    return cli_node_ask(self, command);
}

int cli_node_ask(struct cli_node_call *self, const char *command)
{
    const struct cli *cli = self->ask.cli;
    uint64_t timeout_ms = cli_number(cli, "invoke-timeout");
    const char *given = cli_opts_find(&cli->line, "idempotency-key") ? cli_text(cli, "idempotency-key") : NULL;
    char fresh[CLI_UUID_LEN + 1];
    struct pack *out;

    if (!given && cli_uuid_new(fresh)) {
        cli_err("the system has no random numbers");
        return CLI_EXIT_SOFTWARE;
    }
    out = cli_ask_params(&self->ask);
    pack_kv_text(out, "nodeId", self->id);
    pack_kv_text(out, "command", command);
    pack_kv_raw(out, "params", pack_span(&self->params));
    pack_kv_u64(out, "timeoutMs", timeout_ms);
    pack_kv_text(out, "idempotencyKey", given ? given : fresh);
    if (self->ask.timeout_ms < timeout_ms + MORE_MS) {
        self->ask.timeout_ms = timeout_ms + MORE_MS;
    }
    return cli_ask_send(&self->ask, "node.invoke");
}

struct span cli_node_payload(const struct cli_node_call *self)
{
    return value_get(cli_ask_answer(&self->ask), "payload");
}

int cli_node_fraction(const struct cli *cli, struct pack *out, const char *name, const char *key)
{
    const char *text = cli_text(cli, name);
    char *end = NULL;
    double number = text ? strtod(text, &end) : 0;

    if (!text) {
        return CLI_EXIT_OK;
    }
    if (end == text || *end) {
        cli_err("--%s is a number, not '%s'", name, text);
        return CLI_EXIT_USAGE;
    }
    pack_kv_f64(out, key, number);
    return CLI_EXIT_OK;
}

int cli_node_duration(const struct cli *cli, struct pack *out, const char *name, const char *key)
{
    const char *text = cli_text(cli, name);
    int64_t ms = 0;

    if (!duration_parse(span_from(text), 1, &ms) || ms <= 0) {
        cli_err("--%s is a time such as 3000, 10s or 1m, not '%s'", name, text);
        return CLI_EXIT_USAGE;
    }
    pack_kv_i64(out, key, ms);
    return CLI_EXIT_OK;
}

/* --- what a node sends ---------------------------------------------------------------------------------- */

static int bytes_write(int fd, struct span bytes)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        bytes.ptr += n > 0 ? n : 0;
        bytes.len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A file of one's own; one that was named may be there already. */
static int file_open(const char *path, const char *what, const char *ext, char ret_path[PATH_MAX])
{
    const char *folder = getenv("TMPDIR");
    char unique[CLI_UUID_LEN + 1];

    if (path) {
        (void)snprintf(ret_path, PATH_MAX, "%s", path); /* the kernel refuses one that is too long */
        return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    }
    if (cli_uuid_new(unique)) {
        errno = EIO;
        return -1;
    }
    (void)snprintf(ret_path, PATH_MAX, "%s/openclaw-%s-%s.%s", folder && *folder ? folder : "/tmp", what, unique, ext);
    return open(ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

int cli_node_save(const struct cli_node_call *self, const char *path, const char *what, const char *ext,
                  char ret_path[PATH_MAX])
{
    CLEANUP(text_buf_deinit) struct text_buf bytes = { 0 };
    struct span text = value_str(value_get(cli_node_payload(self), "base64"), (struct span){ 0 });
    size_t len = 0;
    int r;

    if (!text.len || !base64_check(text, &len) || base64_decode(text, &bytes)) {
        cli_err("what the node sent holds no picture or recording: \"base64\" is missing or damaged");
        return CLI_EXIT_FAILED;
    }
    int fd = file_open(path, what, ext, ret_path);
    r = fd < 0 ? -errno : bytes_write(fd, (struct span){ bytes.data, bytes.len });
    if (fd >= 0 && close(fd) && !r) {
        r = -errno;
    }
    if (r) {
        cli_err("cannot write %s: %s", ret_path, strerror(-r));
        return CLI_EXIT_FAILED;
    }
    return CLI_EXIT_OK;
}

#include "edge/cli/replay_gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/clock.h"
#include "bus/base/durable.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/pack.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_uuid.h"
#include "edge/cli/control_client.h"

#define START_MS 20000U
#define STOP_MS 15000U
#define LOOK_MS 20 /* between two looks at how far it is */
#define CONFIG_MAX ((size_t)4 * 1024 * 1024)

/* --- its state directory -------------------------------------------------------------------- */

/* `token`: who may connect; nobody is told. */
static void config_pack(const struct replay_script *script, const char *token, struct pack *out)
{
    pack_map_begin(out);
    pack_key(out, "gateway");
    pack_map_begin(out);
    pack_kv_text(out, "mode", "local");
    pack_key(out, "auth");
    pack_map_begin(out);
    pack_kv_text(out, "mode", "token");
    pack_kv_text(out, "token", token);
    pack_map_end(out);
    pack_map_end(out);
    pack_key(out, "agents");
    pack_map_begin(out);
    pack_key(out, "defaults");
    pack_map_begin(out);
    pack_key(out, "model");
    pack_map_begin(out);
    pack_kv_text(out, "primary", "builtin/echo");
    pack_map_end(out);
    pack_map_end(out);
    if (script->agents_n) {
        pack_key(out, "list");
        pack_array_begin(out);
        for (size_t i = 0; i < script->agents_n; i++) {
            pack_map_begin(out);
            pack_kv_text(out, "id", script->agents[i] + strlen("agent/"));
            pack_map_end(out);
        }
        pack_array_end(out);
    }
    pack_map_end(out);
    pack_map_end(out);
}

/* Its text, as it is to stand in the file. 0 or a fault. */
static int config_text(const struct replay_gateway_opts *opts, const struct replay_script *script, struct text_buf *out)
{
    CLEANUP(pack_deinit) struct pack pack;
    char token[CLI_UUID_LEN + 1];
    FILE *file;
    size_t n = 1;
    int r = cli_uuid_new(token);

    if (r) {
        return r;
    }
    if (!opts->config) {
        pack_init(&pack, 0);
        config_pack(script, token, &pack);
        return pack_error(&pack) ? pack_error(&pack) : json_from_value_pretty(pack_span(&pack), out);
    }
    pack_init(&pack, 0);
    file = fopen(opts->config, "re");
    if (!file) {
        return FAULT(-errno);
    }
    while (n && out->len < CONFIG_MAX && text_buf_reserve(out, 4096) == 0) {
        n = fread(out->data + out->len, 1, 4096, file);
        out->len += n;
    }
    (void)fclose(file); /* nothing was written */
    return n ? FAULT(-EFBIG) : 0;
}

static int config_write(const struct replay_gateway *self, const struct replay_gateway_opts *opts,
                        const struct replay_script *script)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    int r = config_text(opts, script, &text);
    int fd = r ? -1 : open(self->paths.config_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    r = r ? r : fd < 0 ? FAULT(-errno) : durable_write(fd, (struct span){ text.data, text.len });
    if (fd >= 0 && close(fd) && r == 0) {
        r = FAULT(-errno);
    }
    return r;
}

/* What is said of this process's gateway is from now on said of the new one. */
static int place_make(struct replay_gateway *self)
{
    static const char *const others[] = { "OPENCLAW_HOME",          "OPENCLAW_PROFILE",
                                          "OPENCLAW_GATEWAY_URL",   "OPENCLAW_GATEWAY_PORT",
                                          "OPENCLAW_GATEWAY_TOKEN", "OPENCLAW_GATEWAY_PASSWORD",
                                          "OPENCLAW_CONFIG_PATH",   "OPENCLAW_DEV",
                                          "NOTIFY_SOCKET" };
    const char *base = getenv("TMPDIR");
    struct cli_paths_error error;

    if (snprintf(self->dir, sizeof(self->dir), "%s/openclaw-replay-XXXXXX", base ? base : "/tmp") >=
            (int)sizeof(self->dir) ||
        !mkdtemp(self->dir)) {
        self->dir[0] = '\0';
        return FAULT(errno ? -errno : -ENAMETOOLONG);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (unsetenv(others[i])) {
            return FAULT(-errno);
        }
    }
    if (setenv("OPENCLAW_STATE_DIR", self->dir, 1) || setenv("HOME", self->dir, 1)) {
        return FAULT(-errno);
    }
    return cli_paths_resolve(NULL, false, getenv, &self->paths, &error) ? FAULT(-EINVAL) : 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    (void)remove(path); /* the directory above stays then, and is named */
    return 0;
}

/* --- its process ------------------------------------------------------------------------------ */

/* A port that nobody listens on now; 0 when there is none. */
static unsigned port_find(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned port = 0;

    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
        getsockname(fd, (struct sockaddr *)&at, &len) == 0) {
        port = ntohs(at.sin_port);
    }
    if (fd >= 0) {
        (void)close(fd); /* nothing was sent */
    }
    return port;
}

/* Does not return in the child. */
static int process_start(struct replay_gateway *self, const struct replay_gateway_opts *opts)
{
    char port[16];
    char output[sizeof(self->dir) + 16];
    char words[][16] = { "openclaw", "gateway", "run", "--port", "--bind", "loopback", "--topology" };
    char *argv[] = { words[0], words[1], words[2], words[3], port, words[4], words[5], NULL, NULL, NULL };
    CLEANUP(mem_free) char *topology = opts->topology ? mem_text(opts->topology, strlen(opts->topology)) : NULL;
    pid_t parent = getpid();
    unsigned number = port_find();

    if (!number) {
        return FAULT(-EADDRNOTAVAIL);
    }
    (void)snprintf(port, sizeof(port), "%u", number);
    (void)snprintf(output, sizeof(output), "%s/output.txt", self->dir);
    argv[7] = topology ? words[6] : NULL;
    argv[8] = topology;
    self->pid = fork();
    if (self->pid < 0) {
        self->pid = 0;
        return FAULT(-errno);
    }
    if (self->pid == 0) {
        int fd = open(output, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* it goes with us, however we end */
        if (fd < 0 || getppid() != parent || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0) {
            _exit(CLI_EXIT_SOFTWARE);
        }
        (void)execv("/proc/self/exe", argv);
        _exit(CLI_EXIT_SOFTWARE);
    }
    return 0;
}

/* Is every actor ready, and every agent of the script there? */
static bool is_whole(const struct replay_script *script, struct span answer)
{
    struct value_iter it = value_iter(value_get(answer, "actors"));
    struct span key;
    struct span actor;
    size_t agents_n = 0;
    bool is_ready = value_count(value_get(answer, "actors")) > 0;

    while (value_next(&it, &key, &actor)) {
        is_ready = is_ready && span_is_text(value_str(value_get(actor, "state"), SPAN_LIT("")), "ready");
        agents_n += span_starts(value_str(value_get(actor, "address"), SPAN_LIT("")), "agent/");
    }
    return is_ready && agents_n >= (script->agents_n ? script->agents_n : 1);
}

static bool is_serving(const struct replay_gateway *self, const struct replay_script *script)
{
    CLEANUP(control_client_close) struct control_client client = CONTROL_CLIENT_INIT;
    CLEANUP(pack_deinit) struct pack request;
    CLEANUP(pack_deinit) struct pack answer;

    pack_init(&request, 0);
    pack_init(&answer, 0);
    pack_map_begin(&request);
    pack_kv_text(&request, "op", "actors");
    pack_map_end(&request);
    return control_client_open_quiet(self->paths.control_path, &client) == CLI_EXIT_OK &&
           control_client_ask(&client, pack_span(&request), 2000, &answer) == CLI_EXIT_OK &&
           is_whole(script, pack_span(&answer));
}

static int ready_wait(struct replay_gateway *self, const struct replay_script *script)
{
    uint64_t end_ms = clock_mono_ms() + START_MS;
    struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

    while (!is_serving(self, script)) {
        int status;

        if (waitpid(self->pid, &status, WNOHANG) == self->pid) {
            self->pid = 0;
            self->is_kept = true;
            cli_err("the gateway for the replay ended at its start; see %s/output.txt", self->dir);
            return CLI_EXIT_FAILED;
        }
        if (clock_mono_ms() > end_ms) {
            self->is_kept = true;
            cli_err("the gateway for the replay was not ready within %u s; see %s/output.txt", START_MS / 1000,
                    self->dir);
            return CLI_EXIT_TRY_LATER;
        }
        (void)nanosleep(&pause, NULL); /* its control socket may not be there yet, so there is nothing to wait on */
    }
    return CLI_EXIT_OK;
}

int replay_gateway_start(struct replay_gateway *self, const struct replay_gateway_opts *opts,
                         const struct replay_script *script)
{
    int r;

    *self = (struct replay_gateway){ .is_kept = opts->is_kept };
    r = place_make(self);
    r = r ? r : config_write(self, opts, script);
    r = r ? r : process_start(self, opts);
    if (r) {
        cli_err("cannot start a gateway for the replay: %s", fault_text(r));
        return CLI_EXIT_FAILED;
    }
    return ready_wait(self, script);
}

void replay_gateway_stop(struct replay_gateway *self)
{
    uint64_t end_ms = clock_mono_ms() + STOP_MS;
    struct timespec pause = { .tv_nsec = LOOK_MS * 1000000L };

    if (self->pid) {
        (void)kill(self->pid, SIGTERM); /* a child of ours, not yet waited for */
        while (waitpid(self->pid, NULL, WNOHANG) == 0) {
            if (clock_mono_ms() > end_ms) {
                (void)kill(self->pid, SIGKILL); /* as above */
            }
            (void)nanosleep(&pause, NULL);
        }
        self->pid = 0;
    }
    if (self->dir[0] && !self->is_kept) {
        (void)nftw(self->dir, entry_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        if (access(self->dir, F_OK) == 0) {
            cli_err("could not remove %s", self->dir);
        }
    } else if (self->dir[0]) {
        cli_err("the state of the replay is kept in %s", self->dir);
    }
    self->dir[0] = '\0';
}

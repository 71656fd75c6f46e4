#include "edge/cli/doctor_write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/base/mem.h"
#include "bus/lock.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/cli_rpc.h"
#include "edge/cli/config_turn.h"
#include "edge/cli/config_writer.h"
#include "edge/cli/doctor.h"
#include "edge/cli/gateway_state.h"
#include "schema/base/config_document.h"
#include "schema/base/config_store.h"

#define RPC_MS 15000U

static struct span text_span(const struct text_buf *text)
{
    return (struct span){ text->data ? text->data : "", text->len };
}

/* One text that takes the place of another. */
struct job {
    const char *path; /* of an included file; NULL: the config */
    struct span before;
    struct span after;
    bool is_there;    /* `before` is what is there */
    bool is_replaced; /* by another text than itself, mended */
};

static struct job job_of_config(const struct doctor *self, bool is_replaced)
{
    return (struct job){ .before = text_span(&self->disk),
                         .after = text_span(&self->fresh),
                         .is_there = self->has_disk,
                         .is_replaced = is_replaced };
}

static struct job job_of_included(const struct doctor_included *file)
{
    return (struct job){
        .path = file->path, .before = text_span(&file->disk), .after = text_span(&file->fresh), .is_there = true
    };
}

/* --- through the gateway ------------------------------------------------------------------------------- */

/* A usable config is changed like any other; one that is not, and a single file, are what config.repair is for. */
static bool base_hash(const struct doctor *self, const struct job *job, char hash[CONFIG_FILE_HASH_LEN])
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error error = { "" };

    config_document_init(&document);
    if (!self->is_usable || job->path) {
        return !config_file_hash(job->before, hash);
    }
    int r = config_document_load(&document, self->cli->paths.config_path, config_lookup_process(), &error);
    memcpy(hash, document.hash, CONFIG_FILE_HASH_LEN);
    return !r;
}

/* The exit code; what went wrong is explained unless the change is made again. */
static int problem_take(const struct doctor *self, struct config_again *again, const struct cli_rpc *rpc,
                        const struct cli_problem *problem)
{
    return config_again_take_problem(again, self->cli, problem) ? CLI_EXIT_TRY_LATER
                                                                : cli_problem_explain(problem, &rpc->target);
}

static void params_pack(const struct job *job, const char *hash, struct pack *params)
{
    pack_map_begin(params);
    pack_kv_str(params, "raw", job->after);
    if (hash[0]) {
        pack_kv_text(params, "baseHash", hash);
    }
    if (job->path) {
        pack_kv_text(params, "file", job->path);
    }
    pack_map_end(params);
}

static int gateway_write(const struct doctor *self, const struct job *job, struct config_again *again)
{
    CLEANUP(pack_deinit) struct pack params;
    CLEANUP(pack_deinit) struct pack answer;
    struct cli_problem problem = { .kind = CLI_PROBLEM_NONE };
    struct cli_rpc_opts opts = {
        .display_name = "doctor", .timeout_ms = RPC_MS, .is_config_broken = !self->is_usable, .ret_problem = &problem
    };
    char hash[CONFIG_FILE_HASH_LEN] = "";
    struct cli_rpc rpc;

    pack_init(&params, 0);
    pack_init(&answer, 0);
    if (job->is_there && !base_hash(self, job, hash)) {
        cli_err("the config was changed meanwhile: run the doctor again");
        return CLI_EXIT_FAILED;
    }
    int r = cli_rpc_open(self->cli, &opts, &rpc);
    if (r) {
        r = problem.kind == CLI_PROBLEM_NONE ? r : problem_take(self, again, &rpc, &problem);
        cli_rpc_close(&rpc);
        return r;
    }
    params_pack(job, hash, &params);
    struct cli_call call = { .method = self->is_usable && !job->path ? "config.set" : "config.repair",
                             .params = pack_span(&params),
                             .timeout_ms = RPC_MS };
    r = cli_session_call(rpc.session, &call, &answer, &problem) ? problem_take(self, again, &rpc, &problem)
                                                                : CLI_EXIT_OK;
    mem_wipe(params.data, params.cap);
    cli_rpc_close(&rpc);
    return r;
}

/* --- alone ---------------------------------------------------------------------------------------------- */

static int refuse(const struct doctor *self, const struct job *job, const char *text)
{
    cli_err("%s", text);
    cli_err_more("config: %s; it was left as it is", job->path ? job->path : self->cli->paths.config_path);
    return CLI_EXIT_FAILED;
}

static int file_write(struct doctor *self, const struct job *job)
{
    const char *path = job->path ? job->path : self->cli->paths.config_path;
    struct span before = job->is_there ? job->before : (struct span){ 0 };
    struct config_error error = { "" };

    int r = config_store_place_check(path, before.ptr != NULL, &error);
    if (r == CONFIG_STORE_E_REFUSED) {
        return refuse(self, job, error.text);
    }
    if (job->is_replaced && before.ptr && !config_store_aside(path, before, self->kept)) {
        return refuse(self, job, "the text that is there cannot be kept, so nothing takes its place");
    }
    r = config_store_replace(path, before, job->after, job->path ? CONFIG_STORE_SHARED : CONFIG_STORE_OURS, &error);
    if (r == CONFIG_STORE_E_CHANGED) {
        return refuse(self, job, "the config was changed meanwhile: run the doctor again");
    }
    if (r) {
        return refuse(self, job, r < 0 ? fault_text(r) : error.text);
    }
    config_writer_audit(self->cli, path, before, job->after, "");
    return CLI_EXIT_OK;
}

static int alone_write(struct doctor *self, const struct job *job)
{
    char path[PATH_MAX + 16];
    pid_t holder = 0;
    int fd = -1;

    (void)snprintf(path, sizeof(path), "%s/gateway.lock", self->cli->paths.state_dir);
    int r = lock_take(path, &fd, &holder);
    if (r == LOCK_E_HELD) {
        return refuse(self, job, "a gateway was started meanwhile: run the doctor again");
    }
    if (r) {
        struct gateway_state_error error;

        gateway_state_lock_explain(path, r, &error);
        cli_err("%s", error.what);
        cli_err_more("%s", error.fix);
        return CLI_EXIT_CONFIG;
    }
    r = file_write(self, job);
    (void)close(fd); /* the kernel gives the lock back */
    return r;
}

/* Somebody else has changed the config: what the repair makes of it is found anew. */
static void config_renew(struct doctor *self)
{
    struct doctor now;
    struct text_buf disk;
    struct text_buf fresh;

    doctor_init(&now, self->cli);
    now.wants_token = self->wants_token;
    now.is_token_alone = self->is_token_alone;
    doctor_lock_look(&now);
    doctor_config_look(&now);
    disk = self->disk;
    fresh = self->fresh;
    self->disk = now.disk;
    self->fresh = now.fresh;
    self->has_disk = now.has_disk;
    self->is_usable = now.is_usable;
    self->is_running = now.is_running;
    now.disk = disk;
    now.fresh = fresh;
    doctor_deinit(&now);
}

static int text_write(struct doctor *self, bool is_replaced)
{
    struct config_again again = { 0 };
    int r = CLI_EXIT_OK;

    if (self->is_written) {
        return CLI_EXIT_OK;
    }
    do {
        if (r) {
            config_renew(self);
        }
        struct job job = job_of_config(self, is_replaced);
        r = !self->fresh.len   ? CLI_EXIT_OK /* somebody else has mended it */
            : self->is_running ? gateway_write(self, &job, &again)
                               : alone_write(self, &job);
    } while (config_again_due(&again, r));
    self->is_written = !r;
    return r;
}

int doctor_write_edited(struct doctor *self, const struct doctor_finding *finding)
{
    (void)finding;
    return text_write(self, false);
}

int doctor_write_replaced(struct doctor *self, const struct doctor_finding *finding)
{
    (void)finding;
    return text_write(self, true);
}

/* As it was looked at or not at all: whoever changes it meanwhile is looked at by the next run. */
static int included_write(struct doctor *self, struct doctor_included *file)
{
    struct config_again again = { 0 };
    struct job job = job_of_included(file);
    int r = CLI_EXIT_OK;

    do {
        r = self->is_running ? gateway_write(self, &job, &again) : alone_write(self, &job);
    } while (config_again_due(&again, r));
    file->is_written = !r;
    return r;
}

int doctor_write_included(struct doctor *self, const struct doctor_finding *finding)
{
    for (size_t i = 0; i < self->included_n; i++) {
        struct doctor_included *file = self->included[i];

        if (!strcmp(file->path, finding->path)) {
            return file->is_written ? CLI_EXIT_OK : included_write(self, file);
        }
    }
    return refuse(self, &(struct job){ .path = finding->path }, "the file is no longer one of the config");
}

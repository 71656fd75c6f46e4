/*
 * doctor_history: what the original keeps beside the config and this gateway does not take over: session histories, and
 * the files of a workspace that tell an agent who it is. Somebody who comes from there should hear of it once, not find
 * it missing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/doctor.h"
#include "edge/cli/secrets_stores.h"
#include "schema/base/agent_id.h"
#include "schema/base/agent_workspace.h"
#include "schema/base/config_document.h"

#define AGENTS_MAX 512U
#define NOTHING ((struct span){ 0 })

/* --- session histories -------------------------------------------------------------------------------------- */

static bool is_history(const char *name)
{
    size_t len = strlen(name);

    return len > 6 && !strcmp(name + len - 6, ".jsonl");
}

static size_t histories_count(const char *dir)
{
    DIR *all = opendir(dir);
    const struct dirent *entry;
    size_t n = 0;

    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        n += is_history(entry->d_name);
    }
    if (all) {
        (void)closedir(all);
    }
    return n;
}

static void histories_look(struct doctor *self)
{
    char dir[PATH_MAX];
    char path[PATH_MAX];
    const struct dirent *entry;
    size_t n = 0;

    (void)snprintf(dir, sizeof(dir), "%.4000s/agents", self->cli->paths.state_dir);
    DIR *all = opendir(dir);
    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (entry->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s/sessions", dir, entry->d_name) < (int)sizeof(path)) {
            n += histories_count(path);
        }
    }
    if (all) {
        (void)closedir(all);
    }
    if (n) {
        doctor_fix_say(doctor_add(self, "state", DOCTOR_NOTE,
                                  "%zu session histories of the original are here (%s/*/sessions/*.jsonl) and are not "
                                  "imported: conversations begin anew",
                                  n, dir),
                       "keep them, nothing here touches them; tell an agent in a message what it should know of them");
    }
}

/* --- workspaces ------------------------------------------------------------------------------------------- */

static void workspace_look(struct doctor *self, const char *dir)
{
    static const char *const names[] = { "AGENTS.md", "SOUL.md", "TOOLS.md",     "IDENTITY.md",
                                         "USER.md",   "BOOT.md", "BOOTSTRAP.md", "MEMORY.md" };
    char found[128] = "";
    char path[PATH_MAX];
    struct stat st;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(found);

        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) < (int)sizeof(path) && !stat(path, &st) &&
            S_ISREG(st.st_mode) && st.st_size) {
            (void)snprintf(found + len, sizeof(found) - len, "%s%s", len ? ", " : "", names[i]); /* all of them fit */
        }
    }
    if (found[0]) {
        doctor_fix_say(doctor_add(self, "workspace", DOCTOR_NOTE,
                                  "%.300s has %s, which agents of this version do not read; of a workspace only "
                                  "HEARTBEAT.md counts",
                                  dir, found),
                       "put what an agent must always know into its systemPromptOverride, or that of agents.defaults");
    }
}

static void agent_look(struct doctor *self, struct span doc, struct span entry, const char *id)
{
    struct span own = value_str(value_get(entry, "workspace"), NOTHING);
    struct span shared = value_str(value_path(doc, "agents.defaults.workspace"), NOTHING);
    bool is_default = span_is_text(secrets_store_default_agent(doc), id);
    char dir[PATH_MAX];

    if (own.len || shared.len) {
        CLEANUP(mem_free) char *said = agent_workspace(own, shared, id, is_default);
        workspace_look(self, said);
        return;
    }
    (void)snprintf(dir, sizeof(dir), "%.3900s/workspace%s%s", self->cli->paths.state_dir, is_default ? "" : "-",
                   is_default ? "" : id);
    workspace_look(self, dir);
}

/* An id that is not written as it counts is fine, and surprises whoever looks for its directory. */
static void id_look(struct doctor *self, struct span text, const char *id, size_t at)
{
    if (!span_is_text(text, id)) {
        (void)doctor_add(self, "config", DOCTOR_NOTE,
                         "agents.list[%zu].id \"%.*s\" means \"%s\": session keys, directories and commands have that",
                         at, SPAN_FMT(text), id);
    }
}

static void agents_look(struct doctor *self, struct span doc)
{
    struct span list = value_path(doc, "agents.list");
    struct value_iter it = value_iter(list);
    char id[AGENT_ID_MAX + 1];
    struct span key;
    struct span entry;

    if (!value_count(list) && self->wants_suggestions) {
        agent_look(self, doc, NOTHING, "main");
    }
    for (size_t i = 0; i < AGENTS_MAX && value_next(&it, &key, &entry); i++) {
        struct span text = value_str(value_get(entry, "id"), NOTHING);

        if (agent_id_normalize(text, id)) {
            id_look(self, text, id, i);
            if (self->wants_suggestions) {
                agent_look(self, doc, entry, id);
            }
        }
    }
}

void doctor_history_look(struct doctor *self)
{
    CLEANUP(config_document_deinit) struct config_document document;
    struct config_error ignored;

    histories_look(self);
    config_document_init(&document);
    if (!config_document_load(&document, self->cli->paths.config_path, config_lookup_process(), &ignored)) {
        agents_look(self, pack_span(&document.resolved));
    }
}

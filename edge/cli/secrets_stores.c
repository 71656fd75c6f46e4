#include "edge/cli/secrets_stores.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "edge/cli/secrets_known.h"
#include "schema/base/agent_id.h"
#include "schema/base/secret_path.h"

#define NOTHING ((struct span){ 0 })

static void add(struct secrets_stores *self, const char *dir, bool is_configured)
{
    for (size_t i = 0; i < self->n; i++) {
        if (!strcmp(self->dirs[i], dir)) {
            return;
        }
    }
    if (self->n < SECRETS_STORES_MAX) {
        self->is_configured[self->n] = is_configured;
        self->dirs[self->n++] = mem_text(dir, strlen(dir));
    }
}

static void known_add(struct secrets_stores *self, const char *state_dir, const char *id)
{
    char dir[PATH_MAX];

    if (snprintf(dir, sizeof(dir), "%s/agents/%s/agent", state_dir, id) < (int)sizeof(dir)) {
        add(self, dir, false);
    }
}

/* Every directory below agents/, whether the config still knows that agent or not. */
static void found_add(struct secrets_stores *self, const char *state_dir)
{
    char root[PATH_MAX];
    const struct dirent *entry;
    struct stat st;

    (void)snprintf(root, sizeof(root), "%.4000s/agents", state_dir);
    DIR *all = opendir(root);
    while (all && (entry = readdir(all))) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (entry->d_name[0] != '.' && !fstatat(dirfd(all), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
            S_ISDIR(st.st_mode)) {
            known_add(self, state_dir, entry->d_name);
        }
    }
    if (all) {
        (void)closedir(all);
    }
}

/* --- what the config says ------------------------------------------------------------------------------ */

static struct span agent_find(struct span doc, const char *id)
{
    struct value_iter it = value_iter(value_path(doc, "agents.list"));
    char own[AGENT_ID_MAX + 1];
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (agent_id_normalize(value_str(value_get(item, "id"), NOTHING), own) && !strcmp(own, id)) {
            return item;
        }
    }
    return NOTHING;
}

bool secrets_store_is_agent(struct span doc, const char *id)
{
    return value_count(value_path(doc, "agents.list")) ? agent_find(doc, id).len > 0 : !strcmp(id, "main");
}

struct span secrets_store_default_agent(struct span doc)
{
    struct value_iter it = value_iter(value_path(doc, "agents.list"));
    struct span chosen = NOTHING;
    struct span key;
    struct span item;

    while (value_next(&it, &key, &item)) {
        if (!chosen.len ||
            (value_bool(value_get(item, "default"), false) && !value_bool(value_get(chosen, "default"), false))) {
            chosen = item;
        }
    }
    return value_str(value_get(chosen, "id"), SPAN_LIT("main"));
}

static bool dir_of(const char *state_dir, struct span doc, const char *id, char ret_dir[PATH_MAX],
                   bool *ret_is_configured)
{
    struct span said = secrets_known_trimmed(value_str(value_get(agent_find(doc, id), "agentDir"), NOTHING));
    const char *home = getenv("HOME");

    *ret_is_configured = said.len > 0;
    if (said.len) {
        return secret_path_expand(said, home ? home : "/", ret_dir);
    }
    return snprintf(ret_dir, PATH_MAX, "%s/agents/%s/agent", state_dir, id) < PATH_MAX;
}

bool secrets_store_of(const char *state_dir, struct span doc, struct span id, char ret_dir[PATH_MAX])
{
    char own[AGENT_ID_MAX + 1];
    bool ignored;

    return agent_id_normalize(id, own) && dir_of(state_dir, doc, own, ret_dir, &ignored);
}

static void configured_add(struct secrets_stores *self, const char *state_dir, struct span doc)
{
    struct value_iter it = value_iter(value_path(doc, "agents.list"));
    char own[AGENT_ID_MAX + 1];
    char dir[PATH_MAX];
    struct span key;
    struct span item;
    bool is_configured;

    while (value_next(&it, &key, &item)) {
        if (agent_id_normalize(value_str(value_get(item, "id"), NOTHING), own) &&
            dir_of(state_dir, doc, own, dir, &is_configured)) {
            add(self, dir, is_configured);
        }
    }
}

/* --- all of them ------------------------------------------------------------------------------------------ */

void secrets_stores_list(struct secrets_stores *self, const char *state_dir, struct span doc)
{
    *self = (struct secrets_stores){ .n = 0 };
    known_add(self, state_dir, "main");
    found_add(self, state_dir);
    configured_add(self, state_dir, doc);
}

void secrets_stores_deinit(struct secrets_stores *self)
{
    for (size_t i = 0; i < self->n; i++) {
        free(self->dirs[i]);
    }
    self->n = 0;
}

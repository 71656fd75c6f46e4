#include "schema/base/secret_provider.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/value.h"

#define NOTHING ((struct span){ 0 })

static bool is_program(struct span entry)
{
    return span_is_text(value_str(value_get(entry, "source"), NOTHING), "exec");
}

static bool path_find(struct span entry, char path[PATH_MAX])
{
    return secret_path_expand(value_str(value_get(entry, is_program(entry) ? "command" : "path"), NOTHING),
                              secret_path_home(), path);
}

int secret_provider_look(struct span entry, char ret_real[PATH_MAX], struct secret_problem *problem)
{
    bool is_run = is_program(entry);
    struct secret_path_rules rules = {
        .is_link_fine = is_run && value_bool(value_get(entry, "allowSymlinkCommand"), false),
        .is_insecure_fine = value_bool(value_get(entry, "allowInsecurePath"), false),
        .is_read_fine = is_run,
        .is_run = is_run,
        .trusted = is_run ? value_get(entry, "trustedDirs") : NOTHING,
    };
    char path[PATH_MAX];

    if (!path_find(entry, path)) {
        (void)snprintf(problem->text, sizeof(problem->text), "its %s is no path", is_run ? "command" : "path");
        return -1;
    }
    int fd = secret_path_open(path, &rules, ret_real, problem);
    if (fd < 0) {
        return -1;
    }
    close(fd);
    return 0;
}

/* Whoever provides it may come later than the config. */
static bool is_absent(struct span entry)
{
    char path[PATH_MAX];
    struct stat st;

    return path_find(entry, path) && lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR);
}

void secret_provider_each_untrusted(struct span doc,
                                    void (*on)(void *arg, struct span name, const char *key, const char *problem),
                                    void *arg)
{
    struct value_iter it = value_iter(value_path(doc, "secrets.providers"));
    struct span name;
    struct span entry;

    while (it.is_map && value_next(&it, &name, &entry)) {
        struct secret_problem problem;
        bool is_run = is_program(entry);
        char real[PATH_MAX];

        if ((is_run || (span_is_text(value_str(value_get(entry, "source"), NOTHING), "file") && !is_absent(entry))) &&
            secret_provider_look(entry, real, &problem)) {
            on(arg, name, is_run ? "command" : "path", problem.text);
        }
    }
}

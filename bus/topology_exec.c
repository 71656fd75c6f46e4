/*
 * topology_exec: hosts that are other programs: which, and what they may see.
 */
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "bus/topology_internal.h"
#include "bus/value.h"

#define TOPOLOGY_WORDS_MAX 64 /* of a command line, and names of variables */

static bool is_wildcard(const char *pattern)
{
    size_t len = strlen(pattern);

    return len > 0 && pattern[len - 1] == '*';
}

/* A list of texts, none of them empty, each judged by `why_not`. */
static int words_read(struct walk *self, const char *key, struct span list, const char *(*why_not)(struct span, size_t),
                      char ***ret_words)
{
    struct value_iter it = value_iter(list);
    struct span none;
    struct span item;
    size_t n = 0;

    if (value_kind_of(list) != VALUE_ARRAY || value_count(list) == 0 || value_count(list) > TOPOLOGY_WORDS_MAX) {
        return topology_refuse(self, "\"%s\" must be a list of 1 to %d texts", key, TOPOLOGY_WORDS_MAX);
    }
    *ret_words = mem_new((value_count(list) + 1) * sizeof(**ret_words));
    while (value_next(&it, &none, &item)) {
        struct span word = value_str(item, (struct span){ "", 0 });
        const char *why = word.len == 0 || memchr(word.ptr, '\0', word.len) ? "must be a text" : why_not(word, n);

        self->tokens_n++;
        if (why) {
            return topology_refuse(self, "what stands in \"%s\" %s", key, why);
        }
        (*ret_words)[n++] = mem_text(word.ptr, word.len);
    }
    return 0;
}

/* Nobody else's directory, nor an edit of PATH, decides which program runs. */
static const char *word_why_not(struct span word, size_t at)
{
    return at == 0 && word.ptr[0] != '/' ? "begins with the absolute path of the program" : NULL;
}

static const char *variable_why_not(struct span name, size_t at)
{
    (void)at;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (i > 0 && c >= '0' && c <= '9'))) {
            return "must be names of environment variables";
        }
    }
    return span_starts(name, "OPENCLAW_BUS_") ? "may not begin with OPENCLAW_BUS_, which the gateway sets itself"
                                              : NULL;
}

/* What this program alone can do for a host. */
int topology_exec_check(struct walk *self, const struct topology_host *host)
{
    if (!host->exec) {
        return host->env
                   ? topology_refuse(self, "host \"%s\" has \"env\", but no \"exec\": it sees all variables anyway",
                                     host->name)
                   : 0;
    }
    for (size_t i = 0; i < host->actors_n; i++) {
        if (is_wildcard(host->actors[i])) {
            return topology_refuse(
                self, "host \"%s\" has \"exec\": no actor can be started there later, so name each without \"*\"",
                host->name);
        }
    }
    if (host->is_remote) {
        return topology_refuse(self,
                               "host \"%s\" has \"exec\" and link \"tcp\": another program runs on the gateway's "
                               "machine; leave one of them out",
                               host->name);
    }
    return host->is_rest_for_one
               ? topology_refuse(
                     self, "host \"%s\" has \"exec\": that program starts its actors, so \"strategy\" means nothing",
                     host->name)
               : 0;
}

int topology_exec_read(struct walk *self, struct topology_host *host, struct span list)
{
    return words_read(self, "exec", list, word_why_not, &host->exec);
}

int topology_env_read(struct walk *self, struct topology_host *host, struct span list)
{
    return words_read(self, "env", list, variable_why_not, &host->env);
}

static void words_free(char **words)
{
    for (size_t i = 0; words && words[i]; i++) {
        free(words[i]);
    }
    free(words);
}

void topology_exec_deinit(struct topology_host *host)
{
    words_free(host->exec);
    words_free(host->env);
}

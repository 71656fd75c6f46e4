#include "schema/base/config_valid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_check.h"
#include "schema/base/config_shape.h"
#include "schema/base/log_place.h"
#include "schema/base/secret_check.h"

#define PLACE_MAX 512
#define SUMMARY_MAX 3
#define WORDS_SHOWN_MAX 12

struct job {
    const struct config_document *document;
    struct config_error *error;
    struct pack *issues;
    unsigned n;
};

static void words_pack(const struct config_shape *shape, struct pack *out)
{
    size_t n = shape->words_n < WORDS_SHOWN_MAX ? shape->words_n : WORDS_SHOWN_MAX;

    pack_key(out, "allowedValues");
    pack_array_begin(out);
    for (size_t i = 0; i < n; i++) {
        pack_text(out, config_shape_words[shape->words_at + i]);
    }
    pack_array_end(out);
    pack_kv_u64(out, "allowedValuesHiddenCount", shape->words_n - n);
}

static void issue_pack(struct pack *issues, const char *place, const char *message, const struct config_shape *shape)
{
    if (!issues) {
        return;
    }
    pack_map_begin(issues);
    pack_kv_text(issues, "path", place);
    pack_kv_text(issues, "message", message);
    if (shape && shape->words_n) {
        words_pack(shape, issues);
    }
    pack_map_end(issues);
}

void config_valid_issue_add(struct pack *issues, const struct config_error *error)
{
    size_t len = strcspn(error->text, " ");
    bool is_placed = memchr(error->text, '.', len) != NULL;
    char place[PLACE_MAX];

    (void)snprintf(place, sizeof(place), "%.*s", is_placed ? (int)len : 0, error->text);
    issue_pack(issues, place, error->text + (is_placed ? len + (error->text[len] == ' ') : 0), NULL);
}

static void on_issue(void *arg, const struct config_shape_issue *issue)
{
    struct job *job = arg;
    char place[PLACE_MAX];
    char where[480];

    config_shape_place(issue->steps, issue->steps_n, true, place, sizeof(place));
    issue_pack(job->issues, place, issue->message, issue->shape);
    if (job->n++ == 0) {
        config_document_where(job->document, issue->steps, issue->where_n, where, sizeof(where));
        (void)snprintf(job->error->text, sizeof(job->error->text), "%.300s: %.120s%s%.300s", where, place,
                       place[0] ? ": " : "", issue->message);
    }
}

/* logging.file is written to from now on: it must not be something that is needed. Returns how many issues. */
static unsigned log_file_check(struct job *job)
{
    struct config_shape_issue issue = { .steps_n = 2, .where_n = 2 };
    struct json5_step steps[] = { { .key = SPAN_LIT("logging") }, { .key = SPAN_LIT("file") } };
    const struct config_sources *sources = &job->document->sources;
    struct span file = value_str(value_path(pack_span(&job->document->resolved), "logging.file"), (struct span){ 0 });
    const char *home = getenv("HOME");                /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): the same */

    if (!file.len) {
        return 0;
    }
    const char **paths = mem_new((sources->n + 1) * sizeof(*paths));
    for (size_t i = 0; i < sources->n; i++) {
        paths[i] = sources->items[i]->path;
    }
    const char *problem = log_place_problem(file, home, state, paths, sources->n);
    free(paths);
    if (problem) {
        issue.steps = steps;
        (void)snprintf(issue.message, sizeof(issue.message), "Invalid input: the log cannot be written there, %s",
                       problem);
        on_issue(job, &issue);
    }
    return problem != NULL;
}

static void count_tell(struct job *job)
{
    size_t len = strlen(job->error->text);

    if (job->n > 1) {
        (void)snprintf(job->error->text + len, sizeof(job->error->text) - len, " (and %u more)", job->n - 1);
    }
}

int config_valid(const struct config_document *document, struct config_error *error, struct pack *issues)
{
    struct job job = { .document = document, .error = error, .issues = issues };
    struct span doc = pack_span(&document->resolved);
    struct config_error values = { "" };
    int r = config_check(doc, &values);

    unsigned found = config_shape_check(doc, on_issue, &job) ? 1 : secret_check(doc, on_issue, &job);
    if (found + log_file_check(&job)) {
        count_tell(&job);
    }
    if (!r) {
        return job.n ? CONFIG_VALID_E_REFUSED : 0;
    }
    /* Of a value that is read there is more to say than of its shape. */
    if (!job.n) {
        config_valid_issue_add(issues, &values);
    }
    *error = values;
    config_document_locate(document, error);
    return CONFIG_VALID_E_REFUSED;
}

void config_valid_summary(struct span issues, char *out, size_t out_size)
{
    struct value_iter it = value_iter(issues);
    struct span key;
    struct span issue;
    size_t n = 0;
    uint32_t count = value_count(issues);

    out[0] = '\0';
    for (unsigned i = 0; i < SUMMARY_MAX && n < out_size && value_next(&it, &key, &issue); i++) {
        struct span path = value_str(value_get(issue, "path"), (struct span){ 0 });
        struct span message = value_str(value_get(issue, "message"), (struct span){ 0 });

        n += (size_t)snprintf(out + n, out_size - n, "%s%.*s%s%.*s", i ? "; " : "", SPAN_FMT(path),
                              path.len ? ": " : "", SPAN_FMT(message));
    }
    if (count > SUMMARY_MAX && n < out_size) {
        (void)snprintf(out + n, out_size - n, " (+%u more)", count - SUMMARY_MAX);
    }
}

#include "schema/base/config_valid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/value.h"
#include "schema/base/config_check.h"
#include "schema/base/config_shape.h"
#include "schema/base/log_place.h"
#include "schema/base/secret_check.h"

struct job {
    const struct config_document *document;
    struct config_issues *issues;
    enum config_issue_source source;
};

static void on_value(void *arg, const char *place, const char *text)
{
    struct job *job = arg;
    struct config_issue issue;

    if (config_issues_skip(job->issues)) {
        return;
    }
    issue = (struct config_issue){ .place = "" };
    (void)snprintf(issue.place, sizeof(issue.place), "%s", place);
    (void)snprintf(issue.text, sizeof(issue.text), "%s", text);                           /* cut */
    (void)snprintf(issue.message, sizeof(issue.message), "%s", text + strlen(place) + 1); /* likewise */
    struct config_issue *kept = config_issues_add(job->issues, CONFIG_ISSUE_VALUE, &issue);
    if (kept) {
        config_document_find(job->document, span_from(kept->place), &kept->where);
    }
}

static void on_issue(void *arg, const struct config_shape_issue *found)
{
    struct job *job = arg;
    struct config_issue issue;

    if (config_issues_skip(job->issues)) {
        return;
    }
    issue = (struct config_issue){ .shape = found->shape };
    config_shape_place(found->steps, found->steps_n, true, issue.place, sizeof(issue.place));
    (void)snprintf(issue.message, sizeof(issue.message), "%s", found->message); /* it fits */
    (void)snprintf(issue.text, sizeof(issue.text), "%.190s%s%s", issue.place, issue.place[0] ? ": " : "",
                   issue.message); /* it fits */
    struct config_issue *kept = config_issues_add(job->issues, job->source, &issue);
    if (kept) {
        config_document_where(job->document, found->steps, found->where_n, &kept->where);
    }
}

/* logging.file is written to from now on: it must not be something that is needed. */
static void log_file_check(struct job *job)
{
    struct json5_step steps[] = { { .key = SPAN_LIT("logging") }, { .key = SPAN_LIT("file") } };
    struct config_shape_issue issue = { .steps = steps, .steps_n = 2, .where_n = 2 };
    const struct config_sources *sources = &job->document->sources;
    struct span file = value_str(value_path(pack_span(&job->document->resolved), "logging.file"), (struct span){ 0 });
    const char *home = getenv("HOME");                /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *state = getenv("OPENCLAW_STATE_DIR"); /* NOLINT(concurrency-mt-unsafe): the same */

    if (!file.len) {
        return;
    }
    const char **paths = mem_new((sources->n + 1) * sizeof(*paths));
    for (size_t i = 0; i < sources->n; i++) {
        paths[i] = sources->items[i]->path;
    }
    const char *problem = log_place_problem(file, home, state, paths, sources->n);
    free(paths);
    if (problem) {
        (void)snprintf(issue.message, sizeof(issue.message), "Invalid input: the log cannot be written there, %s",
                       problem);
        on_issue(job, &issue);
    }
}

int config_valid(const struct config_document *document, struct config_error *error, struct config_issues *issues)
{
    CLEANUP(config_issues_destroy) struct config_issues *own = issues ? NULL : config_issues_new();
    struct job job = { .document = document, .issues = issues ? issues : own, .source = CONFIG_ISSUE_SHAPE };
    struct span doc = pack_span(&document->resolved);

    (void)config_check(doc, on_value, &job); /* what each finds is counted by the issues */
    (void)config_shape_check(doc, on_issue, &job);
    job.source = CONFIG_ISSUE_VALUE;
    (void)secret_check(doc, on_issue, &job);
    log_file_check(&job);
    config_issues_error(job.issues, error);
    return config_issues_count(job.issues) ? CONFIG_VALID_E_REFUSED : 0;
}

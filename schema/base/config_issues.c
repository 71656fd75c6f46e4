#include "schema/base/config_issues.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/base/mem.h"
#include "bus/base/span.h"

#define KNOWN_MAX 4096U /* with more of them nothing is compared */
#define SUMMARY_MAX 3U
#define WORDS_SHOWN_MAX 12U
#define SUMMARY_MORE_MAX 32 /* bytes for " (+4096 more)" */
#define MORE_MAX 256        /* and for the longest of those with what shows the others */
#define SEE "see `openclaw%s%s config validate`"

/* What is left of one that is not kept. */
struct known {
    uint64_t section; /* these are hashes */
    uint64_t place;
    uint64_t what;
    uint64_t wording;
    enum config_issue_source source;
};

struct config_issues {
    struct config_issue items[CONFIG_ISSUES_MAX];
    size_t kept_n;
    struct known known[KNOWN_MAX];
    size_t known_n;
    size_t beyond_n;
    bool is_obscured;
    const struct config_issues *before; /* borrowed; NULL: nothing leads */
    bool is_taken[KNOWN_MAX];           /* which of those have been met */
    size_t brought_n;                   /* how many were not there, */
    size_t brought_kept_n;              /* and how many of them are kept, before all others */
};

struct config_issues *config_issues_new(void)
{
    return mem_new(sizeof(struct config_issues));
}

void config_issues_destroy(struct config_issues **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

/* --- which one it is ------------------------------------------------------------------------------- */

#define HASH_SEED UINT64_C(0xcbf29ce484222325)

/* FNV-1a. That two of them meet costs an issue its line, or calls a change a mend that adds one. */
static uint64_t hash_add(uint64_t hash, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t hash_of(const char *text)
{
    return hash_add(HASH_SEED, text, strlen(text));
}

/* The place without the numbers of entries. */
static uint64_t spot_of(const struct config_issue *issue)
{
    uint64_t hash = HASH_SEED;
    const char *part = issue->place;

    while (*part) {
        size_t len = strcspn(part, ".");

        if (strspn(part, "0123456789") < len) {
            hash = hash_add(hash, part, len);
        }
        hash = hash_add(hash, ".", 1);
        part += len + (part[len] == '.');
    }
    return hash;
}

static struct known *known_find(struct config_issues *self, const struct known *wanted)
{
    for (size_t i = 0; i < self->known_n; i++) {
        struct known *known = &self->known[i];
        bool is_two_views = known->source != CONFIG_ISSUE_SHAPE || wanted->source != CONFIG_ISSUE_SHAPE;

        if (known->place == wanted->place && (known->what == wanted->what || (is_two_views && known->place))) {
            return known;
        }
    }
    return NULL;
}

/* Takes one that is the same out of those that are left; told in the same words, or else where it is as wrong. */
static bool known_take(const struct config_issues *before, bool is_taken[KNOWN_MAX], const struct known *wanted,
                       bool is_literal)
{
    for (size_t i = 0; i < before->known_n; i++) {
        const struct known *known = &before->known[i];

        if (!is_taken[i] && (is_literal ? known->wording == wanted->wording : known->what == wanted->what)) {
            is_taken[i] = true;
            return true;
        }
    }
    return false;
}

/* --- adding ------------------------------------------------------------------------------------------ */

/* Programs know the words of the shape, and what it would accept. */
static void shape_lay(struct config_issues *self, const struct config_issue *issue)
{
    for (size_t i = 0; i < self->kept_n; i++) {
        struct config_issue *kept = &self->items[i];

        if (!strcmp(kept->place, issue->place)) {
            memcpy(kept->message, issue->message, sizeof(kept->message));
            kept->shape = issue->shape;
            return;
        }
    }
}

bool config_issues_skip(struct config_issues *self)
{
    bool is_full = self->known_n == KNOWN_MAX;

    self->beyond_n += is_full;
    return is_full;
}

void config_issues_lead(struct config_issues *self, const struct config_issues *before)
{
    self->before = before;
}

/* What could not be told of `before` may have been wrong there as well. */
static bool is_brought(struct config_issues *self, const struct known *known)
{
    return self->before && !(self->before->is_obscured && known->source == CONFIG_ISSUE_START) &&
           !known_take(self->before, self->is_taken, known, true);
}

static struct config_issue *keep(struct config_issues *self, const struct config_issue *issue, bool leads)
{
    size_t at = leads ? self->brought_kept_n : self->kept_n;

    if (at == CONFIG_ISSUES_MAX) {
        return NULL;
    }
    self->kept_n += self->kept_n < CONFIG_ISSUES_MAX;
    memmove(&self->items[at + 1], &self->items[at], (self->kept_n - 1 - at) * sizeof(self->items[0]));
    self->brought_kept_n += leads;
    self->items[at] = *issue;
    return &self->items[at];
}

struct config_issue *config_issues_add(struct config_issues *self, enum config_issue_source source,
                                       const struct config_issue *issue)
{
    if (config_issues_skip(self)) {
        return NULL;
    }
    uint64_t spot = spot_of(issue);
    uint64_t wording = hash_add(spot, issue->message, strlen(issue->message));
    /* Of a value that is read, another one that will not do is no other issue. */
    struct known known = { .section = hash_add(HASH_SEED, issue->place, strcspn(issue->place, ".")),
                           .place = issue->place[0] ? hash_of(issue->place) : 0,
                           .what = source == CONFIG_ISSUE_VALUE ? spot : wording,
                           .wording = wording,
                           .source = source };
    const struct known *same = known_find(self, &known);

    if (same) {
        if (same->source == CONFIG_ISSUE_VALUE && source == CONFIG_ISSUE_SHAPE) {
            shape_lay(self, issue);
        }
        return NULL;
    }
    self->known[self->known_n++] = known;
    bool leads = is_brought(self, &known);

    self->brought_n += leads;
    return keep(self, issue, leads);
}

static void placed_add(struct config_issues *self, enum config_issue_source source,
                       const struct config_document *document, const struct config_issue *issue)
{
    struct config_issue *kept = config_issues_add(self, source, issue);

    if (kept && kept->place[0]) {
        config_document_find(document, span_from(kept->place), &kept->where);
    }
}

void config_issues_add_text(struct config_issues *self, enum config_issue_source source,
                            const struct config_document *document, const char *text)
{
    struct config_issue issue = { .place = "" };
    size_t len = strcspn(text, " ");
    bool is_placed = memchr(text, '.', len) && len < sizeof(issue.place);

    (void)snprintf(issue.text, sizeof(issue.text), "%s", text); /* cut */
    if (is_placed) {
        memcpy(issue.place, text, len);
    }
    (void)snprintf(issue.message, sizeof(issue.message), "%s", /* cut */
                   is_placed ? text + len + (text[len] == ' ') : text);
    placed_add(self, source, document, &issue);
}

void config_issues_add_at(struct config_issues *self, enum config_issue_source source,
                          const struct config_document *document, const char *place, const char *message)
{
    struct config_issue issue = { .place = "" };

    (void)snprintf(issue.place, sizeof(issue.place), "%s", place);                            /* cut */
    (void)snprintf(issue.message, sizeof(issue.message), "%s", message);                      /* likewise */
    (void)snprintf(issue.text, sizeof(issue.text), "%.190s: %s", issue.place, issue.message); /* it fits */
    placed_add(self, source, document, &issue);
}

/* --- looking ------------------------------------------------------------------------------------------ */

size_t config_issues_kept(const struct config_issues *self)
{
    return self->kept_n;
}

const struct config_issue *config_issues_at(const struct config_issues *self, size_t i)
{
    return &self->items[i];
}

size_t config_issues_count(const struct config_issues *self)
{
    return self->known_n + self->beyond_n;
}

size_t config_issues_left_out(const struct config_issues *self)
{
    return config_issues_count(self) - self->kept_n;
}

bool config_issues_touch(const struct config_issues *self, const char *section)
{
    uint64_t hash = hash_of(section);

    for (size_t i = 0; i < self->known_n; i++) {
        if (self->known[i].section == hash) {
            return true;
        }
    }
    return false;
}

void config_issues_obscure(struct config_issues *self)
{
    self->is_obscured = true;
}

/* --- comparing ---------------------------------------------------------------------------------------- */

/* Is nothing new in `after`; and how many are left? */
static bool compare(const struct config_issues *before, const struct config_issues *after, size_t *ret_left_n)
{
    bool is_taken[KNOWN_MAX] = { false };
    size_t left_n = 0;

    if (before->beyond_n || after->beyond_n) {
        return false;
    }
    for (size_t i = 0; i < after->known_n; i++) {
        bool is_excused = before->is_obscured && after->known[i].source == CONFIG_ISSUE_START;
        bool was_there = known_take(before, is_taken, &after->known[i], false);

        if (!was_there && !is_excused) {
            return false;
        }
        left_n += was_there;
    }
    *ret_left_n = left_n;
    return true;
}

bool config_issues_is_mend(const struct config_issues *before, const struct config_issues *after)
{
    size_t left_n = 0;

    return compare(before, after, &left_n) && left_n < before->known_n;
}

bool config_issues_adds_none(const struct config_issues *before, const struct config_issues *after)
{
    size_t left_n = 0;

    return compare(before, after, &left_n);
}

/* --- telling ------------------------------------------------------------------------------------------ */

void config_issue_show(const struct config_issue *issue, char *out, size_t out_size)
{
    const struct config_where *where = &issue->where;
    int n = where->file[0] ? snprintf(out, out_size, "%.300s:%u:%u: ", where->file, where->line, where->column) : 0;

    if (n >= 0 && (size_t)n < out_size) {
        (void)snprintf(out + n, out_size - (size_t)n, "%s", issue->text); /* cut */
    }
}

/* Those of a change are in no file. */
static void more_show(const struct config_issues *self, char *out, size_t out_size)
{
    size_t brought_n = self->brought_n ? self->brought_n - 1 : 0;
    size_t others_n = config_issues_count(self) - 1 - brought_n;
    /* The command line sets it whichever way the profile was named. */
    const char *profile = getenv("OPENCLAW_PROFILE"); /* NOLINT(concurrency-mt-unsafe): set before threads start */
    const char *flag = profile && *profile ? " --profile " : "";

    profile = profile ? profile : "";
    if (!self->before && others_n) {
        (void)snprintf(out, out_size, " (and %zu more; " SEE ")", others_n, flag, profile);
    } else if (brought_n && others_n) {
        (void)snprintf(out, out_size, " (and %zu more of this change; %zu of before: " SEE ")", brought_n, others_n,
                       flag, profile);
    } else if (brought_n) {
        (void)snprintf(out, out_size, " (and %zu more of this change)", brought_n);
    } else if (others_n) {
        (void)snprintf(out, out_size, " (and %zu more of before; " SEE ")", others_n, flag, profile);
    }
}

void config_issues_error(const struct config_issues *self, struct config_error *error)
{
    char more[MORE_MAX] = "";

    error->text[0] = '\0';
    if (!self->kept_n) {
        return;
    }
    more_show(self, more, sizeof(more));
    config_issue_show(&self->items[0], error->text, sizeof(error->text) - strlen(more));
    size_t len = strlen(error->text);
    (void)snprintf(error->text + len, sizeof(error->text) - len, "%s", more);
}

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

void config_issues_pack(const struct config_issues *self, bool is_located, struct pack *out)
{
    pack_array_begin(out);
    for (size_t i = 0; i < self->kept_n; i++) {
        const struct config_issue *issue = &self->items[i];

        pack_map_begin(out);
        pack_kv_text(out, "path", issue->place);
        pack_kv_text(out, "message", issue->message);
        if (issue->shape && issue->shape->words_n) {
            words_pack(issue->shape, out);
        }
        if (is_located && issue->where.file[0]) {
            pack_kv_text(out, "file", issue->where.file);
            pack_kv_u64(out, "line", issue->where.line);
            pack_kv_u64(out, "column", issue->where.column);
        }
        pack_map_end(out);
    }
    pack_array_end(out);
}

void config_issues_summary(const struct config_issues *self, char *out, size_t out_size)
{
    size_t shown = self->kept_n < SUMMARY_MAX ? self->kept_n : SUMMARY_MAX;
    size_t more = config_issues_count(self) - shown;
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < shown && n < out_size; i++) {
        const struct config_issue *issue = &self->items[i];

        n += (size_t)snprintf(out + n, out_size - n, "%s%s%s%s", i ? "; " : "", issue->place,
                              issue->place[0] ? ": " : "", issue->message);
    }
    if (more) {
        n = strlen(out);
        n = n > out_size - SUMMARY_MORE_MAX ? out_size - SUMMARY_MORE_MAX : n;
        (void)snprintf(out + n, out_size - n, " (+%zu more)", more);
    }
}

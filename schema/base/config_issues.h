/*
 * config_issues: all that is wrong with a config, each with its place, what was expected and where it stands. The
 * first ones are kept in words; of the others it is known how many they are, and whether they are the same after a
 * change. Pure, but for the profile that it names.
 */
#ifndef SCHEMA_BASE_CONFIG_ISSUES_H
#define SCHEMA_BASE_CONFIG_ISSUES_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/pack.h"
#include "schema/base/config_document.h"
#include "schema/base/config_error.h"
#include "schema/config_table.h"

#define CONFIG_ISSUES_MAX 16U

struct config_issue {
    char place[512]; /* "agents.list.0.id"; empty: the config as a whole */
    struct config_where where;
    char text[600];                   /* for people: begins with the place */
    char message[400];                /* for programs: what is wrong there */
    const struct config_shape *shape; /* whose `words` would be accepted, or NULL */
};

/* From where something is known to be wrong; it counts when issues are told of a change. */
enum config_issue_source {
    CONFIG_ISSUE_VALUE, /* of what is read */
    CONFIG_ISSUE_SHAPE,
    CONFIG_ISSUE_START, /* what a start asks for beyond that */
};

struct config_issues;

/* Cannot fail. */
struct config_issues *config_issues_new(void);
void config_issues_destroy(struct config_issues **self_p);

/*
 * What is added from here on and was not in `before`, which stays where it is, comes first: who made a change asks for
 * what is wrong with that. Another value that will not do is another then.
 */
void config_issues_lead(struct config_issues *self, const struct config_issues *before);

/* There are so many that one more is only counted, which this does. Else false. */
bool config_issues_skip(struct config_issues *self);
/*
 * Adds one. What a value is known to be wrong with is more than what its shape says: the two are one issue, which
 * has the words of the former for people. Returns it where it is new and kept, to be told where it stands, else NULL.
 */
struct config_issue *config_issues_add(struct config_issues *self, enum config_issue_source source,
                                       const struct config_issue *issue);
/* The same of a text that begins with the place that it is about, if it is about one; finds where that stands. */
void config_issues_add_text(struct config_issues *self, enum config_issue_source source,
                            const struct config_document *document, const char *text);
/* The same of a place and what is wrong there. */
void config_issues_add_at(struct config_issues *self, enum config_issue_source source,
                          const struct config_document *document, const char *place, const char *message);

/* The kept ones, and how many there are in all. */
size_t config_issues_kept(const struct config_issues *self);
const struct config_issue *config_issues_at(const struct config_issues *self, size_t i);
size_t config_issues_count(const struct config_issues *self);
/* How many are not kept. */
size_t config_issues_left_out(const struct config_issues *self);
/* Is one of them about that section, or something in it? */
bool config_issues_touch(const struct config_issues *self, const char *section);

/* What a start would ask for cannot be told for what is wrong otherwise. */
void config_issues_obscure(struct config_issues *self);
/*
 * Is a change that leads from `before` to `after` a mend: is less wrong, and nothing that was not wrong before? Another
 * value that will not do is as wrong as the one before. Entries of lists count by what is wrong with them, as their
 * numbers change when one is removed. A start may ask for what nobody could tell before.
 */
bool config_issues_is_mend(const struct config_issues *before, const struct config_issues *after);
/* The second half of that alone. */
bool config_issues_adds_none(const struct config_issues *before, const struct config_issues *after);

/* "file:line:column: text" of one. Always terminated. */
void config_issue_show(const struct config_issue *issue, char *out, size_t out_size);
/* The first one, with where it stands, how many more there are, and what shows those that stand in the file. */
void config_issues_error(const struct config_issues *self, struct config_error *error);
/* Appends [{path, message, allowedValues?, allowedValuesHiddenCount?}], with `is_located` also file, line, column. */
void config_issues_pack(const struct config_issues *self, bool is_located, struct pack *out);
/* "gateway.mode: …; x: … (+2 more)" of the first three; `out_size` is 64 at least. */
void config_issues_summary(const struct config_issues *self, char *out, size_t out_size);

#endif

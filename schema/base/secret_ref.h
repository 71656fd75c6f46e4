/*
 * secret_ref: a reference to a secret, as a config holds it. Pure.
 *
 * { source: "env" | "file" | "exec", provider, id }, or a text that is nothing but
 * `${NAME}` or `$NAME`, which stands for { source: "env", provider: secrets.defaults.env
 * (else "default"), id: "NAME" }. A reference without a provider means the default one of
 * its source.
 */
#ifndef SCHEMA_BASE_SECRET_REF_H
#define SCHEMA_BASE_SECRET_REF_H

#include <stdbool.h>

#include "bus/base/span.h"

#define SECRET_PROVIDER_MAX 64U /* bytes of a provider's name */
#define SECRET_ID_MAX 1024U
#define SECRET_REF_TEXT_MAX (SECRET_PROVIDER_MAX + SECRET_ID_MAX + 8U)
#define SECRET_SINGLE_ID "value" /* the id of what a singleValue file holds */

enum secret_source {
    SECRET_SOURCE_ENV,
    SECRET_SOURCE_FILE,
    SECRET_SOURCE_EXEC,
};
#define SECRET_SOURCES_N 3

/* Borrows from the document. */
struct secret_ref {
    enum secret_source source;
    struct span provider;
    struct span id;
};

const char *secret_source_name(enum secret_source source);
/* False for any other word. */
bool secret_source_find(struct span name, enum secret_source *ret_source);

/* Is `value` a reference? `doc` has the defaults. Its parts may break the rules still. */
bool secret_ref_read(struct span value, struct span doc, struct secret_ref *ret_ref);

/* What is wrong with provider or id by the rules of the source, in words; NULL when all is well. */
const char *secret_ref_problem(const struct secret_ref *ref);
bool secret_provider_is_fit(struct span name);
bool secret_id_is_fit(enum secret_source source, struct span id);

/* A text of an older release that stood for a variable ("secretref-env:NAME"): refused where a secret may stand. */
bool secret_ref_is_legacy(struct span value);

bool secret_ref_is_same(const struct secret_ref *a, const struct secret_ref *b);
/* "env:default:NAME"; always terminated. For the operator's own eyes: ids are no secrets, but not for clients. */
void secret_ref_text(const struct secret_ref *ref, char out[SECRET_REF_TEXT_MAX]);

/* The provider's entry under secrets.providers; empty when there is none. */
struct span secret_provider_entry(struct span doc, struct span name);
/* secrets.defaults of the source, else "default". */
struct span secret_provider_default(struct span doc, enum secret_source source);

#endif

/*
 * models: which models can be chosen, and which one is chosen when nobody says. Pure.
 */
#ifndef ACTORS_CONFIG_MODELS_H
#define ACTORS_CONFIG_MODELS_H

#include "bus/base/span.h"
#include "bus/pack.h"

/* Needs no key and no network, so that a fresh install can answer. */
#define MODELS_BUILTIN_PROVIDER "builtin"
#define MODELS_BUILTIN_ID "echo"

/*
 * Appends { defaults: { model: { primary: "provider/model" } } }: what the document names,
 * else the first model of its first provider, else the built-in one.
 */
void models_default_pack(struct span doc, struct pack *out);

/* Appends the reply of models.list for the effective document. */
void models_list_pack(struct span doc, struct pack *out);

#endif

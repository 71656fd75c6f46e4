/*
 * config_legacy: keys of earlier config formats, and what became of them. Works on the text
 * of one file, so that comments and everything else stay. Pure.
 */
#ifndef EDGE_CLI_CONFIG_LEGACY_H
#define EDGE_CLI_CONFIG_LEGACY_H

#include "bus/base/span.h"
#include "bus/json.h"

#define CONFIG_LEGACY_SAYS_MAX 320

/*
 * Puts the text as it would be written today into `ret_text`, and calls `on` with one sentence
 * for each change, and for each old key that stays because the new one is there too
 * (`is_done` false). The text must have passed config_file_parse. 0 or a fault.
 */
int config_legacy_move(struct span text, void (*on)(void *arg, const char *says, bool is_done), void *arg,
                       struct text_buf *ret_text);

#endif

#include "edge/cli/config_advice.h"

#include <limits.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "edge/cli/cli_access.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/config_legacy.h"
#include "schema/base/config_file.h"

static void on_change(void *arg, const char *says, bool is_done)
{
    bool *is_legacy = arg;

    (void)says;
    *is_legacy = *is_legacy || is_done;
}

enum state { STATE_FINE, STATE_ABSENT, STATE_UNREADABLE, STATE_BROKEN, STATE_LEGACY };

static enum state text_judge(struct span text, const char *path)
{
    CLEANUP(pack_deinit) struct pack doc;
    CLEANUP(text_buf_deinit) struct text_buf moved = { 0 };
    struct config_error error = { "" };
    bool is_legacy = false;
    int r;

    pack_init(&doc, 0);
    r = config_file_parse(text, path, &doc, &error);
    if (!r) {
        (void)config_legacy_move(text, on_change, &is_legacy, &moved); /* without memory there is no advice */
    }
    mem_wipe(doc.data, doc.len);
    mem_wipe(moved.data, moved.len);
    return r > 0 ? STATE_BROKEN : is_legacy ? STATE_LEGACY : STATE_FINE;
}

static enum state file_judge(const char *path)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    int r = config_file_read(path, &text, &error);
    enum state state = r == CONFIG_FILE_E_ABSENT ? STATE_ABSENT
                       : r > 0                   ? STATE_UNREADABLE
                       : r < 0                   ? STATE_FINE
                                                 : text_judge((struct span){ text.data, text.len }, path);

    mem_wipe(text.data, text.len);
    return state;
}

static void state_advise(const struct cli_paths *paths, enum state state)
{
    char words[CLI_PROFILE_MAX + 16];
    char access[PATH_MAX + 256];

    switch (state) {
    case STATE_FINE:
        break;
    case STATE_ABSENT:
        cli_err_more("next: `openclaw%s setup` makes one", cli_paths_words(paths, words));
        break;
    case STATE_UNREADABLE:
        if (cli_access_advice(paths->config_path, access, sizeof(access))) {
            cli_err_more("next: %s", access);
        }
        break;
    case STATE_BROKEN:
        cli_err_more("next: correct it there; `openclaw%s doctor` says whether there is a copy to put back",
                     cli_paths_words(paths, words));
        break;
    case STATE_LEGACY:
        cli_err_more("next: `openclaw%s doctor --fix` writes its old keys as they are today",
                     cli_paths_words(paths, words));
        break;
    }
}

void config_advice_give(const struct cli_paths *paths)
{
    state_advise(paths, file_judge(paths->config_path));
}

void config_advice_token(const struct cli_paths *paths)
{
    enum state state = file_judge(paths->config_path);

    state_advise(paths, state == STATE_FINE ? STATE_ABSENT : state);
}

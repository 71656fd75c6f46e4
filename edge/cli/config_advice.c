#include "edge/cli/config_advice.h"

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"
#include "bus/json.h"
#include "bus/pack.h"
#include "edge/cli/cli_out.h"
#include "edge/cli/config_legacy.h"
#include "schema/base/config_file.h"

static void on_change(void *arg, const char *says, bool is_done)
{
    bool *is_legacy = arg;

    (void)says;
    *is_legacy = *is_legacy || is_done;
}

static bool is_legacy(struct span text, const char *path)
{
    CLEANUP(pack_deinit) struct pack doc;
    CLEANUP(text_buf_deinit) struct text_buf moved = { 0 };
    struct config_error error = { "" };
    bool is_found = false;

    pack_init(&doc, 0);
    if (!config_file_parse(text, path, &doc, &error)) {
        (void)config_legacy_move(text, on_change, &is_found, &moved); /* without memory there is no advice */
    }
    mem_wipe(doc.data, doc.len);
    mem_wipe(moved.data, moved.len);
    return is_found;
}

void config_advice_give(const struct cli_paths *paths)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    char words[CLI_PROFILE_MAX + 16];
    int r = config_file_read(paths->config_path, &text, &error);

    if (r == CONFIG_FILE_E_ABSENT) {
        cli_err_more("next: `openclaw%s setup` makes one", cli_paths_words(paths, words));
    } else if (!r && is_legacy((struct span){ text.data, text.len }, paths->config_path)) {
        cli_err_more("next: `openclaw%s doctor --fix` writes its old keys as they are today",
                     cli_paths_words(paths, words));
    }
    mem_wipe(text.data, text.len);
}

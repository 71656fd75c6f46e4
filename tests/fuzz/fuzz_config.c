/*
 * A config file, from its text to what is in force and what clients may see. Whatever is
 * accepted must be whole, and must never show the gateway's own secret.
 */
#include <string.h>

#include "actors/config/diff.h"
#include "actors/config/models.h"
#include "actors/config/snapshot.h"
#include "actors/config/view.h"
#include "bus/json.h"
#include "bus/value.h"
#include "tests/fuzz/fuzz.h"

#define SECRET "FUZZ-GATEWAY-SECRET"

static const char *find(void *arg, const char *name)
{
    (void)arg;
    if (!strcmp(name, "OPENCLAW_GATEWAY_TOKEN")) {
        return SECRET;
    }
    return !strcmp(name, "A") ? "value of A" : NULL;
}

static void is_whole(const struct pack *pack)
{
    FUZZ_HOLD(pack_error(pack) == 0);
    FUZZ_HOLD(wire_check(pack->data, pack->len, PACK_DEPTH_MAX));
}

static void show(const struct snapshot *snapshot)
{
    struct pack out;
    struct text_buf json = { 0 };

    pack_init(&out, 0);
    view_pack(snapshot, "openclaw.json", &(struct view_issues){ .text = "" }, &out);
    is_whole(&out);
    FUZZ_HOLD(json_from_value(pack_span(&out), &json) == 0);
    FUZZ_HOLD(!memmem(json.data, json.len, SECRET, sizeof(SECRET) - 1));
    pack_reset(&out);
    models_list_pack(pack_span(&snapshot->effective), &out);
    is_whole(&out);
    pack_reset(&out);
    diff_pack(pack_span(&snapshot->document.source), pack_span(&snapshot->effective), &out);
    is_whole(&out);
    text_buf_deinit(&json);
    pack_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct snapshot_opts opts = { .path = "openclaw.json", .state_dir = "/state", .lookup = { .find = find } };
    struct config_error error = { "" };
    struct snapshot snapshot;
    struct config_overlay overlay = { .path = opts.path, .text = { (const char *)data, size } };

    if (!size || memmem(data, size, SECRET, 4)) {
        return 0; /* a config that spells the secret out somewhere may show it there */
    }
    snapshot_init(&snapshot);
    snapshot.document.sources.overlay = &overlay;
    int r = snapshot_load(&snapshot, &opts, &error);
    snapshot.document.sources.overlay = NULL;
    FUZZ_HOLD(r == 0 || r == SNAPSHOT_E_REFUSED);
    FUZZ_HOLD(r == 0 || error.text[0]);
    if (!r) {
        is_whole(&snapshot.effective);
        show(&snapshot);
    }
    snapshot_deinit(&snapshot);
    return 0;
}

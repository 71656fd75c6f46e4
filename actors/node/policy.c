#include "actors/node/policy.h"

#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/value.h"

#define CANVAS                                                                                                         \
    "canvas.present", "canvas.hide", "canvas.navigate", "canvas.eval", "canvas.snapshot", "canvas.a2ui.push",          \
        "canvas.a2ui.pushJSONL", "canvas.a2ui.reset"
#define LOOKS "camera.list", "location.get"
#define DEVICE "device.info", "device.status"
#define PERSONAL                                                                                                       \
    "contacts.search", "calendar.events", "reminders.list", "photos.latest", "motion.activity", "motion.pedometer"
#define SYSTEM "system.run.prepare", "system.run", "system.which", "system.notify", "browser.proxy"

static const char *const ios_commands[] = { CANVAS, LOOKS, DEVICE, PERSONAL, "system.notify", NULL };
static const char *const android_commands[] = { CANVAS,
                                                LOOKS,
                                                DEVICE,
                                                PERSONAL,
                                                "system.notify",
                                                "device.permissions",
                                                "device.health",
                                                "callLog.search",
                                                "notifications.list",
                                                "notifications.actions",
                                                NULL };
static const char *const macos_commands[] = { CANVAS, LOOKS, DEVICE, PERSONAL, SYSTEM, "screen.snapshot", NULL };
static const char *const windows_commands[] = { CANVAS, LOOKS, DEVICE, SYSTEM, "screen.snapshot", NULL };
static const char *const linux_commands[] = { SYSTEM, NULL };
static const char *const unknown_commands[] = { CANVAS, LOOKS, "system.notify", NULL };

static const char *const *const defaults[] = {
    [POLICY_IOS] = ios_commands,         [POLICY_ANDROID] = android_commands, [POLICY_MACOS] = macos_commands,
    [POLICY_WINDOWS] = windows_commands, [POLICY_LINUX] = linux_commands,     [POLICY_UNKNOWN] = unknown_commands,
};

static const char *const run_commands[] = { "system.run.prepare", "system.run", "system.which" };

/* --- platforms ----------------------------------------------------------------------------- */

struct sign {
    const char *text;
    enum policy_platform platform;
};

static bool begins_with(struct span text, const char *sign)
{
    size_t len = strlen(sign);

    return text.len >= len && strncasecmp(text.ptr, sign, len) == 0;
}

static bool contains(struct span text, const char *sign)
{
    for (; text.len; text.ptr++, text.len--) {
        if (begins_with(text, sign)) {
            return true;
        }
    }
    return false;
}

enum policy_platform policy_platform_of(struct span platform, struct span device_family)
{
    static const struct sign prefixes[] = {
        { "ios", POLICY_IOS },      { "android", POLICY_ANDROID }, { "mac", POLICY_MACOS },
        { "darwin", POLICY_MACOS }, { "win", POLICY_WINDOWS },     { "linux", POLICY_LINUX },
    };
    static const struct sign families[] = {
        { "iphone", POLICY_IOS },      { "ipad", POLICY_IOS },  { "ios", POLICY_IOS },
        { "android", POLICY_ANDROID }, { "mac", POLICY_MACOS }, { "windows", POLICY_WINDOWS },
        { "linux", POLICY_LINUX },
    };

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (begins_with(span_trim(platform), prefixes[i].text)) {
            return prefixes[i].platform;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (contains(device_family, families[i].text)) {
            return families[i].platform;
        }
    }
    return POLICY_UNKNOWN;
}

/* --- commands ------------------------------------------------------------------------------- */

bool policy_list_has(struct span list, struct span text)
{
    struct value_iter iter = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item)) {
        if (span_is(span_trim(value_str(item, (struct span){ 0 })), text)) {
            return true;
        }
    }
    return false;
}

bool policy_allows(const struct policy *self, enum policy_platform platform, struct span command)
{
    if (command.len == 0 || policy_list_has(self->deny, command)) {
        return false;
    }
    for (const char *const *at = defaults[platform]; *at; at++) {
        if (span_is_text(command, *at)) {
            return true;
        }
    }
    return policy_list_has(self->allow, command);
}

/* True for the first of equal entries: what stands before `end` in the list is looked at. */
static bool is_first(struct span list, struct span text, const char *end)
{
    struct value_iter iter = value_iter(list);
    struct span key;
    struct span item;

    while (value_next(&iter, &key, &item) && item.ptr < end) {
        if (span_is(span_trim(value_str(item, (struct span){ 0 })), text)) {
            return false;
        }
    }
    return true;
}

void policy_filter(const struct policy *self, enum policy_platform platform, struct span declared,
                   const struct span *within, struct pack *out)
{
    struct value_iter iter = value_iter(declared);
    struct span key;
    struct span item;

    pack_array_begin(out);
    while (value_next(&iter, &key, &item)) {
        struct span command = span_trim(value_str(item, (struct span){ 0 }));

        if (policy_allows(self, platform, command) && (!within || policy_list_has(*within, command)) &&
            is_first(declared, command, item.ptr)) {
            pack_str(out, command);
        }
    }
    pack_array_end(out);
}

/* --- who may approve -------------------------------------------------------------------------- */

const char *const *policy_approval_scopes(struct span commands)
{
    static const char *const for_nothing[] = { "operator.pairing", NULL };
    static const char *const for_commands[] = { "operator.pairing", "operator.write", NULL };
    static const char *const for_running[] = { "operator.pairing", "operator.admin", NULL };

    for (size_t i = 0; i < ARRAY_LEN(run_commands); i++) {
        if (policy_list_has(commands, span_from(run_commands[i]))) {
            return for_running;
        }
    }
    return value_count(commands) ? for_commands : for_nothing;
}

const char *policy_missing_scope(const char *const *wanted, struct span held)
{
    if (policy_list_has(held, SPAN_LIT("operator.admin"))) {
        return NULL;
    }
    while (*wanted && policy_list_has(held, span_from(*wanted))) {
        wanted++;
    }
    return *wanted;
}

bool policy_needs_foreground(struct span command)
{
    return span_starts(command, "canvas.") || span_starts(command, "camera.") || span_starts(command, "screen.") ||
           span_starts(command, "talk.");
}

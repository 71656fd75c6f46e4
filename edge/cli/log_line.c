#include "edge/cli/log_line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bus/json.h"
#include "bus/value.h"
#include "edge/cli/cli_out.h"

#define NOTHING ((struct span){ 0 })

static bool parse(struct span raw, struct pack *out)
{
    struct json_opts opts = { .depth_max = 16 };
    struct json_error error;

    return raw.len && raw.ptr[0] == '{' && json_to_pack(raw, &opts, out, &error) == 0;
}

/* The name of the logger is JSON in a string: "{\"subsystem\":\"gateway/ws\"}". */
static void subsystem_find(struct log_line *self, struct span doc)
{
    struct span name = value_str(value_path(doc, "_meta.name"), value_str(value_get(doc, "0"), NOTHING));

    if (parse(name, &self->subsystem_doc)) {
        self->subsystem = value_str(value_get(pack_span(&self->subsystem_doc), "subsystem"), NOTHING);
    }
}

void log_line_init(struct log_line *self, struct span raw)
{
    struct span doc;

    *self = (struct log_line){ .raw = raw };
    pack_init(&self->doc, 0);
    pack_init(&self->subsystem_doc, 0);
    if (!parse(raw, &self->doc)) {
        return;
    }
    doc = pack_span(&self->doc);
    self->is_parsed = true;
    self->time = value_str(value_get(doc, "time"), value_str(value_path(doc, "_meta.date"), NOTHING));
    self->level = value_str(value_path(doc, "_meta.logLevelName"), value_str(value_get(doc, "level"), NOTHING));
    self->message = value_str(value_get(doc, "message"), value_str(value_get(doc, "1"), NOTHING));
    subsystem_find(self, doc);
}

void log_line_deinit(struct log_line *self)
{
    pack_deinit(&self->doc);
    pack_deinit(&self->subsystem_doc);
}

static void level_lower(struct span level, char out[12])
{
    size_t len = level.len < 11 ? level.len : 11;

    for (size_t i = 0; i < len; i++) {
        out[i] = (char)tolower((unsigned char)level.ptr[i]);
    }
    out[len] = '\0';
}

static void kv_present(struct pack *out, const char *key, struct span text)
{
    if (text.len) {
        pack_kv_str(out, key, text);
    }
}

void log_line_pack(const struct log_line *self, struct pack *out)
{
    char level[12];

    level_lower(self->level, level);
    pack_map_begin(out);
    pack_kv_text(out, "type", self->is_parsed ? "log" : "raw");
    if (self->is_parsed) {
        kv_present(out, "time", self->time);
        kv_present(out, "level", span_from(level));
        kv_present(out, "subsystem", self->subsystem);
        pack_kv_str(out, "message", self->message);
    }
    pack_kv_str(out, "raw", self->raw);
    pack_map_end(out);
}

void log_line_local_time(struct span text, char *out, size_t out_size)
{
    char copy[40] = "";
    char date[24];
    char zone[8];
    struct tm utc = { 0 };
    struct tm local;
    const char *rest;
    const char *fraction_end;
    time_t seconds;

    (void)snprintf(copy, sizeof(copy), "%.*s", (int)(text.len < sizeof(copy) ? text.len : sizeof(copy) - 1), text.ptr);
    rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &utc);
    if (!rest) {
        (void)snprintf(out, out_size, "%s", copy);
        return;
    }
    fraction_end = rest + (*rest == '.' ? 1 + strspn(rest + 1, "0123456789") : 0);
    seconds = timegm(&utc);
    if (*fraction_end == '+' || *fraction_end == '-') {
        long hours = strtol((char[]){ fraction_end[1], fraction_end[1] ? fraction_end[2] : '\0', '\0' }, NULL, 10);
        const char *colon = strchr(fraction_end, ':');
        long minutes = hours * 60 + (colon ? strtol(colon + 1, NULL, 10) : 0);

        seconds -= (*fraction_end == '-' ? -minutes : minutes) * 60;
    }
    (void)localtime_r(&seconds, &local);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &local);
    (void)strftime(zone, sizeof(zone), "%z", &local);
    (void)snprintf(out, out_size, "%s%.*s%s", date, (int)(fraction_end - rest), rest, zone);
}

static enum cli_style level_style(const char *level)
{
    if (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0) {
        return CLI_STYLE_BAD;
    }
    return strcmp(level, "warn") == 0 || strcmp(level, "warning") == 0 ? CLI_STYLE_WARN : CLI_STYLE_DIM;
}

void log_line_print(const struct log_line *self, bool is_plain, bool is_local_time)
{
    char when[64];
    char level[12];

    if (!self->is_parsed) {
        cli_out_safe(self->raw, false);
        cli_out("\n");
        return;
    }
    level_lower(self->level, level);
    if (is_local_time) {
        log_line_local_time(self->time, when, sizeof(when));
    } else {
        (void)snprintf(when, sizeof(when), "%.*s", (int)(self->time.len < 40 ? self->time.len : 40), self->time.ptr);
    }
    cli_out_safe(span_from(when), false);
    cli_out(" ");
    cli_out_styled(is_plain ? CLI_STYLE_PLAIN : level_style(level), level);
    cli_out("%*s ", (int)(strlen(level) < 5 ? 5 - strlen(level) : 0), "");
    if (self->subsystem.len) {
        cli_out_safe(self->subsystem, false);
        cli_out(": ");
    }
    cli_out_safe(self->message, false);
    cli_out("\n");
}

#include "actors/log/line.h"

#include <stdio.h>
#include <time.h>

#include "actors/log/mask.h"
#include "bus/base/cleanup.h"

void line_time(int64_t ts_ms, char ret_text[LINE_TIME_LEN])
{
    time_t seconds = (time_t)(ts_ms / 1000);
    int ms = ts_ms < 0 ? 0 : (int)(ts_ms % 1000);
    struct tm tm = { 0 };
    char date[24];

    gmtime_r(&seconds, &tm);
    if (!strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm)) {
        date[0] = '\0'; /* a year of more than four digits: nobody's clock */
    }
    snprintf(ret_text, LINE_TIME_LEN, "%.20s.%03u+00:00", date, (unsigned)ms % 1000);
}

enum log_level line_level(struct span name)
{
    if (span_is_text(name, "debug")) {
        return LOG_LEVEL_DEBUG;
    }
    if (span_is_text(name, "warning")) {
        return LOG_LEVEL_WARNING;
    }
    return span_is_text(name, "error") ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
}

static const char *reader_level(enum log_level level)
{
    static const char *const names[] = {
        [LOG_LEVEL_DEBUG] = "DEBUG",
        [LOG_LEVEL_INFO] = "INFO",
        [LOG_LEVEL_WARNING] = "WARN",
        [LOG_LEVEL_ERROR] = "ERROR",
    };

    return names[level];
}

static int put(struct text_buf *out, const char *literal)
{
    return text_buf_add(out, span_from(literal));
}

/* `,"key":"value"`; nothing for an empty value. */
static int put_member(struct text_buf *out, const char *key, struct span value)
{
    int r = 0;

    if (!value.len) {
        return 0;
    }
    r = put(out, ",\"");
    r = r ? r : put(out, key);
    r = r ? r : put(out, "\":");
    return r ? r : json_from_text(value, out);
}

/* The name that readers take the subsystem from is JSON inside a JSON string. */
static int put_meta(struct text_buf *out, const struct line *line)
{
    CLEANUP(text_buf_deinit) struct text_buf name = { 0 };
    int r = put(&name, "{\"subsystem\":");

    r = r ? r : json_from_text(line->actor.len ? line->actor : SPAN_LIT("gateway"), &name);
    r = r ? r : put(&name, "}");
    r = r ? r : put(out, ",\"_meta\":{\"logLevelName\":\"");
    r = r ? r : put(out, reader_level(line_level(line->level)));
    r = r ? r : put(out, "\"");
    r = r ? r : put_member(out, "name", (struct span){ name.data, name.len });
    return r ? r : put(out, "}");
}

static int put_head(struct text_buf *out, const struct line *line)
{
    char time_text[LINE_TIME_LEN];
    char pid[24];
    int r;

    line_time(line->ts_ms, time_text);
    r = put(out, "{\"time\":\"");
    r = r ? r : put(out, time_text);
    r = r ? r : put(out, "\"");
    r = r ? r : put_member(out, "level", line->level);
    r = r ? r : put_member(out, "actor", line->actor);
    r = r ? r : put_member(out, "host", line->host);
    if (!r && line->pid) {
        snprintf(pid, sizeof(pid), ",\"pid\":%u", line->pid);
        r = put(out, pid);
    }
    return r ? r : put_member(out, "event", line->event);
}

int line_format(const struct line *line, struct text_buf *out)
{
    CLEANUP(text_buf_deinit) struct text_buf message = { 0 };
    int r = text_buf_add(&message, line->event);

    if (!r && line->text.len) {
        r = put(&message, " ");
        r = r ? r : mask_text(line->text, &message);
    }
    struct span text = { message.data, message.len };
    r = r ? r : put_head(out, line);
    r = r ? r : put_member(out, "message", text);
    r = r ? r : put_member(out, "0", text);
    r = r ? r : put_meta(out, line);
    return r ? r : put(out, "}\n");
}

/*
 * log: one event name and key=value pairs per line.
 *
 * `log_info("link_up", "peer=%s rtt_ms=%u", name, rtt)`. Lines go to the sink of the
 * process (stderr until one is set). Never pass a payload or a secret.
 */
#ifndef BUS_BASE_LOG_H
#define BUS_BASE_LOG_H

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
};

/* `text` is the formatted key=value part, terminated. Called from any thread. */
typedef void (*log_sink)(enum log_level level, const char *event, const char *text);

/* Sets the sink and lowest level of the process; NULL restores stderr. Call before threads start. */
void log_set_sink(log_sink sink, enum log_level lowest);
enum log_level log_lowest(void);

void log_write(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Writes to stderr whatever the sink is: for a sink that cannot deliver. */
void log_stderr(enum log_level level, const char *event, const char *text);

#define log_error(event, ...) log_write(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_write(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) log_write(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_write(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#endif

/*
 * cli_out: what people and scripts read.
 *
 * Results go to standard output, explanations to standard error. A reader that went
 * away (`openclaw logs | head`) is no error: writing stops and cli_out_is_open says so.
 */
#ifndef EDGE_CLI_CLI_OUT_H
#define EDGE_CLI_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "bus/base/span.h"

enum cli_style {
    CLI_STYLE_PLAIN,
    CLI_STYLE_BOLD,
    CLI_STYLE_DIM,
    CLI_STYLE_GOOD,
    CLI_STYLE_WARN,
    CLI_STYLE_BAD,
};

/* Call first: makes a closed pipe an error code instead of a signal. */
void cli_out_init(bool no_color);

/* Standard output. */
void cli_out(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_out_span(struct span bytes);
/* `text` in a style when standard output is a terminal that shows colour. */
void cli_out_styled(enum cli_style style, const char *text);
bool cli_out_is_tty(void);
bool cli_out_is_open(void);
/* Pushes out what is buffered; false when it could not be written (a full disk). */
bool cli_out_flush(void);

/* "openclaw: " and the text, on standard error. */
void cli_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for what is no failure: it explains no exit code. */
void cli_remark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A further line of an explanation, indented. */
void cli_err_more(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Has anything gone to standard output? */
bool cli_out_is_used(void);
/* The first explanation, and the lines that say more about it, one below the other; "" when there was none. */
const char *cli_err_first(void);
const char *cli_err_hints(void);

/* Columns of the terminal, 80 when there is none; never under 40. */
size_t cli_out_columns(void);
/* Text broken at spaces so that no line passes `columns`; later lines start at `indent`. */
void cli_out_wrapped(const char *text, size_t column, size_t indent, size_t columns);

/*
 * Control characters of text that came from elsewhere would act on the terminal; this
 * prints them as "\xNN" and keeps line feeds and tabs when `keep_lines`. What turns the
 * direction of text or takes no room would make one name look like another: "\u{NNNN}".
 */
void cli_out_safe(struct span text, bool keep_lines);

/* Rows of cells, aligned when printed; one style per row set. At most so many columns. */
#define CLI_TABLE_COLUMNS_MAX 10
struct cli_table {
    size_t columns_n;
    char **cells; /* rows × columns, owned */
    size_t rows_n;
    size_t rows_cap;
};
/* Copies the cells; the first row added is the head. */
void cli_table_add(struct cli_table *self, const char *const *cells);
void cli_table_print(const struct cli_table *self, const char *indent);
void cli_table_deinit(struct cli_table *self);

#endif

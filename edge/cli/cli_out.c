#include "edge/cli/cli_out.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/mem.h"

/* The terminal is the one thing the program has only one of. */
static bool out_color;
static bool out_closed;
static bool out_broken;

static const char *const style_codes[] = { "0", "1", "2", "32", "33", "31" };

void cli_out_init(bool no_color)
{
    const char *no = getenv("NO_COLOR");
    const char *term = getenv("TERM");

    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a valid signal */
    out_color = !no_color && !(no && *no) && cli_out_is_tty() && !(term && strcmp(term, "dumb") == 0);
}

bool cli_out_is_tty(void)
{
    return isatty(STDOUT_FILENO) == 1;
}

bool cli_out_is_open(void)
{
    return !out_closed && !out_broken;
}

static void out_note_error(int code)
{
    if (code == EPIPE) {
        out_closed = true;
    } else {
        out_broken = true;
    }
}

void cli_out_span(struct span bytes)
{
    if (cli_out_is_open() && bytes.len && fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len) {
        out_note_error(errno);
    }
}

void cli_out(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (cli_out_is_open() && vfprintf(stdout, fmt, args) < 0) {
        out_note_error(errno);
    }
    va_end(args);
}

void cli_out_styled(enum cli_style style, const char *text)
{
    if (out_color && style != CLI_STYLE_PLAIN) {
        cli_out("\033[%sm%s\033[0m", style_codes[style], text);
    } else {
        cli_out("%s", text);
    }
}

bool cli_out_flush(void)
{
    if (cli_out_is_open() && fflush(stdout)) {
        out_note_error(errno);
    }
    return !out_broken;
}

void cli_err(const char *fmt, ...)
{
    va_list args;

    (void)cli_out_flush(); /* keeps the order when both go to one place */
    va_start(args, fmt);
    (void)fputs("openclaw: ", stderr); /* nowhere left to complain */
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void cli_err_more(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("  ", stderr); /* nowhere left to complain */
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

size_t cli_out_columns(void)
{
    struct winsize size = { 0 };
    const char *columns = getenv("COLUMNS");
    long n = columns ? strtol(columns, NULL, 10) : 0;

    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        n = size.ws_col;
    }
    return n <= 0 ? 80 : n < 40 ? 40 : (size_t)n;
}

void cli_out_wrapped(const char *text, size_t column, size_t indent, size_t columns)
{
    while (*text) {
        size_t word = strcspn(text, " \n");

        if (column > indent && column + 1 + word > columns) {
            cli_out("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            cli_out(" ");
            column++;
        }
        cli_out_span((struct span){ text, word });
        column += word;
        text += word;
        if (*text == '\n') {
            cli_out("\n%*s", (int)indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
}

void cli_out_safe(struct span text, bool keep_lines)
{
    size_t from = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        /* C1 controls are c2 80 … c2 9f in UTF-8. */
        bool is_c1 = c == 0xc2 && i + 1 < text.len && ((unsigned char)text.ptr[i + 1] & 0xe0) == 0x80;
        bool is_kept = keep_lines && (c == '\n' || c == '\t');

        if ((c >= 0x20 && c != 0x7f && !is_c1) || is_kept) {
            continue;
        }
        cli_out_span((struct span){ text.ptr + from, i - from });
        cli_out("\\x%02x", c);
        from = i + 1;
    }
    cli_out_span((struct span){ text.ptr + from, text.len - from });
}

/* Characters, not bytes: continuation bytes of UTF-8 take no column. */
static size_t text_columns(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

void cli_table_add(struct cli_table *self, const char *const *cells)
{
    if (self->rows_n == self->rows_cap) {
        size_t cap = self->rows_cap ? self->rows_cap * 2 : 16;
        char **grown = mem_new(cap * self->columns_n * sizeof(*grown));

        if (self->rows_n) {
            memcpy(grown, self->cells, self->rows_n * self->columns_n * sizeof(*grown));
        }
        free(self->cells);
        self->cells = grown;
        self->rows_cap = cap;
    }
    for (size_t i = 0; i < self->columns_n; i++) {
        self->cells[self->rows_n * self->columns_n + i] = mem_text(cells[i], strlen(cells[i]));
    }
    self->rows_n++;
}

static void row_print(const struct cli_table *self, size_t row, const size_t *widths)
{
    for (size_t i = 0; i < self->columns_n; i++) {
        const char *cell = self->cells[row * self->columns_n + i];
        size_t pad = i + 1 < self->columns_n ? widths[i] - text_columns(cell) + 2 : 0;

        if (row == 0) {
            cli_out_styled(CLI_STYLE_BOLD, cell);
        } else {
            cli_out_safe(span_from(cell), false);
        }
        cli_out("%*s", (int)pad, "");
    }
    cli_out("\n");
}

void cli_table_print(const struct cli_table *self, const char *indent)
{
    size_t widths[CLI_TABLE_COLUMNS_MAX] = { 0 };

    for (size_t row = 0; row < self->rows_n; row++) {
        for (size_t i = 0; i < self->columns_n; i++) {
            size_t width = text_columns(self->cells[row * self->columns_n + i]);

            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    for (size_t row = 0; row < self->rows_n; row++) {
        cli_out("%s", indent);
        row_print(self, row, widths);
    }
}

void cli_table_deinit(struct cli_table *self)
{
    for (size_t i = 0; i < self->rows_n * self->columns_n; i++) {
        free(self->cells[i]);
    }
    free(self->cells);
    *self = (struct cli_table){ 0 };
}

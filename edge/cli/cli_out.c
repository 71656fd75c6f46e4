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
#include "bus/base/utf8.h"

/* The terminal is the one thing the program has only one of. */
static bool out_color;
static bool out_closed;
static bool out_broken;
static bool out_used;
static char err_first[1024];
static char err_hints[1024];
static unsigned err_n;

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

bool cli_out_is_used(void)
{
    return out_used;
}

const char *cli_err_first(void)
{
    return err_first;
}

const char *cli_err_hints(void)
{
    return err_hints;
}

void cli_out_span(struct span bytes)
{
    out_used |= bytes.len > 0;
    if (cli_out_is_open() && bytes.len && fwrite(bytes.ptr, 1, bytes.len, stdout) != bytes.len) {
        out_note_error(errno);
    }
}

void cli_out(const char *fmt, ...)
{
    va_list args;

    out_used = true;
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
    if (err_n++ == 0) {
        va_start(args, fmt);
        (void)vsnprintf(err_first, sizeof(err_first), fmt, args); /* cut */
        va_end(args);
    }
    va_start(args, fmt);
    (void)fputs("openclaw: ", stderr); /* nowhere left to complain */
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

void cli_remark(const char *fmt, ...)
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
    size_t len = strlen(err_hints);

    if (err_n == 1 && len + 2 < sizeof(err_hints)) {
        err_hints[len] = '\n';
        len += len > 0; /* a line below another */
        va_start(args, fmt);
        (void)vsnprintf(err_hints + len, sizeof(err_hints) - len, fmt, args); /* cut */
        va_end(args);
    }
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

/* The character at `at`, 0 past the end; malformed bytes come one by one, as themselves. */
static uint32_t char_at(struct span text, size_t at, size_t *ret_len)
{
    size_t len = at < text.len ? utf8_char_len(text.ptr + at, text.len - at) : 0;
    uint32_t code = at < text.len ? (unsigned char)text.ptr[at] : 0;

    *ret_len = len ? len : 1;
    if (len > 1) {
        code &= 0x7fU >> len;
    }
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | ((unsigned char)text.ptr[at + i] & 0x3fU);
    }
    return code;
}

/* Takes no room on the screen, or turns the direction of what follows. */
static bool is_unseen(uint32_t code)
{
    return (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x061c || code == 0xfeff;
}

/* Joiners are part of emoji and of words in some scripts; beside ASCII they only hide. */
static bool is_joining(uint32_t code, uint32_t before, uint32_t after)
{
    return (code == 0x200c || code == 0x200d) && before > 0x9f && after > 0x9f && !is_unseen(before) &&
           !is_unseen(after);
}

static void bytes_escape(struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        cli_out("\\x%02x", (unsigned char)bytes.ptr[i]);
    }
}

void cli_out_safe(struct span text, bool keep_lines)
{
    size_t from = 0;
    size_t len;
    size_t next_len;
    uint32_t before = 0;

    for (size_t i = 0; i < text.len; i += len) {
        uint32_t code = char_at(text, i, &len);
        bool is_malformed = len == 1 && code > 0x7f; /* 8-bit terminals take some of these bytes for controls */
        bool is_control = (code < 0x20 && !(keep_lines && (code == '\n' || code == '\t'))) ||
                          (code >= 0x7f && code <= 0x9f) || is_malformed;
        bool is_hiding = is_unseen(code) && !is_joining(code, before, char_at(text, i + len, &next_len));

        before = is_malformed ? 0 : code;
        if (!is_control && !is_hiding) {
            continue;
        }
        cli_out_span((struct span){ text.ptr + from, i - from });
        from = i + len;
        if (is_control) {
            bytes_escape((struct span){ text.ptr + i, len });
        } else {
            cli_out("\\u{%X}", code);
        }
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

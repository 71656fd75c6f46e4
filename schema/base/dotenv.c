#include "schema/base/dotenv.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/base/cleanup.h"
#include "bus/base/log.h"
#include "bus/base/mem.h"
#include "schema/base/config_file.h"

#define NAME_MAX_LEN 256
#define VALUE_MAX (64U * 1024)

struct reader {
    struct span text;
    size_t at;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

static char peek(const struct reader *self)
{
    return self->at < self->text.len ? self->text.ptr[self->at] : '\n';
}

static void blanks_skip(struct reader *self)
{
    while (self->at < self->text.len && is_blank(peek(self))) {
        self->at++;
    }
}

static void line_skip(struct reader *self)
{
    while (self->at < self->text.len && peek(self) != '\n') {
        self->at++;
    }
    self->at += self->at < self->text.len;
}

static size_t quoted_read(struct reader *self, char quote, char *out)
{
    size_t n = 0;

    for (self->at++; self->at < self->text.len && peek(self) != quote; self->at++) {
        char c = peek(self);
        char next = self->at + 1 < self->text.len ? self->text.ptr[self->at + 1] : '\0';

        if (quote == '"' && c == '\\' && (next == 'n' || next == 'r' || next == '"' || next == '\\')) {
            c = next == 'n' ? '\n' : next == 'r' ? '\r' : next;
            self->at++;
        }
        if (n < VALUE_MAX && c) {
            out[n++] = c;
        }
    }
    return n;
}

static size_t plain_read(struct reader *self, char *out)
{
    size_t n = 0;

    for (; self->at < self->text.len && peek(self) != '\n' && peek(self) != '#'; self->at++) {
        if (n < VALUE_MAX && peek(self) != '\r' && peek(self)) {
            out[n++] = peek(self);
        }
    }
    while (n && is_blank(out[n - 1])) {
        n--;
    }
    return n;
}

static bool has_close(const struct reader *self, char quote)
{
    return memchr(self->text.ptr + self->at + 1, quote, self->text.len - self->at - 1) != NULL;
}

/* One assignment; false when the line is none. */
static bool assignment_read(struct reader *self, char name[NAME_MAX_LEN], char *value)
{
    size_t n = 0;

    blanks_skip(self);
    if (span_starts((struct span){ self->text.ptr + self->at, self->text.len - self->at }, "export ")) {
        self->at += strlen("export ");
        blanks_skip(self);
    }
    while (is_name_byte(peek(self)) && n < NAME_MAX_LEN - 1) {
        name[n++] = self->text.ptr[self->at++];
    }
    name[n] = '\0';
    blanks_skip(self);
    if (!n || peek(self) != '=') {
        return false;
    }
    self->at++;
    blanks_skip(self);
    char quote = peek(self);
    bool is_quoted = (quote == '"' || quote == '\'' || quote == '`') && has_close(self, quote);
    n = is_quoted ? quoted_read(self, quote, value) : plain_read(self, value);
    value[n] = '\0';
    return true;
}

void dotenv_walk(struct span text, void (*on)(void *arg, const struct dotenv_item *item), void *arg)
{
    struct reader reader = { .text = text };
    CLEANUP(mem_free) char *value = mem_new(VALUE_MAX + 1);
    char name[NAME_MAX_LEN];

    if (span_starts(text, "\xef\xbb\xbf")) {
        reader.at = 3;
    }
    while (reader.at < text.len) {
        struct dotenv_item item = { .name = name, .value = value, .at = reader.at };
        bool is_one = assignment_read(&reader, name, value);

        line_skip(&reader);
        item.end = reader.at;
        if (is_one) {
            on(arg, &item);
        }
    }
    mem_wipe(value, VALUE_MAX);
}

bool dotenv_is_harmless(const char *name)
{
    static const char *const fronts[] = { "OPENCLAW_", "LD_", "DYLD_", "NODE_", "GCONV_", "MALLOC_", "GLIBC_" };
    static const char *const whole[] = {
        "PATH",          "HOME",          "SHELL",         "USER",         "TMPDIR",          "IFS",
        "ENV",           "BASH_ENV",      "HTTP_PROXY",    "HTTPS_PROXY",  "ALL_PROXY",       "NO_PROXY",
        "SSL_CERT_DIR",  "SSL_CERT_FILE", "SSLKEYLOGFILE", "OPENSSL_CONF", "OPENSSL_MODULES", "CURL_CA_BUNDLE",
        "NOTIFY_SOCKET", "LISTEN_FDS",
    };

    for (size_t i = 0; i < ARRAY_LEN(fronts); i++) {
        if (!strncasecmp(name, fronts[i], strlen(fronts[i]))) {
            return false;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        if (!strcasecmp(name, whole[i])) {
            return false;
        }
    }
    return true;
}

struct load {
    const char *path;
    bool is_trusted;
};

static void on_assignment(void *arg, const struct dotenv_item *item)
{
    const struct load *load = arg;
    char text[PATH_MAX + NAME_MAX_LEN];

    if (!load->is_trusted && !dotenv_is_harmless(item->name)) {
        (void)snprintf(text, sizeof(text), "file=%s name=%s reason=\"not for a file of the working directory\"",
                       load->path, item->name);
        log_stderr(LOG_LEVEL_WARNING, "dotenv_left_out", text);
        return;
    }
    (void)setenv(item->name, item->value, 0); /* out of memory: then it is missed later, with its name */
}

void dotenv_load(const char *directory, bool is_trusted)
{
    CLEANUP(text_buf_deinit) struct text_buf text = { 0 };
    struct config_error error = { "" };
    char path[PATH_MAX];

    if (snprintf(path, sizeof(path), "%s/.env", directory) >= (int)sizeof(path)) {
        return;
    }
    int r = config_file_read(path, &text, &error);
    if (r == CONFIG_FILE_E_REFUSED) {
        log_stderr(LOG_LEVEL_WARNING, "dotenv_left_out", error.text);
    } else if (!r && text.len) {
        dotenv_walk((struct span){ text.data, text.len }, on_assignment,
                    &(struct load){ .path = path, .is_trusted = is_trusted });
        mem_wipe(text.data, text.len);
    }
}

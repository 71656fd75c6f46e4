#include "schema/base/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"
#include "bus/value.h"

static int refuse(struct config_error *error, const char *path, const char *why)
{
    return config_error_say(error, CONFIG_FILE_E_REFUSED, "%s: %s", path, why);
}

/* Reads to the end, one byte past the limit at most, so that a growing file is noticed. */
static int bytes_read(int fd, struct text_buf *text, size_t *ret_len)
{
    size_t len = 0;

    while (len <= CONFIG_FILE_BYTES_MAX) {
        int fault = text_buf_reserve(text, 65536);
        if (fault) {
            return fault;
        }
        ssize_t n = read(fd, text->data + text->len, 65536);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return FAULT(-errno);
        }
        if (n == 0) {
            break;
        }
        text->len += (size_t)n;
        len += (size_t)n;
    }
    *ret_len = len;
    return 0;
}

int config_file_read(const char *path, struct text_buf *text, struct config_error *error)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    size_t len = 0;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        refuse(error, path, "no such file");
        return CONFIG_FILE_E_ABSENT;
    }
    if (fd < 0 || fstat(fd, &st)) {
        return refuse(error, path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return refuse(error, path, "is not a regular file");
    }
    int fault = bytes_read(fd, text, &len);
    if (fault == -ENOMEM) {
        return fault;
    }
    if (fault) {
        return refuse(error, path, fault_text(fault));
    }
    if (len > CONFIG_FILE_BYTES_MAX) {
        return refuse(error, path, "is larger than 4 MiB");
    }
    return 0;
}

/* Is nothing but white space left where the mistake is? */
static bool is_end(struct span text, const struct json_error *where)
{
    size_t at = where->offset < text.len ? where->offset : text.len;

    return text.len && !span_trim((struct span){ text.ptr + at, text.len - at }).len;
}

int config_file_parse_value(struct span text, const char *path, struct pack *out, struct config_error *error)
{
    struct json_opts opts = { .depth_max = CONFIG_FILE_DEPTH_MAX, .json5 = true };
    struct json_error where = { 0 };
    int r = json_to_pack(text, &opts, out, &where);

    if (r < 0) {
        return r;
    }
    if (r == JSON_E_DEPTH) {
        snprintf(error->text, sizeof(error->text), "%s:%u:%u: nested deeper than %u levels", path, where.line,
                 where.column, CONFIG_FILE_DEPTH_MAX);
        return CONFIG_FILE_E_REFUSED;
    }
    if (r) {
        snprintf(error->text, sizeof(error->text), "%s:%u:%u: %sexpected %s", path, where.line, where.column,
                 is_end(text, &where) ? "the file ends before it is finished: " : "", where.expected);
        return CONFIG_FILE_E_REFUSED;
    }
    return 0;
}

int config_file_parse(struct span text, const char *path, struct pack *out, struct config_error *error)
{
    size_t start = out->len;
    int r = config_file_parse_value(text, path, out, error);

    if (r) {
        return r;
    }
    struct span doc = { out->data + start, out->len - start };
    return value_kind_of(doc) == VALUE_MAP ? 0 : refuse(error, path, "the outermost value must be an object");
}

int config_file_hash(struct span text, char ret_hash[CONFIG_FILE_HASH_LEN])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    /* Not OpenSSL's: every start would wait for that to read its own configuration. */
    if (crypto_hash_sha256(digest, (const unsigned char *)(text.len ? text.ptr : ""), text.len)) {
        return FAULT(-EIO);
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(ret_hash + 2 * i, 3, "%02x", digest[i]);
    }
    return 0;
}

#include "edge/cli/gateway_topology.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

#define FILE_BYTES_MAX (256U * 1024U)

const char gateway_topology_default[] =
    "{ hosts: { main: { actors: [\"config\", \"log\", \"auth\", \"health\", "
    "\"router\", \"node\", \"approval\", \"scheduler\", \"hooks\", \"tools\", \"otel\", "
    "\"channel/webchat\", \"edge/0\", \"agent/*\"] } } }";

/* 0, -errno, or GATEWAY_TOPOLOGY_E_REFUSED for what is no file: a pipe would be waited for. */
static int file_read(const char *path, struct text_buf *text)
{
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char chunk[4096];
    struct stat st;
    ssize_t len;

    if (fd < 0 || fstat(fd, &st)) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return GATEWAY_TOPOLOGY_E_REFUSED;
    }
    while ((len = read(fd, chunk, sizeof(chunk))) > 0) {
        if (text->len > FILE_BYTES_MAX) {
            return -EFBIG;
        }
        if (text_buf_add(text, (struct span){ chunk, (size_t)len })) {
            return -ENOMEM;
        }
    }
    return len < 0 ? -errno : 0;
}

int gateway_topology_load(const char *path, struct text_buf *text, struct topology *ret_topology,
                          struct topology_error *error)
{
    struct topology_error inner;
    int r = path ? file_read(path, text) : text_buf_add(text, span_from(gateway_topology_default));

    if (r) {
        (void)snprintf(error->text, sizeof(error->text), "cannot read topology %.180s: %s", path ? path : "",
                       r > 0 ? "it is no regular file" : strerror(-r));
        return GATEWAY_TOPOLOGY_E_REFUSED;
    }
    r = topology_parse((struct span){ text->data, text->len }, ret_topology, &inner);
    if (r > 0) {
        /* A long path must not push out what is wrong. */
        (void)snprintf(error->text, sizeof(error->text), "%.90s: %.160s", path ? path : "topology", inner.text);
        return GATEWAY_TOPOLOGY_E_REFUSED;
    }
    return r;
}

int gateway_topology_publish(struct span text, int *ret_fd)
{
    int fd = memfd_create("openclaw-topology", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        return FAULT(-errno);
    }
    errno = ENOSPC; /* a short write sets none */
    if (write(fd, text.ptr, text.len) != (ssize_t)text.len ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        int r = FAULT(-errno);

        (void)close(fd); /* the copy is of no use */
        return r;
    }
    *ret_fd = fd;
    return 0;
}

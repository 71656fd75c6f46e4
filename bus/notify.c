#include "bus/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus/base/log.h"

void notify_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len == 0) {
        return;
    }
    if (len >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@')) {
        log_warning("notify_refused", "reason=\"NOTIFY_SOCKET is no socket address\"");
        return;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        to.sun_path[0] = '\0'; /* abstract namespace, as sd_notify(3) spells it */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
        log_warning("notify_failed", "error=\"%s\"", strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd); /* a datagram has left or has not */
    }
}

#include "bus/sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus/base/fault.h"

/* Room for the descriptors that go along with one byte. */
union ancillary {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(SOCKETS_MAX * sizeof(int))];
};

static int outcome_of(int error)
{
    if (error == EAGAIN || error == EINTR) {
        return SOCKETS_E_NOT_YET;
    }
    return error == EPIPE || error == ECONNRESET ? SOCKETS_E_CLOSED : FAULT(-error);
}

/* One byte with `n` descriptors, which stay the sender's. */
static int send_fds(int fd, const int *fds, size_t n)
{
    char byte = 'S';
    struct iovec text = { &byte, 1 };
    union ancillary ancillary = { .bytes = { 0 } };
    struct msghdr msg = { .msg_iov = &text, .msg_iovlen = 1 };

    if (n) {
        msg.msg_control = ancillary.bytes;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), fds, n * sizeof(int));
    }
    return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : outcome_of(errno);
}

static int receive_fds(int fd, int ret_fds[SOCKETS_MAX], size_t *ret_n)
{
    char byte;
    struct iovec text = { &byte, 1 };
    union ancillary ancillary;
    struct msghdr msg = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof(ancillary)
    };
    ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = len == 1 ? CMSG_FIRSTHDR(&msg) : NULL;

    *ret_n = 0;
    if (len != 1) {
        return len < 0 ? outcome_of(errno) : SOCKETS_E_CLOSED;
    }
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *ret_n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(ret_fds, CMSG_DATA(header), *ret_n * sizeof(int));
    }
    return 0;
}

int sockets_channel(int ret_ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends) ? FAULT(-errno) : 0;
}

int sockets_answer(int channel, const int *fds, size_t n)
{
    int ends[SOCKETS_MAX];
    size_t ends_n;
    int r = receive_fds(channel, ends, &ends_n);

    for (size_t i = 0; r == 0 && i < ends_n; i++) {
        (void)send_fds(ends[i], fds, n); /* an asker that is gone asks again in its next life */
        (void)close(ends[i]);
    }
    return r;
}

int sockets_ask(int channel, int *ret_answer)
{
    int ends[2];
    int r = sockets_channel(ends);

    if (r) {
        return r;
    }
    r = send_fds(channel, &ends[1], 1);
    (void)close(ends[1]); /* the holder has its own */
    if (r) {
        (void)close(ends[0]);
        return r < 0 ? r : FAULT(-EPIPE);
    }
    *ret_answer = ends[0];
    return 0;
}

int sockets_take(int answer, int ret_fds[SOCKETS_MAX], size_t *ret_n)
{
    return receive_fds(answer, ret_fds, ret_n);
}

#include "bus/pulse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bus/base/cleanup.h"
#include "bus/base/fault.h"

static int page_map(int fd, struct pulse_page **ret_page)
{
    void *page = mmap(NULL, sizeof(**ret_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED) {
        return FAULT(-errno);
    }
    *ret_page = page;
    return 0;
}

int pulse_page_new(int *ret_fd, struct pulse_page **ret_page)
{
    int fd = memfd_create("openclaw-pulse", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r;

    if (fd < 0) {
        return FAULT(-errno);
    }
    if (ftruncate(fd, (off_t)sizeof(**ret_page)) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        r = FAULT(-errno);
    } else {
        r = page_map(fd, ret_page);
    }
    if (r) {
        (void)close(fd); /* nothing is in it */
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int pulse_page_open(int fd, struct pulse_page **ret_page)
{
    int r = page_map(fd, ret_page);

    (void)close(fd); /* the mapping stays */
    return r;
}

void pulse_page_close(struct pulse_page **page_p)
{
    struct pulse_page *page = TAKE(*page_p);

    if (page) {
        (void)munmap(page, sizeof(*page)); /* it was mapped so */
    }
}

void pulse_page_clear(struct pulse_page *self)
{
    uint32_t used = atomic_load(&self->used);

    used = used < PULSE_ACTORS_MAX ? used : PULSE_ACTORS_MAX;
    for (uint32_t i = 0; i < used; i++) {
        pulse_stop(&self->actors[i]);
        pulse_give(&self->actors[i]);
    }
    atomic_store(&self->used, 0);
    self->word[0] = '\0';
}

void pulse_page_say(struct pulse_page *self, const char *why)
{
    if (self) {
        (void)snprintf(self->word, sizeof(self->word), "%s", why); /* cut texts are fine */
    }
}

bool pulse_page_said(const struct pulse_page *self, char ret_why[PULSE_WORD_MAX])
{
    size_t n = 0;

    while (n < PULSE_WORD_MAX - 1 && self->word[n]) {
        ret_why[n] = (char)((unsigned char)self->word[n] < ' ' ? ' ' : self->word[n]);
        n++;
    }
    ret_why[n] = '\0';
    return n > 0;
}

struct pulse *pulse_take(struct pulse_page *self, const char *address)
{
    uint32_t used = self ? atomic_load(&self->used) : 0;
    uint32_t i = 0;

    while (i < used && self->actors[i].address[0]) {
        i++;
    }
    if (!self || i == PULSE_ACTORS_MAX) {
        return NULL;
    }
    (void)strncpy(self->actors[i].address, address, ACTOR_ADDRESS_MAX - 1); /* the last byte stays 0 */
    if (i == used) {
        atomic_store(&self->used, used + 1);
    }
    return &self->actors[i];
}

void pulse_give(struct pulse *self)
{
    if (self) {
        memset(self->address, 0, sizeof(self->address));
        pulse_silence(self, false);
    }
}

void pulse_start(struct pulse *self)
{
    if (self) {
        atomic_store_explicit(&self->beat, 0, memory_order_relaxed);
        atomic_store_explicit(&self->tid, (uint32_t)gettid(), memory_order_release);
    }
}

void pulse_stop(struct pulse *self)
{
    if (self) {
        atomic_store_explicit(&self->tid, 0, memory_order_relaxed);
        atomic_store_explicit(&self->beat, 0, memory_order_relaxed);
    }
}

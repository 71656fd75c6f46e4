#include "bus/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Such an object has relocated addresses in its code. None is built so on purpose. */
static bool is_code_relocated(const struct dl_phdr_info *object)
{
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];

        if (part->p_type != PT_DYNAMIC) {
            continue;
        }
        for (const ElfW(Dyn) *at = (const ElfW(Dyn) *)(object->dlpi_addr + part->p_vaddr); at->d_tag != DT_NULL; at++) {
            if (at->d_tag == DT_TEXTREL || (at->d_tag == DT_FLAGS && (at->d_un.d_val & DF_TEXTREL))) {
                return true;
            }
        }
    }
    return false;
}

/* Only segments that nobody ever writes: anywhere else a page may hold what is in no file,
 * a relocated address above all. */
static int on_object(struct dl_phdr_info *object, size_t size, void *arg)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)arg;
    if (is_code_relocated(object)) {
        return 0;
    }
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t from = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
        uintptr_t to = (object->dlpi_addr + part->p_vaddr + part->p_filesz) & ~(page - 1);

        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W) && to > from) {
            (void)madvise((void *)from, to - from, MADV_DONTNEED); /* a refusal leaves them where they are */
        }
    }
    return 0;
}

void trim_after_start(void)
{
    (void)malloc_trim(0);
    (void)dl_iterate_phdr(on_object, NULL);
}

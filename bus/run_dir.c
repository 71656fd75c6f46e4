#include "bus/run_dir.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX ".sock"

void run_dir_sweep(const char *run_dir, const char *prefix)
{
    DIR *dir = opendir(run_dir);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe): this stream is ours alone */
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && len > strlen(SUFFIX) &&
            strcmp(entry->d_name + len - strlen(SUFFIX), SUFFIX) == 0) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* see the header */
        }
    }
    if (dir) {
        (void)closedir(dir); /* only read from */
    }
}

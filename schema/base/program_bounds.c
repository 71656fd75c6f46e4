#include "schema/base/program_bounds.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include "bus/base/cleanup.h"

#define FILES_MAX 64U

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "program_bounds: which architecture do its system calls belong to?"
#endif

/* --- how much ----------------------------------------------------------------------------- */

static int limits_set(const struct program_bounds *bounds)
{
    const struct {
        int which;
        rlim_t value;
    } rows[] = { { RLIMIT_AS, bounds->memory_bytes },
                 { RLIMIT_CPU, bounds->cpu_s },
                 { RLIMIT_FSIZE, 0 }, /* pipes have no size */
                 { RLIMIT_CORE, 0 },
                 { RLIMIT_NOFILE, FILES_MAX } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)rows[i].which, &limit)) {
            return -errno;
        }
        limit.rlim_max = rows[i].value < limit.rlim_max ? rows[i].value : limit.rlim_max; /* it may be less already */
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit((__rlimit_resource_t)rows[i].which, &limit)) {
            return -errno;
        }
    }
    return 0;
}

/* --- what may be read ----------------------------------------------------------------------- */

#define READABLE (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define HANDLED                                                                                                        \
    (READABLE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |       \
     LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                        \
     LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                     \
     LANDLOCK_ACCESS_FS_MAKE_SYM)

/* One that is not there is passed over. */
static void path_allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC) };

    if (rule.parent_fd >= 0) {
        (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0U);
        close(rule.parent_fd);
    }
}

/* Programs, libraries and fonts. What it has open is not asked for again. */
static int files_narrow(const char *command)
{
    static const char *const paths[] = { "/usr",
                                         "/lib",
                                         "/lib64",
                                         "/bin",
                                         "/opt",
                                         "/etc/fonts",
                                         "/etc/ld.so.cache",
                                         "/etc/alternatives",
                                         "/nix/store",
                                         "/gnu/store",
                                         "/var/cache/fontconfig" };
    struct landlock_ruleset_attr attr = { .handled_access_fs = HANDLED };
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0U);
    int r = 0;

    if (ruleset < 0) {
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
    }
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        path_allow(ruleset, paths[i], READABLE);
    }
    path_allow(ruleset, command, LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE);
    if (syscall(SYS_landlock_restrict_self, ruleset, 0U)) {
        r = -errno;
    }
    close(ruleset);
    return r;
}

/* --- which system calls ----------------------------------------------------------------------- */

#define REFUSE(code) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))
#define IF_CALL(number, code) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), REFUSE(code)

static int calls_narrow(void)
{
    struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 0, 1), /* x32: the same calls by other numbers */
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        IF_CALL(SYS_fork, EPERM),
        IF_CALL(SYS_vfork, EPERM),
#endif
        IF_CALL(SYS_socket, EACCES),
        IF_CALL(SYS_socketpair, EACCES),
        IF_CALL(SYS_io_uring_setup, EPERM),
        IF_CALL(SYS_ptrace, EPERM),
        IF_CALL(SYS_process_vm_readv, EPERM),
        IF_CALL(SYS_process_vm_writev, EPERM),
        IF_CALL(SYS_kill, EPERM),
        IF_CALL(SYS_clone3, ENOSYS), /* its flags cannot be seen from here; the C library asks clone then */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0),
        REFUSE(EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = ARRAY_LEN(rows), .filter = rows };

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0L, 0L) ? -errno : 0;
}

int program_bounds_set(const struct program_bounds *bounds, const char *command)
{
    int r = prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) ? -errno : files_narrow(command);

    r = r ? r : limits_set(bounds);
    return r ? r : calls_narrow();
}

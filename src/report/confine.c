#include "report/confine_priv.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <jansson.h>

/* Sanitizers map terabytes of addresses, and look at the stack before the end. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED 0
#endif

enum {
    CPU_S = 10,
    MEMORY_MAX = 512 << 20, /* of addresses: the tree of the largest JSON that is a report fits */
};

static bool limit(__rlimit_resource_t what, rlim_t most)
{
    return setrlimit(what, &(struct rlimit){most, most}) == 0;
}

static bool allow(scmp_filter_ctx f, int call)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 0) == 0;
}

/* Memory that is not executable. */
static bool allow_data(scmp_filter_ctx f, int call)
{
    return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
}

static bool filter_calls(void)
{
    static const int plain[] = {SCMP_SYS(read),   SCMP_SYS(write),     SCMP_SYS(brk),
                                SCMP_SYS(munmap), SCMP_SYS(mremap),    SCMP_SYS(madvise),
                                SCMP_SYS(futex),  SCMP_SYS(getrandom), SCMP_SYS(exit_group)};
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool good = f && allow_data(f, SCMP_SYS(mmap)) && allow_data(f, SCMP_SYS(mprotect));
    for (size_t i = 0; good && i < sizeof plain / sizeof *plain; i++)
        good = allow(f, plain[i]);
    if (SANITIZED)
        good = good && allow(f, SCMP_SYS(sigaltstack));
    good = good && seccomp_load(f) == 0;
    seccomp_release(f);
    return good;
}

bool report_confine(void)
{
    /* What would open a file later: Jansson /dev/urandom, timegm the time zone. */
    json_object_seed((size_t)rand_u64() | 1);
    tzset();
    bool good = limit(RLIMIT_CPU, CPU_S) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_NOFILE, 0) &&
                limit(RLIMIT_NPROC, 0) && limit(RLIMIT_CORE, 0);
    return good && (SANITIZED || limit(RLIMIT_AS, MEMORY_MAX)) && prctl(PR_SET_DUMPABLE, 0) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && filter_calls();
}

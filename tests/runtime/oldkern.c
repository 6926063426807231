// SPDX-License-Identifier: GPL-2.0-or-later
/* oldkern: run i386 programs as an old Linux kernel would.
 *
 * usage: oldkern 2.6.9|2.4.20 LOG PROGRAM ARGUMENT...
 *
 * System calls that the kernel did not have answer ENOSYS; of those it had, flags and options that came
 * later are refused or ignored as that kernel did. uname tells the kernel's version, and the auxiliary
 * vector has no entries that came later (the vDSO among them). x86-64 programs are left as they are, so
 * that chroot(8) or perl of the machine can stand in front or be called.
 * LOG gets one line "COUNT NUMBER OPERATION" for each kind of answer that differs from today's kernel.
 *
 * A seccomp filter stops the program at the calls in question; this process, its tracer, then decides.
 * Sources for what a kernel had: arch/i386/kernel/entry.S, kernel/futex.c, kernel/posix-timers.c,
 * net/socket.c, net/core/sock.c, fs/fcntl.c, kernel/sys.c, mm/madvise.c of that version.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { /* i386 system calls that are looked into */
    NR_OPEN = 5, NR_FCNTL = 55, NR_SOCKETCALL = 102, NR_CLONE = 120, NR_UNAME = 122, NR_PRCTL = 172,
    NR_SENDFILE = 187, NR_MADVISE = 219, NR_FCNTL64 = 221, NR_SENDFILE64 = 239, NR_FUTEX = 240,
    NR_TIMER_CREATE = 259, NR_CLOCK_SETTIME = 264, NR_CLOCK_GETTIME = 265, NR_CLOCK_GETRES = 266,
    NR_CLOCK_NANOSLEEP = 267, NR_HIGHEST = 600,
};
static const unsigned inspected[] = {
    NR_OPEN, NR_FCNTL, NR_SOCKETCALL, NR_CLONE, NR_UNAME, NR_PRCTL, NR_SENDFILE, NR_MADVISE, NR_FCNTL64,
    NR_SENDFILE64, NR_FUTEX, NR_TIMER_CREATE, NR_CLOCK_SETTIME, NR_CLOCK_GETTIME, NR_CLOCK_GETRES,
    NR_CLOCK_NANOSLEEP,
};

static const struct kernel {
    const char *name, *release, *version;
    unsigned last_call;       /* the highest system call */
    unsigned last_prctl;      /* the highest prctl option */
    unsigned last_option;     /* the highest option of SOL_SOCKET */
    unsigned clone_flags;     /* flags of clone that it does not know, and ignores */
    bool sendfile_to_socket;  /* sendfile writes to sockets only */
    bool has_sysinfo;         /* the auxiliary vector has AT_SYSINFO, the fast system call */
} kernels[] = {
    {"2.6.9", "2.6.9-103.EL", "#1 Fri Dec 9 04:17:55 EST 2011", 283, 15, 31, 0, true, true},
    {"2.4.20", "2.4.20-46.7.legacy", "#1 Wed Jul 12 20:09:44 UTC 2006", 238, 8, 30,
     CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID, false, false},
};
static const struct kernel *kernel;

/* One kind of answer: a system call and what of it was refused (0: all of it). */
static struct { unsigned call, operation; unsigned long count; } answers[4096];

static void count(unsigned call, unsigned operation)
{
    unsigned i = 0;
    while (answers[i].count && (answers[i].call != call || answers[i].operation != operation))
        if (++i == sizeof answers / sizeof *answers)
            return;
    answers[i].call = call;
    answers[i].operation = operation;
    answers[i].count++;
}

static void die(const char *what)
{
    perror(what);
    exit(126);
}

static bool get(pid_t pid, uint32_t address, void *to, size_t size)
{
    struct iovec here = {to, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_readv(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

static bool put(pid_t pid, uint32_t address, const void *from, size_t size)
{
    struct iovec here = {(void *)from, size}, there = {(void *)(uintptr_t)address, size};
    return process_vm_writev(pid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* Do not make the call; answer in its place. */
static void answer(pid_t pid, struct user_regs_struct *regs, long result)
{
    regs->orig_rax = -1;
    regs->rax = result;
    ptrace(PTRACE_SETREGS, pid, 0, regs);
}

static void refuse(pid_t pid, struct user_regs_struct *regs, unsigned operation, int error)
{
    count(regs->orig_rax, operation);
    answer(pid, regs, -error);
}

static bool is_socket(pid_t pid, unsigned fd)
{
    char path[64], target[16] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%u", pid, fd);
    return readlink(path, target, sizeof target - 1) > 0 && !strncmp(target, "socket:", 7);
}

/* socketcall(2): accept4 and later are not there, nor flags in a socket's type, nor later families. */
static void on_socketcall(pid_t pid, struct user_regs_struct *regs)
{
    enum { SOCKET = 1, SOCKETPAIR = 8, SETSOCKOPT = 14, GETSOCKOPT = 15, RECVMSG = 17 };
    enum { CAN = 29, TIPC = 30, FAMILIES = 32 };
    enum { LEVEL_SOCKET = 1, REUSEPORT = 15, LEVEL_TCP = 6, LAST_TCP_OPTION = 12 };
    unsigned operation = regs->rbx;
    uint32_t arguments[3];
    if (operation > RECVMSG) {
        refuse(pid, regs, operation, EINVAL);
        return;
    }
    if (!get(pid, regs->rcx, arguments, sizeof arguments))
        return;
    unsigned level = arguments[1], option = arguments[2];
    if (operation == SOCKET || operation == SOCKETPAIR) {
        if (arguments[0] == CAN || arguments[0] == TIPC || arguments[0] >= FAMILIES)
            refuse(pid, regs, operation, EAFNOSUPPORT);
        else if (arguments[1] & ~0xfu)
            refuse(pid, regs, operation, EINVAL);
    } else if (operation == SETSOCKOPT || operation == GETSOCKOPT) {
        if ((level == LEVEL_SOCKET && (option == REUSEPORT || option > kernel->last_option)) ||
            (level == LEVEL_TCP && option > LAST_TCP_OPTION))
            refuse(pid, regs, operation, ENOPROTOOPT);
    }
}

static void on_uname(pid_t pid, struct user_regs_struct *regs)
{
    struct utsname name;
    uname(&name);
    strcpy(name.release, kernel->release);
    strcpy(name.version, kernel->version);
    strcpy(name.machine, "i686");
    answer(pid, regs, put(pid, regs->rbx, &name, sizeof name) ? 0 : -EFAULT);
}

/* Let the call pass with another argument. */
static void pass_with(pid_t pid, struct user_regs_struct *regs, unsigned operation)
{
    count(regs->orig_rax, operation);
    ptrace(PTRACE_SETREGS, pid, 0, regs);
}

static void on_call(pid_t pid)
{
    enum { NEW_OPEN_FLAGS = 0x80000 | 0x200000 | 0x400000 }; /* O_CLOEXEC, O_PATH, O_TMPFILE */
    enum { LAST_FUTEX = 4, LAST_FCNTL = 16, FIRST_LINUX_FCNTL = 1024, LAST_LINUX_FCNTL = 1026 };
    enum { LAST_MADVICE = 4, LAST_CLOCK = 1 };
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    unsigned call = regs.orig_rax, first = regs.rbx, second = regs.rcx, third = regs.rdx;
    if (call > kernel->last_call) {
        refuse(pid, &regs, 0, ENOSYS);
        return;
    }
    switch (call) {
    case NR_OPEN:
        if (second & NEW_OPEN_FLAGS) {
            regs.rcx = second & ~(unsigned)NEW_OPEN_FLAGS;
            pass_with(pid, &regs, second & NEW_OPEN_FLAGS);
        }
        break;
    case NR_FCNTL:
    case NR_FCNTL64:
        if ((second > LAST_FCNTL && second < FIRST_LINUX_FCNTL) || second > LAST_LINUX_FCNTL)
            refuse(pid, &regs, second, EINVAL);
        break;
    case NR_SOCKETCALL:
        on_socketcall(pid, &regs);
        break;
    case NR_CLONE:
        if (first & kernel->clone_flags) {
            regs.rbx = first & ~kernel->clone_flags;
            pass_with(pid, &regs, first & kernel->clone_flags);
        }
        break;
    case NR_UNAME:
        on_uname(pid, &regs);
        break;
    case NR_PRCTL:
        if (first > kernel->last_prctl)
            refuse(pid, &regs, first, EINVAL);
        break;
    case NR_SENDFILE:
    case NR_SENDFILE64:
        if (kernel->sendfile_to_socket && !is_socket(pid, first))
            refuse(pid, &regs, 1, EINVAL);
        break;
    case NR_MADVISE:
        if (third > LAST_MADVICE)
            refuse(pid, &regs, third, EINVAL);
        break;
    case NR_FUTEX:
        if (second > LAST_FUTEX)
            refuse(pid, &regs, second, ENOSYS);
        break;
    case NR_TIMER_CREATE:
    case NR_CLOCK_SETTIME:
    case NR_CLOCK_GETTIME:
    case NR_CLOCK_GETRES:
    case NR_CLOCK_NANOSLEEP:
        if (first > LAST_CLOCK)
            refuse(pid, &regs, first, EINVAL);
        break;
    }
}

/* A new i386 program: make the later entries of its auxiliary vector ones to ignore. */
static void on_exec(pid_t pid)
{
    enum { USER32_CS = 0x23, IGNORE = 1, LAST_OLD = 23, SYSINFO = 32 };
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, pid, 0, &regs);
    if (regs.cs != USER32_CS)
        return;
    uint32_t at = regs.rsp, word, ignore = IGNORE;
    get(pid, at, &word, sizeof word);
    at += 4 * (word + 2); /* argc, argv with its end */
    do {
        get(pid, at, &word, sizeof word);
        at += 4;
    } while (word); /* the environment */
    for (; get(pid, at, &word, sizeof word) && word; at += 8)
        if (word > LAST_OLD && !(word == SYSINFO && kernel->has_sysinfo))
            put(pid, at, &ignore, sizeof ignore);
}

/* The filter: x86-64 calls pass, i386 calls above the last or looked into go to the tracer. */
static void install_filter(void)
{
    struct sock_filter code[64] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, kernel->last_call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    };
    unsigned short length = 6;
    for (size_t i = 0; i < sizeof inspected / sizeof *inspected; i++) {
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, inspected[i], 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {length, code};
    if (geteuid() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        die("oldkern: PR_SET_NO_NEW_PRIVS");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        die("oldkern: seccomp");
}

static pid_t start(char **command)
{
    int ready[2];
    char byte;
    if (pipe(ready))
        die("oldkern: pipe");
    pid_t pid = fork();
    if (pid < 0)
        die("oldkern: fork");
    if (!pid) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1) /* the tracer is there */
            _exit(126);
        close(ready[0]);
        install_filter();
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    close(ready[0]);
    if (ptrace(PTRACE_SEIZE, pid, 0,
               PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL))
        die("oldkern: PTRACE_SEIZE");
    if (write(ready[1], "", 1) != 1)
        die("oldkern: pipe");
    close(ready[1]);
    return pid;
}

/* Follow all processes to their end; the exit status of the first, or 128 and the signal that ended it. */
static int follow(pid_t first)
{
    int status, result = 126;
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0) {
            if (errno == EINTR)
                continue;
            return result;
        }
        if (!WIFSTOPPED(status)) {
            if (pid == first)
                result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            continue;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) { /* stopped by SIGSTOP or its like: stay so */
            ptrace(PTRACE_LISTEN, pid, 0, 0);
            continue;
        }
        if (event == PTRACE_EVENT_SECCOMP)
            on_call(pid);
        else if (event == PTRACE_EVENT_EXEC)
            on_exec(pid);
        ptrace(PTRACE_CONT, pid, 0, event ? 0 : signal);
    }
}

static void write_log(const char *path)
{
    FILE *log = fopen(path, "w");
    if (!log)
        die(path);
    for (unsigned i = 0; i < sizeof answers / sizeof *answers && answers[i].count; i++)
        fprintf(log, "%lu %u %u\n", answers[i].count, answers[i].call, answers[i].operation);
    if (fclose(log))
        die(path);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 3 && i < sizeof kernels / sizeof *kernels; i++)
        if (!strcmp(argv[1], kernels[i].name))
            kernel = &kernels[i];
    if (!kernel) {
        fprintf(stderr, "usage: oldkern 2.6.9|2.4.20 LOG PROGRAM ARGUMENT...\n");
        return 2;
    }
    pid_t pid = start(argv + 3);
    signal(SIGINT, SIG_IGN); /* the program decides */
    int result = follow(pid);
    write_log(argv[2]);
    return result;
}

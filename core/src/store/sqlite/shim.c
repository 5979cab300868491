/* For tests, by LD_PRELOAD: a file system that grants every lock and shares no map. SHIM names the lies: fcntl, ofd, flock, map. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int lies(const char *about) {
    const char *all = getenv("SHIM");
    return all && strstr(all, about) != NULL;
}

static int granted(int cmd, void *arg) {
    if (lies("fcntl")) {
        if (cmd == F_SETLK || cmd == F_SETLKW) return 1;
        if (cmd == F_GETLK) { ((struct flock *)arg)->l_type = F_UNLCK; return 1; }
    }
    if (lies("ofd")) {
        if (cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW) return 1;
        if (cmd == F_OFD_GETLK) { ((struct flock *)arg)->l_type = F_UNLCK; return 1; }
    }
    return 0;
}

int fcntl(int fd, int cmd, ...) {
    static int (*real)(int, int, ...);
    va_list list;
    va_start(list, cmd);
    void *arg = va_arg(list, void *);
    va_end(list);
    if (granted(cmd, arg)) return 0;
    if (!real) real = dlsym(RTLD_NEXT, "fcntl");
    return real(fd, cmd, arg);
}

int fcntl64(int fd, int cmd, ...) {
    static int (*real)(int, int, ...);
    va_list list;
    va_start(list, cmd);
    void *arg = va_arg(list, void *);
    va_end(list);
    if (granted(cmd, arg)) return 0;
    if (!real) real = dlsym(RTLD_NEXT, "fcntl64");
    return real(fd, cmd, arg);
}

int flock(int fd, int operation) {
    static int (*real)(int, int);
    if (lies("flock")) return 0;
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    return real(fd, operation);
}

static int private_flags(int flags, int fd) {
    char link[64], path[512];
    if (fd < 0 || !(flags & MAP_SHARED) || !lies("map")) return flags;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 4) return flags;
    path[length] = 0;
    return strcmp(path + length - 4, "-shm") ? flags : (flags & ~MAP_SHARED) | MAP_PRIVATE;
}

void *mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "mmap");
    return real(at, length, prot, private_flags(flags, fd), fd, offset);
}

void *mmap64(void *at, size_t length, int prot, int flags, int fd, off64_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "mmap64");
    return real(at, length, prot, private_flags(flags, fd), fd, offset);
}

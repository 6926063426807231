/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stands for the suidperl of SME 7 to 9: runs the panel that PATH_INFO names. A panel that root owns and whose
 * mode has the set-user-ID bit runs as root, for callers who may execute it, the real user staying the caller's;
 * any other runs as the caller. As with suidperl, the environment is the caller's: cleaning it is up to the panel.
 * Perl itself refuses a script with that bit, so it gets a copy without.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define PANELS "/etc/e-smith/web/panels/manager/cgi-bin"
#define URL "/server-manager/cgi-bin"
#define GROUPS_MAX 256

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int in_group(gid_t group)
{
    gid_t groups[GROUPS_MAX];
    int count = getgroups(GROUPS_MAX, groups);

    while (count-- > 0)
        if (groups[count] == group)
            return 1;
    return getgid() == group;
}

int main(void)
{
    const char *info = getenv("PATH_INFO");
    char path[256], url[256], copy[32];
    struct stat panel;
    int in, out;

    if (!info || info[0] != '/' || !info[1] || strlen(info) > 64 || info[1 + strspn(info + 1, "abcdefghijklmnopqrstuvwxyz0123456789-")]) {
        puts("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nThere is no such panel.");
        return 0;
    }
    snprintf(path, sizeof path, PANELS "%s", info);
    snprintf(url, sizeof url, URL "%s", info);
    setenv("SCRIPT_NAME", url, 1);
    unsetenv("PATH_INFO");
    unsetenv("PATH_TRANSLATED");

    if ((in = open(path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(in, &panel) < 0)
        fail(path);
    if (panel.st_uid != 0 || !(panel.st_mode & S_ISUID) ||
        !(panel.st_mode & S_IXOTH || (panel.st_mode & S_IXGRP && in_group(panel.st_gid)))) {
        if (setresuid(getuid(), getuid(), getuid()) < 0)
            fail("setresuid");
        execl(path, path, (char *)NULL);
        fail(path);
    }
    if ((out = memfd_create("panel", 0)) < 0 || sendfile(out, in, NULL, panel.st_size) != panel.st_size ||
        lseek(out, 0, SEEK_SET) != 0)
        fail("copying the panel");
    snprintf(copy, sizeof copy, "/dev/fd/%d", out);
    execl("/usr/bin/perl", "perl", "-wT", copy, (char *)NULL);
    fail("/usr/bin/perl");
}

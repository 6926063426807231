/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stands for the C program that runs the panels of SME 10 and 11 as root, mode 4750 of root and the group admin: it goes
 * to the function of the name it is called by. How the real one treats the rest is not known, so it is compiled
 * -DREAL_ROOT: root is the real user too, else only the effective one, as for any set-user-ID program;
 * -DCLEAN_ENVIRONMENT: without the variables that tell shells and Perl what to run, else the caller's whole environment.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUNCTIONS "/etc/e-smith/web/functions"

int main(int argc, char **argv)
{
    char path[256];

    if (argc < 1 || snprintf(path, sizeof path, FUNCTIONS "/%s", basename(argv[0])) >= (int)sizeof path)
        return 1;
#ifdef REAL_ROOT
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return 1;
#endif
#ifdef CLEAN_ENVIRONMENT
    const char *names[] = {"IFS", "CDPATH", "ENV", "BASH_ENV", "PERL5LIB", "PERLLIB", "PERL5OPT"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
    setenv("PATH", "/sbin:/bin:/usr/sbin:/usr/bin", 1);
#endif
    execv(path, argv);
    perror(path);
    return 1;
}

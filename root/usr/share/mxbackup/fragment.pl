# SPDX-License-Identifier: GPL-2.0-or-later
#
# What our fragments of templates take their lines from: MxBackup::fragment(NAME) gives those of the target NAME. When
# they cannot be had it dies, and expand-template leaves the file as it is.
package MxBackup;

use strict;

# While `mxbackup action expand` expands the file, it makes the lines beside that (Host.expanding); else they are made here.
sub fragment {
    my ($name) = @_;
    return handed_over("$ENV{MXBACKUP_RENDERED}/$name") if $ENV{MXBACKUP_RENDERED};
    my $lines = `/usr/bin/mxbackup render $name`;
    die "mxbackup render $name failed, status $?\n" if $? != 0;
    return $lines;
}

# The end of the standard input tells that the fragments of all files are there, or none is.
sub handed_over {
    my ($path) = @_;
    sysread STDIN, my $nothing, 1;
    open my $in, '<', $path or die "$path: $!\n";
    my $lines = '';
    my $read;
    1 while $read = sysread $in, $lines, 65536, length $lines;
    die "$path: $!\n" if !defined $read;
    return $lines;
}

1;

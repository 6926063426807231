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

# The lines of main.cf that name our tables: in front of what the host's own fragments give the same parameters, for
# the last line of a parameter counts. None as long as there are no tables, since one that is missing stops all mail.
our $theirs;
sub naming {
    return '' if defined $theirs;
    wait_for_fragments() if $ENV{MXBACKUP_RENDERED};
    open my $in, '<', '/etc/postfix/mxbackup/naming' or return '';
    require esmith::templates;
    local $theirs = '';
    $theirs = esmith::templates::processTemplate({TEMPLATE_PATH => '/etc/postfix/main.cf', OUTPUT_TYPE => 'string'});
    die "the rest of main.cf cannot be made\n" if !defined $theirs;
    return join '', map { /^(\w+) = (.+)/ ? "$1 = " . join(' ', $2, value($1, $theirs)) . "\n" : () } <$in>;
}

# What the text of a main.cf gives a parameter, nothing for none: postconf(5).
sub value {
    my ($name, $text) = @_;
    $text =~ s/^[ \t]*(?:#.*)?\n//mg;
    $text =~ s/\n[ \t]+/ /g;
    my @values = $text =~ /^\Q$name\E[ \t]*=[ \t]*(.*?)[ \t]*$/mg;
    return grep { length } @values ? $values[-1] : ();
}

# The end of the standard input tells that the fragments of all files are there, or none is.
sub wait_for_fragments {
    sysread STDIN, my $nothing, 1;
}

sub handed_over {
    my ($path) = @_;
    wait_for_fragments();
    open my $in, '<', $path or die "$path: $!\n";
    my $lines = '';
    my $read;
    1 while $read = sysread $in, $lines, 65536, length $lines;
    die "$path: $!\n" if !defined $read;
    return $lines;
}

1;

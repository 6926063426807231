# SPDX-License-Identifier: GPL-2.0-or-later
package SandboxDB;

# The e-smith databases: files of "key=value" lines, where a value is a plain text or "type|Prop|value|...".
# Texts are bytes from end to end; nothing here knows an encoding.

use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use File::Basename qw(basename);
use Sys::Syslog qw(openlog syslog closelog setlogsock);

my $DIRECTORY = '/home/e-smith/db';

# The blank behind "put your" belongs to the format.
my $HEADER = join "\n",
    '# DO NOT MODIFY THIS FILE.',
    '# This file is automatically maintained by the Mitel Networks SME Server',
    '# configuration software.  Manually editing this file may put your ',
    '# system in an unknown state.',
    '#',
    '# updated: ';

# The file of the database NAME: a path as it is, a name in $DBPATH or in the usual directory.
sub file {
    my ($name) = @_;
    return "$ENV{DBPATH}/$name" if defined $ENV{DBPATH};
    return $name =~ m{/} ? $name : "$DIRECTORY/$name";
}

# The records of FILE, key => value, empty when there is no such file.
sub records {
    my ($file) = @_;
    my %records;
    open my $in, '<:raw', $file or do { return {} if $!{ENOENT}; die "$file: $!\n" };
    while (my $line = <$in>) {
        next if $line =~ /^\s*(#|$)/;
        my ($key, $value) = map { trim($_) } split /=/, $line, 2;
        next if !defined $value;
        $value =~ s/\\n/\n/g;
        $records{$key} = $value;
    }
    close $in or die "$file: $!\n";
    return \%records;
}

# Has WORK change the records of FILE (a reference to key => value), which nobody else changes meanwhile.
sub change {
    my ($file, $work) = @_;
    my $lock = lock_file("$file.lock");
    my $error = eval {
        my $records = records($file);
        my %old     = %$records;
        $work->($records);
        my @log = differences($file, \%old, $records);
        store($file, $records) if @log;
        tell_syslog(@log);
        1;
    } ? undef : $@;

    # In this order: whoever waits for the lock must see that the path names his file no longer.
    unlink "$file.lock";
    close $lock;
    die $error if defined $error;
    return;
}

# (type, reference to the properties) of a value.
sub parse {
    my ($value) = @_;
    my ($type, @properties) = split /(?<!\\)\|/, $value, -1;
    push @properties, '' if @properties % 2;
    return (defined $type ? $type : '', {@properties});
}

# The value for a type and a reference to properties; "|" goes in raw, as it does on the server.
sub join_value {
    my ($type, $properties) = @_;
    return join '|', $type, map { ($_, $properties->{$_}) } sort keys %$properties;
}

sub lock_file {
    my ($path) = @_;
    while (1) {
        open my $lock, '>>', $path or die "$path: $!\n";
        flock $lock, LOCK_EX or die "$path: $!\n";
        my ($device, $inode) = stat $lock;
        my @named = stat $path;
        return $lock if @named && $named[0] == $device && $named[1] == $inode;
    }
}

sub store {
    my ($file, $records) = @_;
    my @old       = stat $file;
    my $temporary = "$file.$$";
    unlink $temporary;
    sysopen my $out, $temporary, O_WRONLY | O_CREAT | O_EXCL, 0660 or die "$temporary: $!\n";
    binmode $out;
    chmod $old[2] & 07777, $temporary if @old;
    my $text = $HEADER . localtime() . "\n";
    for my $key (sort keys %$records) {
        (my $value = $records->{$key}) =~ s/\n/\\n/g;
        $text .= "$key=$value\n";
    }
    if (!((print {$out} $text) && close $out && rename $temporary, $file)) {
        my $reason = $!;
        unlink $temporary;
        die "$file: $reason\n";
    }
    my $admin = getgrnam 'admin';
    chown 0, $admin, $file if defined $admin;
    return;
}

sub differences {
    my ($file, $old, $new) = @_;
    my @log;
    for my $key (sort keys %{{%$old, %$new}}) {
        my ($before, $after) = ($old->{$key}, $new->{$key});
        if (!defined $after) {
            push @log, "$file: DELETE $key=$before";
        }
        elsif (!defined $before || $before ne $after) {
            push @log, "$file: OLD $key=" . (defined $before ? $before : '(undefined)'), "$file: NEW $key=$after";
        }
    }
    return @log;
}

# Sends lines to the facility local1 when there is a syslog daemon.
sub tell_syslog {
    my @lines = @_;
    return if !@lines || !-S '/dev/log';
    setlogsock('unix', '/dev/log');
    openlog(basename($0), 'pid', 'local1');
    for my $line (@lines) {
        (my $ascii = $line) =~ s/[^\x20-\x7e]/_/g;
        syslog('info', '%s', $ascii);
    }
    closelog();
    return;
}

sub trim {
    my ($text) = @_;
    $text =~ s/^\s+|\s+$//g;
    return $text;
}

1;

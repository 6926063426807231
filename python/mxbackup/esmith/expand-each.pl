#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# expand-each EXPAND-TEMPLATE DIRECTORY SECONDS FILE...: runs the host's EXPAND-TEMPLATE for each FILE, all side by
# side. That is a Perl program, of which loading the host's library takes the most: it is loaded once, and each FILE
# expanded by a copy of this process. In DIRECTORY each leaves "PID FILE" in `started` before it begins, and what the
# Nth (from 0) says in `said/N`. It ends after SECONDS. Its end is told on stdout as "N STATUS", as wait(2) gives it.

# First, so that the host's program sees no variable of ours. It is compiled and not run, which loads what it uses.
sub load {
    eval "package main; sub {\n$_[0]\n}";
}

use strict;
use warnings;

my ($command, $directory, $seconds, @files) = @ARGV;
open my $program, '<', $command or die "$command: $!\n";
my $text = join '', <$program>;
close $program;
my $is_perl = $text =~ /\A#!.*\bperl/;
$text =~ s/^__(?:END|DATA)__\b.*//ms;
load($text) if $is_perl;

my %numbers;
$| = 1;
for my $number (0 .. $#files) {
    my $child = fork;
    expand($number, $files[$number]) if defined $child && !$child;
    $numbers{$child} = $number if $child;
}
while ((my $child = wait) > 0) {
    print "$numbers{$child} $?\n";
}

sub expand {
    my ($number, $file) = @_;
    open STDOUT, '>', '/dev/null' or exit 1;
    open STDERR, '>', "$directory/said/$number" or exit 1;
    open my $started, '>>', "$directory/started" or die "$directory/started: $!\n";
    (print {$started} "$$ $file\n") && close $started or die "$directory/started: $!\n";
    alarm $seconds;
    if (!$is_perl) {
        exec {$command} $command, $file or die "$command cannot be run: $!\n";
    }
    ($0, @ARGV) = ($command, $file);
    do $command;
    die $@ if $@;
    exit 0;
}

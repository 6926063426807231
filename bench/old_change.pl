#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# One change as the contrib of 2004 to 2019 made it: writes the record of NAME and expands three files, in one process
# with the host's own library. usage: old_change.pl [EVENT] NAME
use strict;
use warnings;
use lib '/usr/share/sme-sandbox/perl';
use SandboxDB;
use SandboxTemplate;

my $name = pop;
SandboxDB::change(
    SandboxDB::file('domains'),
    sub { $_[0]{$name} = $_[0]{$name} =~ /Description/ ? 'mxbackup|Kind|domain' : 'mxbackup|Description|x|Kind|domain' }
);
SandboxTemplate::expand("/var/lib/old-contrib/$_") for qw(goodrcptto rcpthosts smtproutes);

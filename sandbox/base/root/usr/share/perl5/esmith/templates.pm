# SPDX-License-Identifier: GPL-2.0-or-later
package esmith::templates;

# What a fragment may ask of the host's library: another template as a string.

use strict;
use warnings;
use lib '/usr/share/sme-sandbox/perl';
use SandboxTemplate;

sub processTemplate {
    my ($parameters) = @_;
    die "only strings are made here\n" if $parameters->{OUTPUT_TYPE} ne 'string';
    my %metadata = SandboxTemplate::metadata($parameters->{TEMPLATE_PATH});
    return SandboxTemplate::text($metadata{TEMPLATE_PATH} || $parameters->{TEMPLATE_PATH});
}

1;

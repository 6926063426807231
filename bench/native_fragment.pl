#!/usr/bin/perl -w
# SPDX-License-Identifier: GPL-2.0-or-later
# The rcpthosts fragment as an e-smith contrib writes it natively, for comparison: the domains database
# behind a tied hash, one FETCH a key, properties split off each value.
use strict;

package TiedDatabase;

sub TIEHASH {
    my ($class, $file) = @_;
    my %record;
    open my $lines, '<', $file or die "$file: $!\n";
    while (<$lines>) {
        chomp;
        next if /^\s*(#|$)/;
        my ($key, $value) = split /=/, $_, 2;
        $record{$key} = $value;
    }
    return bless \%record, $class;
}
sub FETCH    { my ($self, $key) = @_; $key =~ s/^\s+|\s+$//g; return $self->{$key} }
sub FIRSTKEY { my ($self) = @_; keys %$self; return each %$self }
sub NEXTKEY  { my ($self) = @_; return each %$self }

package main;

tie my %domains, 'TiedDatabase', '/home/e-smith/db/domains';
my $out = '';
my @sorted = map { $_->[1] } sort { $a->[0] cmp $b->[0] } map { [join('.', reverse split /\./), $_] } keys %domains;
foreach my $key (@sorted) {
    my ($type, %property) = split /(?<!\\)\|/, $domains{$key};
    next unless $type eq 'mxbackup';
    $out .= "$key\n";
    $out .= ".$key\n" if $property{Kind} eq 'domain';
}
print $out;

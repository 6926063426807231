# SPDX-License-Identifier: GPL-2.0-or-later
package SandboxTemplate;

# Configuration files made from the fragments in /etc/e-smith/templates and /etc/e-smith/templates-custom.

use strict;
use warnings;
use Digest::MD5;
use Fcntl qw(:DEFAULT);
use Text::Template;
use SandboxDB;

my @DIRECTORIES = ('/etc/e-smith/templates', '/etc/e-smith/templates-custom');
my $METADATA    = '/etc/e-smith/templates.metadata';
my $SKIPPED     = qr/(?:~|\.swp|\.orig|\.rpmsave|\.rpmnew|\.rpmorig)$/;
my $PACKAGE     = 'SandboxTemplate::Fragments';

my $BANNER = <<'END';
#------------------------------------------------------------
#              DO NOT MODIFY THIS FILE.
#
# It is made from the fragments in /etc/e-smith/templates;
# changes made here are lost when that is done again.
#------------------------------------------------------------
END

# Makes FILE, unless something is wrong, which goes to stderr.  As on the server FILE.PID is there from the start
# until that has been said.
sub expand {
    my ($file) = @_;
    my $temporary;
    my $done = eval {
        my %metadata = metadata($file);
        my $output   = $metadata{OUTPUT_FILENAME} || $file;
        $temporary = "$output.$$";
        if ($metadata{DELETE}) {
            unlink $output or $!{ENOENT} or die "cannot remove $output: $!\n";
        }
        else {
            unlink $temporary;
            sysopen my $out, $temporary, O_WRONLY | O_CREAT | O_EXCL, 0600 or die "cannot create $temporary: $!\n";
            store($out, $temporary, $output, text($metadata{TEMPLATE_PATH} || $file), \%metadata);
        }
        1;
    };
    return if $done;
    chomp(my $reason = $@);
    print STDERR "ERROR: Template processing failed for $file: $reason\n";
    unlink $temporary if defined $temporary;
    return;
}

# The fragments of FILE in their order, as paths.
sub fragments {
    my ($file) = @_;
    my %paths;
    for my $directory (map { "$_$file" } @DIRECTORIES) {
        opendir my $handle, $directory or next;
        for my $name (grep { !/$SKIPPED/ } readdir $handle) {
            $paths{$name} = "$directory/$name" if -f "$directory/$name";
        }
        closedir $handle;
    }
    die "there is no template of that name\n" if !%paths;
    my $begin = delete $paths{'template-begin'};
    my $end   = delete $paths{'template-end'};
    return ($begin, (map { $paths{$_} } sort keys %paths), defined $end ? $end : ());
}

# What FILE should hold.
sub text {
    my ($file) = @_;
    my ($begin, @fragments) = fragments($file);
    my $text     = defined $begin ? '' : $BANNER;
    my @hash     = variables();
    my $failures = 0;
    for my $fragment (grep { defined && -s } $begin, @fragments) {
        my $part = fill($fragment, \@hash);
        $failures++ if !defined $part;
        $text .= $part if defined $part;
    }
    die "$failures fragment generated errors\n" if $failures;
    return $text;
}

# One fragment, undefined when it failed.
sub fill {
    my ($fragment, $hash) = @_;
    my $failed;
    local $SIG{__WARN__} = sub { print STDERR "WARNING in $fragment: @_" };
    my $report = sub { chomp(my ($reason) = @_); print STDERR "ERROR in $fragment: $reason\n"; $failed = 1; undef };
    my $template = Text::Template->new(TYPE => 'FILE', SOURCE => $fragment)
        or return $report->("cannot be read: $Text::Template::ERROR");
    $template->compile or return $report->($Text::Template::ERROR);
    my $text = $template->fill_in(
        PACKAGE => $PACKAGE,
        HASH    => $hash,
        BROKEN  => sub { my %it = @_; $report->("Program fragment delivered error <<$it{error}>> at template line $it{lineno}") },
    );
    return $failed ? undef : $text;
}

# The records of the configuration database: $Name holds each value, %Name the properties of those that have any.
sub variables {
    my $records = SandboxDB::records(SandboxDB::file('configuration'));
    my %properties;
    for my $key (keys %$records) {
        my ($type, $found) = SandboxDB::parse($records->{$key});
        $properties{$key} = $found if %$found;
    }
    return ({%$records}, \%properties);
}

# What templates.metadata says of FILE: "KEY=perl" lines in a file, or a directory of files of that name.
sub metadata {
    my ($file) = @_;
    my $path = "$METADATA$file";
    my %source;
    if (-d $path) {
        $source{($_ =~ m{([^/]+)$})[0]} = slurp($_) for glob "$path/*";
    }
    elsif (-e $path) {
        %source = map { /^\s*(\w+)\s*=(.*)/ ? ($1 => $2) : () } split /\n/, slurp($path);
    }
    my %metadata;
    for my $key (keys %source) {
        $metadata{$key} = eval $source{$key};
        die "$path: $key: $@" if $@;
    }
    return %metadata;
}

# Writes TEXT to OUT, which is open at TEMPORARY, and puts that in the place of FILE when FILE holds something else.
sub store {
    my ($out, $temporary, $file, $text, $metadata) = @_;
    my @old = stat $file;
    binmode $out;
    (print {$out} $text) && close $out or die "cannot write $temporary: $!\n";
    my $uid  = id($metadata->{UID}, \&CORE::getpwnam, @old ? $old[4] : 0);
    my $gid  = id($metadata->{GID}, \&CORE::getgrnam, @old ? $old[5] : 0);
    my $mode = defined $metadata->{PERMS} ? $metadata->{PERMS} : @old ? $old[2] & 07777 : 0644;
    chown $uid, $gid, $temporary or die "cannot chown $temporary: $!\n";
    chmod $mode, $temporary or die "cannot chmod $temporary: $!\n";
    if (@old && md5($file) eq md5($temporary)) {
        chown $uid, $gid, $file;
        chmod $mode, $file;
        unlink $temporary;
    }
    else {
        rename $temporary, $file or die "cannot rename $temporary to $file: $!\n";
    }
    return;
}

# The number of a user or group given by name or number, or the other when none is given.
sub id {
    my ($given, $look_up, $other) = @_;
    return $other if !defined $given;
    return $given if $given =~ /^\d+$/;
    my $id = $look_up->($given);
    die "nobody is named $given\n" if !defined $id;
    return $id;
}

sub md5 {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "cannot read $file: $!\n";
    return Digest::MD5->new->addfile($in)->hexdigest;
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "cannot read $file: $!\n";
    local $/;
    return scalar <$in>;
}

1;

# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr;

# The new manager of SME 10 and 11 as far as a panel can see it: menu, routes, languages, layout, protection of forms.
# Whoever Apache lets through is the administrator.

use Mojo::Base 'Mojolicious';
use lib '/usr/share/sme-sandbox/perl';
use Mojo::Util 'decode';
use SandboxDB;

use SrvMngr::I18N;

my $HOME = '/usr/share/smanager';
my $MENU = '/home/e-smith/db/navigation2/navigation';

sub startup {
    my $app = shift;
    $app->config(hypnotoad => { listen => ['http://127.0.0.1:982'], workers => 1, pid_file => '/run/smanager.pid' });
    $app->secrets(['sandbox']);
    $app->sessions->cookie_name('smanager');
    $app->renderer->paths(["$HOME/themes/default/templates"]);
    $app->static->paths(["$HOME/themes/default/public"]);
    $app->helper(l    => sub { my ($c, $key, @rest) = @_; $c->stash->{lexicon}->maketext($key, @rest) });
    $app->helper(menu => \&menu);

    # Apache takes the manager's name from the path.
    $app->hook(before_dispatch => sub { push @{ $_[0]->req->url->base->path->trailing_slash(1) }, 'smanager' });
    $app->hook(before_routes   => \&choose_language);
    $app->hook(before_routes   => \&refuse_forged);

    my $routes = $app->routes->namespaces(['SrvMngr::Controller']);
    $routes->get('/')->to('initial#main');
    $routes->get("/$_")->to("$_#main") for qw(initial login domains emailsettings datetime);
    my $records = SandboxDB::records('/home/e-smith/db/routes');
    for my $key (sort keys %$records) {
        my (undef, $route) = SandboxDB::parse($records->{$key});
        my (undef, $name)  = split /\+/, $key;
        my ($controller, $action) = split /#/, $route->{Ctlact};
        $routes->any([uc $route->{Method}] => $route->{Url})->to(lc($controller) . "#$action")->name($name);
    }
}

# The first language that the browser names, in the lexicon of the panel that the first part of the path names. A
# language without a lexicon has an empty one, whose keys stand for themselves; where there is no class for it at all,
# Locale::Maketext goes on to the language without its region, and to English.
sub choose_language {
    my $c = shift;
    my ($language) = split /[,;]/, $c->req->headers->accept_language // 'en-US';
    (my $tag = $language) =~ tr/-/_/;
    my ($panel) = map {ucfirst} grep {length} $c->req->url->path->parts->[0] // '', 'initial';
    my ($module) = grep { -d "$HOME/lib/SrvMngr/I18N/Modules/$_" } $panel, substr($panel, 0, -1), 'General';
    my $class = "SrvMngr::I18N::Modules::$module";
    provide($class, 'SrvMngr::I18N');
    provide("${class}::$_", $class) for 'en', $tag;
    my $lexicon = $class->get_handle($tag);
    $lexicon->fail_with(sub { $_[1] });
    $c->stash(lexicon => $lexicon, locale => $language);
}

sub provide {
    my ($class, $parent) = @_;
    return if $class->can('new');
    (my $file = "$class.pm") =~ s{::}{/}g;
    return if eval { require $file; 1 };
    no strict 'refs';
    @{"${class}::ISA"} = ($parent);
    %{"${class}::Lexicon"} = (_AUTO => 1) if $class =~ /::\w\w(_\w+)?\z/;
}

sub refuse_forged {
    my $c = shift;
    return if $c->req->method ne 'POST' || !$c->validation->csrf_protect->has_error('csrf_token');
    $c->render(text => 'Bad CSRF token!', status => 403);
}

# The sections of the administrator's menu, each a reference to its heading and its entries, in their order.
sub menu {
    my $c = shift;
    my ($language) = grep { -e "$MENU.$_" } $c->stash->{lexicon}->language_tag, 'en';
    my $records = SandboxDB::records("$MENU.$language");
    my %sections;
    for my $panel (keys %$records) {
        my (undef, $entry) = SandboxDB::parse(decode('UTF-8', $records->{$panel}));
        push @{ $sections{ $entry->{Heading} } }, { %$entry, Panel => $panel } if $entry->{MenuCat} eq 'A';
    }
    my %place = map { $_ => mean(map { $_->{HeadingWeight} } @{ $sections{$_} }) } keys %sections;
    return [map { [$_, [sort { $a->{DescriptionWeight} <=> $b->{DescriptionWeight} } @{ $sections{$_} }]] }
            sort { $place{$a} <=> $place{$b} } keys %sections];
}

sub mean {
    my $sum = 0;
    $sum += $_ for @_;
    return $sum / @_;
}

1;

# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Domains;

# heading     : Network
# description : Domains
# navigation  : 6000 300
# menu        : A
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('Domains'));
}

1;

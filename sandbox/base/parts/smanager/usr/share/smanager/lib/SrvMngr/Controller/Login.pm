# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Login;

# heading     : Support
# description : Login
# navigation  : 0 200
# menu        : N
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('Login'));
}

1;

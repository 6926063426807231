# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Initial;

# heading     : Support
# description : Home
# navigation  : 0 0
# menu        : N
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('Home'));
}

1;

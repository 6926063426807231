# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Datetime;

# heading     : System
# description : Date and time
# navigation  : 4000 300
# menu        : A
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('Date and time'));
}

1;

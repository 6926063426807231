# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Emailsettings;

# heading     : System
# description : E-Mail
# navigation  : 4000 400
# menu        : A
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('E-Mail'));
}

1;

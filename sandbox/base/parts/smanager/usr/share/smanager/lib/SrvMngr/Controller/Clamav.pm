# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Clamav;

# heading     : System
# description : Antivirus (ClamAV)
# navigation  : 4000 600
# menu        : A
# routes      : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'module', title => $c->l('Antivirus (ClamAV)'));
}

1;

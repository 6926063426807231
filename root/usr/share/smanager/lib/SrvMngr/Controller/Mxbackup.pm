# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::Controller::Mxbackup;

# The page of MX backup in the new manager, /smanager, of SME 10 and 11: it shows the panel of the old one in a frame.
# The actions navigation2-conf and routes2-conf read what stands here, the former up to the line of the routes' end.
#
# heading     : System
# description : MX-Backup
# navigation  : 4000 410
#
# name : mxbackup, method : get, url : /mxbackup, ctlact : Mxbackup#main
# routes : end

use Mojo::Base 'Mojolicious::Controller';

sub main {
    my $c = shift;
    $c->render(template => 'mxbackup', title => $c->l('MX backup configuration'));
}

1;

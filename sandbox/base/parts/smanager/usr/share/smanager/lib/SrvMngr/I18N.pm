# SPDX-License-Identifier: GPL-2.0-or-later
package SrvMngr::I18N;

use parent 'Locale::Maketext';

1;

# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that we contribute to: what our share of each is, whether it is there, and what is wrong around it.

`target` is what all of them answer; `smtpd_check_rules`, `rcpthosts`, `morercpthosts`, `smtproutes`, `goodrcptto` and
`qpsmtpd` are one file each, and `registry` lists them: the next is a module and a template of its name. `block` is how
our share looks, `controlfile` writes it where no template does. `lint` and `readers` look at what lies around it.
May import `recipients` and what is below it. Events load the targets: what is seldom needed is imported where it is.
"""

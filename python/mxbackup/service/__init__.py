# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user does: the verbs behind the three faces, in groups. Each is a function that takes the `Context` first.

`context`    what every verb needs: the host, its databases, all rules; and how a change is signalled
`changing`   get, stamp, add, change, remove, enable; held: what mail would wait
`importing`  import_rules, carry_over
`applying`   fragment, expand, apply, confirm
`draining`   removed, end_draining: the way out of mail whose rule was removed
`held`       what the queue holds for the rules
`plugin`     faults, load, load_missing: the plugin of qpsmtpd
`knowing`    knowledge, lacks_list, learn: which recipients there are
`listing`    look, replace, add, remove: the lists of recipients
`checking`   check, check_soon: will it work
`background` begin, look: a check behind a page; `runs` keeps what it has found
`replaying`  replay: one message the way that held mail takes
`stepping`   look, record_test: the steps of the how-to that a rule has come through
`addressing` look, state: which addresses lead here
`probing`    probe: the how-to's test from outside
`writing`    letter: what the owner of a name is to do
`publishing` publish: the rules as a catalog zone, for other backup servers
`following`  follow, forget: rules of other backup servers' catalogs; `catalogs` is what is known of them
`auditing`   audit: what all exchangers of a domain say to strangers; remembered, remember
`inspecting` status, outdated: whether everything is in force

Templates and events load these modules at each change, so each imports when it is called what only it needs, and this
one imports nothing. A verb may use every package but the faces, prints nothing and asks nobody; `words` only
for mail, and for messages that are kept for a page.
"""

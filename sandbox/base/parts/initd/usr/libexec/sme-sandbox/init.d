#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every script in /etc/rc.d/init.d: starts and stops the service it is named after.

service=${0##*/}
pidfile=/run/$service.pid

start() {
    cd "/var/service/$service" || exit 1
    setsid ./run < /dev/null > /dev/null 2>&1 &
    echo $! > "$pidfile"
}

stop() {
    [ -e "$pidfile" ] || return 0
    pid=$(cat "$pidfile")
    kill "$pid" 2>/dev/null
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f "$pidfile"
}

case $1 in
    start) start ;;
    stop) stop ;;
    restart) stop; start ;;
    reload) kill -HUP "$(cat "$pidfile")" ;;
    status) kill -0 "$(cat "$pidfile")" 2>/dev/null ;;
    *) echo "usage: $0 start|stop|restart|reload|status" >&2; exit 2 ;;
esac

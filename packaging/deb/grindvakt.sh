#!/bin/sh
# "current" leads to the version in force, by this name and no other: an upgrade changes it at once, or not at all.
program=/usr/lib/grindvakt/current
exec "$program/node" "$program/dist/daemon/cli.js" "$@"

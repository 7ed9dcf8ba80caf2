# What the scripts of this folder share: where the fleet is, its small authority, its access list, and how the servers hear of a change.
# Each is run as root at the centre. They take names and numbers only, hold them against a pattern, and hand nothing to a shell.
set -euo pipefail
umask 077
FLEET=${FLEET:-/srv/fleet}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { echo "${0##*/}: $*" >&2; exit 1; }
misuse() { echo "${0##*/}: $*" >&2; exit 2; }

# As the gateway's configuration has it for gateways, sites, readers.
name() { # WHAT TEXT
  [[ $2 =~ ^[a-z0-9][a-z0-9-]{0,39}$ ]] || misuse "$1: a to z, 0 to 9 and -, at most 40, such as gate-07"
}

# Two at once would write over each other.
lock() {
  [ -d "$FLEET/ca" ] || misuse "there is no fleet in $FLEET: run make-centre, or say FLEET=FOLDER"
  exec 9>"$FLEET/ca/lock"
  flock -w 30 9 || fail "another script has been at work in $FLEET for 30 s"
}

# openssl, which speaks only when it fails. SAN is what openssl.cnf puts into a server's certificate.
export SAN=DNS:none
ssl() { # OPENSSL-ARGUMENT…
  openssl "$@" 2>"$FLEET/ca/openssl.log" || { cat "$FLEET/ca/openssl.log" >&2; fail "openssl $1 refused"; }
}
authority() { ssl ca -batch -notext -config "$FLEET/ca/openssl.cnf" "$@"; }

# A key (0600) and a certificate over it, as FILE.key and FILE.pem; both whole or neither.
issue() { # FILE NAME client|server DAYS [SUBJECT-ALT-NAME]
  local key=$1.key.new certificate=$1.pem.new request=$FLEET/ca/request
  ssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout "$key" -out "$request" -subj "/CN=$2"
  SAN=${5:-DNS:$2} authority -in "$request" -out "$certificate" -extensions "$3" -days "$4"
  rm "$request"
  chmod 644 "$certificate"
  mv "$key" "$1.key"
  mv "$certificate" "$1.pem"
}

# Certificates that were revoked are refused by both servers. It ends in ten years, as the authority does: an expired one shuts everybody out.
publish_revoked() {
  authority -gencrl -out "$FLEET/ca/crl.new"
  put "$FLEET/ca/crl.new" "$FLEET/broker/crl.pem"
  put "$FLEET/ca/crl.new" "$FLEET/web/crl.pem"
  rm "$FLEET/ca/crl.new"
}

# A file replaced whole, with the owner and the mode of the one before, so that its server can still read it.
put() { # FROM TO
  cp "$1" "$2.new"
  [ ! -e "$2" ] || { chown --reference="$2" "$2.new"; chmod --reference="$2" "$2.new"; }
  mv "$2.new" "$2"
}

# SIGHUP: mosquitto reads access list and revoked certificates again, nginx everything; connections stay. Where no systemd runs them, a
# file with the server's process id is named in MOSQUITTO_PID and NGINX_PID.
tell_broker() { hup mosquitto "${MOSQUITTO_PID:-}"; }
tell_web() { hup nginx "${NGINX_PID:-}"; }
hup() { # SERVICE PID-FILE
  if [ -z "$2" ]; then systemctl reload "$1"; else kill -HUP "$(<"$2")"; fi ||
    fail "all is made, but $1 was not told: it takes the change when it is started or reloaded"
}

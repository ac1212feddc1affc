#!/bin/sh
# Finds Node and starts the bundle beside this file. Callers such as podman run it with an empty
# environment from any directory, so nothing here needs PATH, HOME or a particular $PWD, and
# nothing forks unless this file is reached through a symbolic link or Node has to be searched.

self=$0
while [ -h "$self" ]; do
  if [ -x /usr/bin/readlink ]; then target=$(/usr/bin/readlink "$self"); else target=$(readlink "$self"); fi
  case $target in
    /*) self=$target ;;
    *) case $self in */*) self=${self%/*}/$target ;; *) self=$target ;; esac ;;
  esac
done
case $self in */*) here=${self%/*} ;; *) here=. ;; esac

# The caller's choice; Node of the npm prefix that this is installed in; Node of the build; the rest.
case $here in */lib/node_modules/*) prefix=$here/../../../.. ;; *) prefix=/usr ;; esac
node=$TSRUN_NODE
if [ -n "$node" ] && ! { [ -f "$node" ] && [ -x "$node" ]; }; then
  echo "tsrun: cannot start: TSRUN_NODE \"$node\" is no executable file; hint: name a Node.js of 20.19 or newer, or unset it" >&2
  exit 125
fi
for candidate in "$node" "$prefix/bin/node" '@NODE@' /usr/local/bin/node /usr/bin/node; do
  [ -n "$candidate" ] && [ -f "$candidate" ] && [ -x "$candidate" ] && node=$candidate && break
done
[ -n "$node" ] || node=$(command -v node)
if [ -z "$node" ]; then
  echo 'tsrun: cannot start: Node.js 20.19 or newer was not found; hint: install it, or name it in TSRUN_NODE' >&2
  exit 125
fi

# What Node and its OpenSSL would act on before our first line: load a library (OPENSSL_CONF), run a file
# (NODE_OPTIONS), write one (NODE_REDIRECT_WARNINGS, NODE_COMPILE_CACHE), talk to a descriptor
# (NODE_CHANNEL_FD), print. tsrun runs as root in environments that others have a hand in. The loader gives
# the values back to tsrun's own environment: `run -e NAME` passes them on.
for name in NODE_OPTIONS NODE_PATH NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE NODE_UNIQUE_ID \
  NODE_REDIRECT_WARNINGS NODE_COMPILE_CACHE NODE_V8_COVERAGE NODE_ICU_DATA NODE_DEBUG NODE_DEBUG_NATIVE \
  NODE_PENDING_DEPRECATION NODE_TEST_CONTEXT NODE_REPL_EXTERNAL_MODULE NODE_USE_ENV_PROXY NODE_USE_SYSTEM_CA \
  WATCH_REPORT_DEPENDENCIES UV_USE_IO_URING \
  OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_MODULES OPENSSL_ENGINES; do
  eval "[ -n \"\${$name+set}\" ]" || continue
  eval "export TSRUN_KEPT_$name=\"\$$name\""
  unset "$name"
done
# It alone costs 60 ms a start; the registry client reads TSRUN_EXTRA_CA_CERTS.
if [ -n "${NODE_EXTRA_CA_CERTS+set}" ]; then export TSRUN_EXTRA_CA_CERTS="$NODE_EXTRA_CA_CERTS"; fi
unset NODE_EXTRA_CA_CERTS

# Node opens descriptors of its own in the gaps between the caller's: those are not for --preserve-fds.
# This script itself is open above 9.
case ${LISTEN_FDS+listen}" $*" in
  listen* | *preserve-fds*)
    open=
    fd=3
    while [ $fd -lt 203 ]; do
      if [ -e "/proc/$$/fd/$fd" ] && ! { [ $fd -gt 9 ] && [ "/proc/$$/fd/$fd" -ef "$0" ]; }; then open="$open $fd"; fi
      fd=$((fd + 1))
    done
    export TSRUN_INHERITED="$open"
    ;;
esac

export TSRUN_ARGV0="$0"
# Without the -- Node 20 takes a --env-file among the command's own arguments for its own.
set -- "$node" --no-warnings -- "$here/tsrun.cjs" "$@"

# Does start and delete itself, mostly, and is Node in all other cases. Linux 6.1 says what machine it is.
read -r machine 2>/dev/null </proc/sys/kernel/arch || machine=$(uname -m 2>/dev/null)
launch=$here/native/$machine/tsrun-launch
if [ -x "$launch" ]; then exec "$launch" 4 "$@"; fi
exec "$@"

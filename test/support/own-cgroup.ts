/** Commands in a cgroup namespace of their own: every directory that they find or leave in /sys/fs/cgroup is theirs. */

// The command sits in /runner: the root of a hierarchy that gives controllers on may hold no process.
const INSIDE = [
  'umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 125',
  'mkdir /sys/fs/cgroup/runner && echo 0 >/sys/fs/cgroup/runner/cgroup.procs || exit 125',
  'exec "$@"',
].join('\n')

// rmdir(2) of a cgroup says EBUSY for a moment after its last process, and for ever while one lives in it.
const OUTSIDE = [
  'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup || exit 125',
  'home=/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)',
  'own=/sys/fs/cgroup/$1; inside=$2; shift 2',
  'mkdir "$own" && echo 0 >"$own/cgroup.procs" || exit 125',
  'unshare --cgroup --mount --propagation private sh -c "$inside" sh "$@"',
  'status=$?',
  'echo 0 >"$home/cgroup.procs"',
  'for attempt in $(seq 100); do',
  '  rmdir "$own/runner" "$own" 2>/dev/null; [ -e "$own" ] || exit "$status"; sleep 0.1',
  'done',
  'find "$own" -type d >&2; exit 125',
].join('\n')

/**
 * `argv` as a command whose /sys/fs/cgroup is the cgroup `name`, made for it and removed after it. The
 * status is 125 when the command left anything in there.
 */
export function inOwnCgroup(name: string, argv: readonly string[]): readonly [string, ...string[]] {
  const script = ['sh', '-c', OUTSIDE, 'sh', name, INSIDE, ...argv]
  return ['unshare', '--mount', '--propagation', 'private', ...script]
}

/** Commands that see cgroup v2 alone on /sys/fs/cgroup: this machine may have v1 controllers beside it. */

const SCRIPT = [
  'if [ "$(stat -fc %T /sys/fs/cgroup)" != cgroup2fs ]; then',
  '  umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup || exit 125',
  'fi',
  'exec "$@"',
].join('\n')

/** `argv` as a command in a private mount namespace whose /sys/fs/cgroup is a cgroup2 file system. */
export function inCgroup2(argv: readonly string[]): readonly [string, ...string[]] {
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', SCRIPT, 'sh', ...argv]
}

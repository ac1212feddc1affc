/** The headings under which `run --help` lists its options; what is in none of them comes last. */
export const RUN_OPTION_GROUPS: Readonly<Record<string, readonly string[]>> = {
  Container: ['name', 'rm', 'detach', 'interactive', 'tty', 'detach-keys', 'sig-proxy', 'init'],
  Image: ['pull', 'platform', 'rootfs'],
  Process: ['entrypoint', 'env', 'env-file', 'user', 'group-add', 'workdir', 'stop-signal'],
  'Files and devices': ['volume', 'mount', 'tmpfs', 'read-only', 'shm-size', 'device'],
  'Network and names': ['network', 'hostname'],
  Limits: [
    'memory',
    'memory-reservation',
    'memory-swap',
    'cpus',
    'cpu-shares',
    'cpuset-cpus',
    'cpuset-mems',
    'pids-limit',
    'ulimit',
    'oom-score-adj',
  ],
  Security: ['cap-add', 'cap-drop', 'privileged', 'security-opt', 'sysctl'],
}

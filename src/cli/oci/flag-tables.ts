/** Flags of the verbs that the engine's command line has too: shared by the commands and by the choice between the two. */
import type { FlagTable } from './arguments.ts'

export const CREATE_FLAGS: FlagTable = {
  flags: {
    bundle: 'string',
    'console-socket': 'string',
    'pid-file': 'string',
    'no-pivot': 'boolean',
    'no-new-keyring': 'boolean',
    'preserve-fds': 'number',
    'pidfd-socket': 'string',
  },
  aliases: { b: 'bundle' },
}

export const RUN_FLAGS: FlagTable = {
  flags: { ...CREATE_FLAGS.flags, detach: 'boolean', keep: 'boolean', 'no-subreaper': 'boolean' },
  aliases: { ...CREATE_FLAGS.aliases, d: 'detach' },
}

export const EXEC_FLAGS: FlagTable = {
  flags: {
    'console-socket': 'string',
    'pidfd-socket': 'string',
    cwd: 'string',
    env: 'list',
    tty: 'boolean',
    user: 'string',
    'additional-gids': 'list',
    process: 'string',
    detach: 'boolean',
    'pid-file': 'string',
    'process-label': 'string',
    apparmor: 'string',
    'no-new-privs': 'boolean',
    cap: 'list',
    'preserve-fds': 'number',
    cgroup: 'string',
    'ignore-paused': 'boolean',
    'no-new-keyring': 'boolean',
  },
  aliases: {
    e: 'env',
    t: 'tty',
    u: 'user',
    g: 'additional-gids',
    p: 'process',
    d: 'detach',
    c: 'cap',
  },
}

export const UPDATE_FLAGS: FlagTable = {
  flags: {
    resources: 'string',
    'cpu-period': 'number',
    'cpu-quota': 'number',
    'cpu-burst': 'number',
    'cpu-share': 'number',
    'cpu-idle': 'number',
    'cpu-rt-period': 'number',
    'cpu-rt-runtime': 'number',
    'cpuset-cpus': 'string',
    'cpuset-mems': 'string',
    memory: 'string',
    'memory-reservation': 'string',
    'memory-swap': 'string',
    'kernel-memory': 'string',
    'kernel-memory-tcp': 'string',
    'pids-limit': 'number',
    'l3-cache-schema': 'string',
    'mem-bw-schema': 'string',
    'blkio-weight': 'number',
  },
  aliases: { r: 'resources' },
}

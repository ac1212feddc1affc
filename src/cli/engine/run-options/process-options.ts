/** Options of `run` and `create` about the process itself: what it runs, as whom, where, with which variables. */
import { resolve } from 'node:path'
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'
import { environmentOf, environmentRequest, readLabelFile } from './environment-options.ts'

export const PROCESS_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  annotation: { type: 'list', describe: 'an annotation for the OCI runtime', value: 'key=value' },
  attach: {
    type: 'list',
    alias: 'a',
    describe: 'connect to these streams only',
    value: 'stdin|stdout|stderr',
  },
  cidfile: {
    type: 'string',
    describe: 'write the id of the container to this file',
    value: 'path',
  },
  detach: { type: 'flag', alias: 'd', describe: 'run in the background and print the id' },
  'detach-keys': {
    type: 'string',
    describe: 'keys that leave the container',
    value: 'ctrl-p,ctrl-q',
  },
  entrypoint: { type: 'string', describe: "instead of the image's entrypoint", value: 'program' },
  'group-add': { type: 'list', describe: 'a further group of the user', value: 'group' },
  hostname: { type: 'string', alias: 'h', describe: 'name of the host inside', value: 'name' },
  init: { type: 'flag', describe: 'a first process that passes signals on and reaps' },
  interactive: { type: 'flag', alias: 'i', describe: 'keep stdin open' },
  label: { type: 'list', alias: 'l', describe: 'a label for the container', value: 'key[=value]' },
  'label-file': { type: 'list', describe: 'labels of a file, one a line', value: 'path' },
  name: { type: 'string', describe: 'name of the container', value: 'name' },
  passwd: { type: 'flag', describe: 'an entry in /etc/passwd for a user without one' },
  'passwd-entry': {
    type: 'string',
    describe: 'that entry, with $USERNAME, $UID, $GID and $HOME',
    value: 'text',
  },
  'group-entry': {
    type: 'string',
    describe: 'an entry in /etc/group for a group without one, with $GROUPNAME and $GID',
    value: 'text',
  },
  hostuser: { type: 'list', describe: 'a user of the host for /etc/passwd', value: 'name' },
  pidfile: {
    type: 'string',
    describe: 'write the pid of its first process to this file',
    value: 'path',
  },
  replace: { type: 'flag', describe: 'remove the container that has the name first' },
  rm: { type: 'flag', describe: 'remove the container when it has ended' },
  'sig-proxy': { type: 'flag', describe: 'pass signals on to the container (default)' },
  'stop-signal': { type: 'string', describe: 'what stop sends', value: 'SIGTERM' },
  'stop-timeout': {
    type: 'string',
    describe: 'seconds from the stop signal to SIGKILL, -1 for never',
    value: '10',
  },
  systemd: {
    type: 'string',
    describe: 'what systemd needs to be the first process: when the command is systemd, or always',
    value: 'true|false|always',
  },
  tty: { type: 'flag', alias: 't', describe: 'give it a terminal' },
  tz: { type: 'string', describe: 'time zone inside, as Europe/Vienna or local', value: 'zone' },
  umask: { type: 'string', describe: 'permissions that new files do not get', value: '0022' },
  user: { type: 'string', alias: 'u', describe: 'run as this user', value: 'user[:group]' },
  workdir: { type: 'string', alias: 'w', describe: 'run in this directory', value: 'path' },
}

export function processRequest(options: CommandOptions): Partial<RunRequest> {
  const entrypoint = options.string('entrypoint')
  return {
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === '' ? [] : [entrypoint] }),
    name: options.string('name'),
    env: environmentOf(options, process.env),
    workdir: options.string('workdir'),
    user: options.string('user'),
    groups: options.list('group-add'),
    hostname: options.string('hostname'),
    init: options.flag('init'),
    labels: [...options.list('label-file').flatMap(readLabelFile), ...options.list('label')],
    passwd: options.flag('passwd'),
    passwdEntry: options.string('passwd-entry'),
    groupEntry: options.string('group-entry'),
    hostUsers: options.list('hostuser'),
    pidFile: absolute(options.string('pidfile')),
    replace: options.flag('replace'),
    systemd: options.string('systemd'),
    timezone: options.string('tz'),
    umask: options.string('umask'),
    ...environmentRequest(options),
    annotations: options.list('annotation'),
    stopSignal: options.string('stop-signal'),
    stopTimeout: options.integer('stop-timeout', -1),
    terminal: options.flag('tty'),
    interactive: options.flag('interactive'),
    autoRemove: options.flag('rm'),
  }
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path)
}

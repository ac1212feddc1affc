/** Options of `run` and `create` about the process itself: what it runs, as whom, where, with which variables. */
import type { RunRequest } from '../../../engine/run-request.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'
import { environmentOf } from './environment-options.ts'

export const PROCESS_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  annotation: { type: 'list', describe: 'an annotation for the OCI runtime', value: 'key=value' },
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
  name: { type: 'string', describe: 'name of the container', value: 'name' },
  rm: { type: 'flag', describe: 'remove the container when it has ended' },
  'sig-proxy': { type: 'flag', describe: 'pass signals on to the container (default)' },
  'stop-signal': { type: 'string', describe: 'what stop sends', value: 'SIGTERM' },
  'stop-timeout': {
    type: 'string',
    describe: 'seconds from the stop signal to SIGKILL, -1 for never',
    value: '10',
  },
  tty: { type: 'flag', alias: 't', describe: 'give it a terminal' },
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
    labels: options.list('label'),
    annotations: options.list('annotation'),
    stopSignal: options.string('stop-signal'),
    stopTimeout: options.integer('stop-timeout', -1),
    terminal: options.flag('tty'),
    interactive: options.flag('interactive'),
    autoRemove: options.flag('rm'),
  }
}

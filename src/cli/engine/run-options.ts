/** The options of `tsrun run` and what they ask of the engine. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { RunRequest } from '../../engine/run-request.ts'
import { TsrunError } from '../../errors.ts'
import { parseSize } from '../../util/size.ts'
import type { CommandOptions, OptionSpec } from './command.ts'

export const RUN_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  annotation: { type: 'list', describe: 'an annotation for the OCI runtime', value: 'key=value' },
  'cap-add': { type: 'list', describe: 'give a capability', value: 'name or ALL' },
  'cap-drop': { type: 'list', describe: 'take a capability', value: 'name or ALL' },
  'cpu-shares': { type: 'string', describe: 'relative share of processor time', value: 'number' },
  cpus: { type: 'string', describe: 'at most so many processors', value: 'number' },
  'cpuset-cpus': { type: 'string', describe: 'only these processors', value: '0-2,5' },
  'cpuset-mems': { type: 'string', describe: 'only these memory nodes', value: '0,1' },
  detach: { type: 'flag', alias: 'd', describe: 'run in the background and print the id' },
  'detach-keys': {
    type: 'string',
    describe: 'keys that leave the container',
    value: 'ctrl-p,ctrl-q',
  },
  device: { type: 'list', describe: 'give a device of the host', value: 'path[:path][:rwm]' },
  entrypoint: { type: 'string', describe: "instead of the image's entrypoint", value: 'program' },
  env: { type: 'list', alias: 'e', describe: 'set a variable', value: 'NAME[=value]' },
  'env-file': { type: 'list', describe: 'set the variables of a file', value: 'path' },
  'group-add': { type: 'list', describe: 'a further group of the user', value: 'group' },
  hostname: { type: 'string', alias: 'h', describe: 'name of the host inside', value: 'name' },
  init: { type: 'flag', describe: 'a first process that passes signals on and reaps' },
  interactive: { type: 'flag', alias: 'i', describe: 'keep stdin open' },
  label: { type: 'list', alias: 'l', describe: 'a label for the container', value: 'key[=value]' },
  memory: {
    type: 'string',
    alias: 'm',
    describe: 'at most so much memory',
    value: 'bytes, or with b k m g',
  },
  'memory-reservation': { type: 'string', describe: 'memory that is kept for it', value: 'bytes' },
  'memory-swap': {
    type: 'string',
    describe: 'memory and swap together, -1 for any',
    value: 'bytes',
  },
  mount: { type: 'list', describe: 'mount something', value: 'type=bind|tmpfs,src=…,dst=…' },
  name: { type: 'string', describe: 'name of the container', value: 'name' },
  network: { type: 'string', describe: 'none, which is the default, or host', value: 'none|host' },
  'oom-score-adj': { type: 'string', describe: 'from -1000 to 1000', value: 'number' },
  'pids-limit': {
    type: 'string',
    describe: 'at most so many processes, -1 for any',
    value: 'number',
  },
  platform: {
    type: 'string',
    describe: 'choose among the images of a list',
    value: 'os/arch[/variant]',
  },
  privileged: { type: 'flag', describe: 'all capabilities, all devices, nothing hidden' },
  pull: { type: 'string', describe: 'when to fetch the image', value: 'always|missing|never' },
  'read-only': { type: 'flag', describe: 'the root cannot be written' },
  rootfs: {
    type: 'flag',
    describe: 'IMAGE is the path of a root filesystem, which is used as it is',
  },
  rm: { type: 'flag', describe: 'remove the container when it has ended' },
  'security-opt': {
    type: 'list',
    describe: 'no-new-privileges, seccomp=path, apparmor=profile, …',
    value: 'option',
  },
  'shm-size': { type: 'string', describe: 'size of /dev/shm', value: 'bytes' },
  'sig-proxy': { type: 'flag', describe: 'pass signals on to the container (default)' },
  'stop-signal': { type: 'string', describe: 'what stop sends', value: 'SIGTERM' },
  sysctl: {
    type: 'list',
    describe: 'set a kernel parameter of the container',
    value: 'name=value',
  },
  tmpfs: { type: 'list', describe: 'mount an empty tmpfs', value: 'path[:options]' },
  tty: { type: 'flag', alias: 't', describe: 'give it a terminal' },
  ulimit: { type: 'list', describe: 'set a resource limit', value: 'name=soft[:hard]' },
  user: { type: 'string', alias: 'u', describe: 'run as this user', value: 'user[:group]' },
  volume: {
    type: 'list',
    alias: 'v',
    describe: 'mount a folder or file of the host',
    value: 'source:path[:ro]',
  },
  workdir: { type: 'string', alias: 'w', describe: 'run in this directory', value: 'path' },
}

/** The request for `tsrun run <options> <positionals>`. */
export function runRequestOf(options: CommandOptions, positionals: readonly string[]): RunRequest {
  const [image = '', ...command] = positionals
  const entrypoint = options.string('entrypoint')
  return {
    ...(options.flag('rootfs') ? { image: '', rootfs: resolve(image) } : { image }),
    command,
    ...(entrypoint === undefined ? {} : { entrypoint: entrypoint === '' ? [] : [entrypoint] }),
    name: options.string('name'),
    env: environmentOf(options, process.env),
    workdir: options.string('workdir'),
    user: options.string('user'),
    hostname: options.string('hostname'),
    volumes: options.list('volume'),
    mounts: options.list('mount'),
    tmpfs: options.list('tmpfs'),
    devices: options.list('device'),
    readOnly: options.flag('read-only'),
    capAdd: options.list('cap-add'),
    capDrop: options.list('cap-drop'),
    privileged: options.flag('privileged'),
    securityOpt: options.list('security-opt'),
    ulimits: options.list('ulimit'),
    sysctls: options.list('sysctl'),
    network: networkOf(options.string('network')),
    groups: options.list('group-add'),
    memory: sizeOf(options, 'memory'),
    memoryReservation: sizeOf(options, 'memory-reservation'),
    memorySwap: options.string('memory-swap') === '-1' ? -1 : sizeOf(options, 'memory-swap'),
    shmSize: sizeOf(options, 'shm-size'),
    cpuShares: options.integer('cpu-shares'),
    cpusetCpus: options.string('cpuset-cpus'),
    cpusetMems: options.string('cpuset-mems'),
    oomScoreAdj: options.integer('oom-score-adj', -1000),
    cpus: cpusOf(options.string('cpus')),
    pidsLimit: options.integer('pids-limit', -1),
    pull: pullOf(options.string('pull')),
    platform: options.string('platform'),
    init: options.flag('init'),
    labels: options.list('label'),
    annotations: options.list('annotation'),
    stopSignal: options.string('stop-signal'),
    terminal: options.flag('tty'),
    interactive: options.flag('interactive'),
    autoRemove: options.flag('rm'),
  }
}

/** Variables as `NAME=value`, files first: `--env NAME` takes the value from tsrun's own environment. */
export function environmentOf(options: CommandOptions, own: NodeJS.ProcessEnv): string[] {
  const variables = [
    ...options.list('env-file').flatMap(readEnvironmentFile),
    ...options.list('env'),
  ]
  return variables.map((variable) => {
    if (variable.includes('=')) return variable
    if (variable === '')
      throw new TsrunError('invalid-argument', 'cannot set a variable without a name')
    const value = own[variable]
    // A bare name that is not set removes the image's variable, as in docker.
    return value === undefined ? variable : `${variable}=${value}`
  })
}

function readEnvironmentFile(path: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new TsrunError('invalid-argument', `cannot read the environment file "${path}"`, {
      cause,
    })
  }
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  return lines
    .map((line) => line.trimStart())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => checkVariable(line, path))
}

function checkVariable(line: string, path: string): string {
  const name = line.split('=', 1)[0] ?? ''
  if (name !== '' && !/\s/.test(name)) return line
  throw new TsrunError(
    'invalid-argument',
    `cannot read the environment file "${path}": "${line}" has no valid name`,
  )
}

function networkOf(text: string | undefined): RunRequest['network'] {
  if (text === undefined || text === 'none' || text === 'host') return text ?? 'none'
  throw new TsrunError(
    'not-implemented',
    `cannot use the network "${text}": this tsrun has only none and host`,
  )
}

function pullOf(text: string | undefined): RunRequest['pull'] {
  if (text === undefined || text === 'missing' || text === 'always' || text === 'never')
    return text ?? 'missing'
  throw new TsrunError(
    'invalid-argument',
    `cannot use --pull "${text}": it is one of always, missing, never`,
  )
}

function sizeOf(options: CommandOptions, name: string): number | undefined {
  const text = options.string(name)
  if (text === undefined) return undefined
  const bytes = parseSize(text)
  if (bytes !== undefined) return bytes
  throw new TsrunError(
    'invalid-argument',
    `cannot use --${name} "${text}": it must be a size such as 512m`,
  )
}

function cpusOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const cpus = /^\d+(\.\d{1,9})?$|^\.\d{1,9}$/.test(text) ? Number(text) : 0
  if (cpus > 0) return cpus
  throw new TsrunError(
    'invalid-argument',
    `cannot use --cpus "${text}": it must be a number above 0 such as 1.5`,
  )
}

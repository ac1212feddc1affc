/** Options of docker and podman that tsrun takes without effect, as docker on cgroup v2 does, or refuses with a reason. */
import { TsrunError } from '../../../errors.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

/** Without effect; docker warns too. */
const IGNORED: Readonly<
  Record<string, { readonly type: OptionSpec['type']; readonly why: string }>
> = {
  'memory-swappiness': { type: 'string', why: 'cgroup v2 has no such limit' },
  'oom-kill-disable': { type: 'flag', why: 'cgroup v2 has no such switch' },
  'kernel-memory': { type: 'string', why: 'it is deprecated, and the kernel has no such limit' },
  'disable-content-trust': { type: 'flag', why: 'it is deprecated, and so is content trust' },
}

/** Values that say what is so anyway, and why others are refused. */
const REFUSED: Readonly<
  Record<string, { readonly fine: readonly string[]; readonly why: string }>
> = {
  'cpu-rt-period': { fine: ['0'], why: 'cgroup v2 has no limits for real-time scheduling' },
  'cpu-rt-runtime': { fine: ['0'], why: 'cgroup v2 has no limits for real-time scheduling' },
  'cpu-count': { fine: ['0'], why: 'it is for Windows; use --cpus' },
  'cpu-percent': { fine: ['0'], why: 'it is for Windows; use --cpus' },
  'io-maxbandwidth': { fine: ['0'], why: 'it is for Windows; use --device-read-bps' },
  'io-maxiops': { fine: ['0'], why: 'it is for Windows; use --device-read-iops' },
  isolation: { fine: ['', 'default'], why: 'it is for Windows; on Linux there is only default' },
  link: {
    fine: [],
    why: "links are of docker's old network; use --network with a network of your own",
  },
  'storage-opt': { fine: [], why: 'quotas of layers need a disk that is formatted for them' },
  'use-api-socket': { fine: ['false'], why: 'there is no daemon whose socket it could have' },
  'volume-driver': { fine: ['local'], why: 'the only driver of volumes is local' },
  runtime: { fine: ['tsrun'], why: 'tsrun runs containers itself' },
  'preserve-fds': { fine: ['0'], why: 'the monitor passes only stdin, stdout and stderr on' },
}
// Of podman and nerdctl.
const REFUSED_OF_OTHERS: typeof REFUSED = {
  ...sameFor(['pod', 'pod-id-file', 'init-ctr', 'requires'], {
    fine: [],
    why: 'there are no pods; --network container:NAME shares a network',
  }),
  ...sameFor(
    [
      'health-startup-cmd',
      'health-startup-interval',
      'health-startup-retries',
      'health-startup-success',
      'health-startup-timeout',
    ],
    { fine: [], why: 'there is one check; --health-start-period gives it time' },
  ),
  ...sameFor(['arch', 'os', 'variant'], { fine: [], why: 'use --platform' }),
  ...sameFor(['init-path', 'init-binary'], { fine: [], why: '--init has a program of its own' }),
  'image-volume': {
    fine: ['', 'anonymous', 'bind'],
    why: 'volumes of images are anonymous volumes; --tmpfs makes one a tmpfs',
  },
  'link-local-ip': { fine: [], why: 'networks give no link-local addresses; use --ip or --ip6' },
  'decryption-key': { fine: [], why: 'encrypted layers cannot be read' },
  'rdt-class': { fine: [], why: 'classes of Intel RDT are for the OCI runtime alone' },
  'seccomp-policy': { fine: ['default'], why: 'profiles come from --security-opt seccomp=' },
  'conmon-pidfile': { fine: [], why: 'there is no conmon; use --pidfile' },
  cgroups: { fine: ['enabled', 'no-conmon'], why: 'every container has a cgroup of its own' },
  sdnotify: { fine: ['ignore'], why: 'the socket of systemd is not passed on' },
}

function sameFor<T>(names: readonly string[], what: T): Record<string, T> {
  return Object.fromEntries(names.map((name) => [name, what]))
}

const ALL_REFUSED: typeof REFUSED = { ...REFUSED, ...REFUSED_OF_OTHERS }
const FLAGS = new Set(['use-api-socket'])

/** Not offered by help; they are here to be answered by name. */
export const REFUSED_OPTIONS: Readonly<Record<string, OptionSpec>> = Object.fromEntries([
  ...Object.entries(IGNORED).map(([name, { type, why }]) => [name, specOf(type, why)]),
  ...Object.entries(ALL_REFUSED).map(([name, { why }]) => [
    name,
    specOf(FLAGS.has(name) ? 'flag' : 'list', why),
  ]),
])

function specOf(type: OptionSpec['type'], why: string): OptionSpec {
  return { type, describe: `not supported: ${why}`, hidden: true }
}

/** Throws for an option that cannot be done; the result are warnings about those that do nothing. */
export function checkRefused(options: CommandOptions): readonly string[] {
  for (const [name, { fine, why }] of Object.entries(ALL_REFUSED)) {
    const values = FLAGS.has(name) ? [String(options.flag(name))] : options.list(name)
    const bad = values.find((value) => !fine.includes(value))
    if (bad === undefined) continue
    throw new TsrunError('not-implemented', `cannot use --${name} "${bad}": ${why}`)
  }
  return Object.entries(IGNORED)
    .filter(([name]) => options.has(name))
    .map(([name, { why }]) => `--${name} has no effect: ${why}`)
}

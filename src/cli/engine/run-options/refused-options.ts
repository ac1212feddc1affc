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
  userns: { fine: ['', 'host', 'private'], why: 'root runs containers with the ids of the host' },
  uidmap: { fine: [], why: 'root runs containers with the ids of the host' },
  gidmap: { fine: [], why: 'root runs containers with the ids of the host' },
  subuidname: { fine: [], why: 'root runs containers with the ids of the host' },
  subgidname: { fine: [], why: 'root runs containers with the ids of the host' },
  'volume-driver': { fine: ['local'], why: 'the only driver of volumes is local' },
  runtime: { fine: ['tsrun'], why: 'tsrun runs containers itself' },
  secret: { fine: [], why: 'there is no store of secrets; mount a file with --volume' },
  'preserve-fds': { fine: ['0'], why: 'the monitor passes only stdin, stdout and stderr on' },
}
const FLAGS = new Set(['use-api-socket'])

/** Not offered by help; they are here to be answered by name. */
export const REFUSED_OPTIONS: Readonly<Record<string, OptionSpec>> = Object.fromEntries([
  ...Object.entries(IGNORED).map(([name, { type, why }]) => [name, specOf(type, why)]),
  ...Object.entries(REFUSED).map(([name, { why }]) => [
    name,
    specOf(FLAGS.has(name) ? 'flag' : 'list', why),
  ]),
])

function specOf(type: OptionSpec['type'], why: string): OptionSpec {
  return { type, describe: `not supported: ${why}`, hidden: true }
}

/** Throws for an option that cannot be done; the result are warnings about those that do nothing. */
export function checkRefused(options: CommandOptions): readonly string[] {
  for (const [name, { fine, why }] of Object.entries(REFUSED)) {
    const values = FLAGS.has(name) ? [String(options.flag(name))] : options.list(name)
    const bad = values.find((value) => !fine.includes(value))
    if (bad === undefined) continue
    throw new TsrunError('not-implemented', `cannot use --${name} "${bad}": ${why}`)
  }
  return Object.entries(IGNORED)
    .filter(([name]) => options.has(name))
    .map(([name, { why }]) => `--${name} has no effect: ${why}`)
}

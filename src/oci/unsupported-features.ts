/** The one table of what a config.json may ask for and tsrun does not do yet: refused by name, never ignored. */
import { TsrunError } from '../errors.ts'
import type { RuntimeConfig } from './runtime-config.ts'

/** Facts of the host that decide whether a field can be honoured. */
export interface SecurityModules {
  readonly apparmor: boolean
  readonly selinux: boolean
}

interface UnsupportedFeature {
  /** Path of the field as the message names it: `linux.mountLabel`. */
  readonly name: string
  readonly asked: (config: RuntimeConfig, modules: SecurityModules) => boolean
}

/** Delete a row once the plan compiler honours its field. */
const UNSUPPORTED: readonly UnsupportedFeature[] = [
  section('vm'),
  section('solaris'),
  section('windows'),
  section('zos'),
  section('freebsd'),
  {
    name: 'linux.namespaces without a mount namespace',
    asked: ({ linux }) => linux?.namespaces?.some(({ type }) => type === 'mount') !== true,
  },
  {
    name: 'process.apparmorProfile (AppArmor is not enabled on this host)',
    // `unconfined` is what every process is there.
    asked: ({ process }, modules) =>
      isSet(process?.apparmorProfile) &&
      process?.apparmorProfile !== 'unconfined' &&
      !modules.apparmor,
  },
  labelRow('process.selinuxLabel', ({ process }) => process?.selinuxLabel),
  labelRow('linux.mountLabel', ({ linux }) => linux?.mountLabel),
]

/** Names of what `config` asks for and tsrun cannot do on this host; empty when it can run. */
export function unsupportedFeatures(
  config: RuntimeConfig,
  modules: SecurityModules = { apparmor: false, selinux: false },
): readonly string[] {
  return UNSUPPORTED.filter((feature) => feature.asked(config, modules)).map(({ name }) => name)
}

/** Throws `not-implemented` naming them all: `unsupported: vm, zos`. */
export function refuseUnsupported(config: RuntimeConfig, modules: SecurityModules): void {
  const names = unsupportedFeatures(config, modules)
  if (names.length > 0) throw new TsrunError('not-implemented', `unsupported: ${names.join(', ')}`)
}

/** A section for another platform, which the type of config.json here does not even have. */
function section(name: string): UnsupportedFeature {
  return { name, asked: (config) => Reflect.get(config, name) !== undefined }
}

type LabelOf = (config: RuntimeConfig) => string | undefined

function labelRow(name: string, labelOf: LabelOf): UnsupportedFeature {
  return {
    name: `${name} (SELinux is not enabled on this host)`,
    asked: (config, modules) => isSet(labelOf(config)) && !modules.selinux,
  }
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== ''
}

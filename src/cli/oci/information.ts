/** `spec` and `features`: documents that need neither a container nor the native library. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { defaultRuntimeConfig } from '../../oci/default-config.ts'
import { runtimeFeatures } from '../../oci/features.ts'
import { KNOWN_MOUNT_OPTIONS } from '../../oci/mount-option-names.ts'
import { SECCOMP_FEATURES } from '../../seccomp/features.ts'
import { VERSION } from '../../version.ts'
import { type OciCommand, print } from './command.ts'

export const specCommand: OciCommand = {
  usage: '[--bundle dir] [--rootless]',
  description: 'write a default config.json',
  table: { flags: { bundle: 'string', rootless: 'boolean' }, aliases: { b: 'bundle' } },
  async run(args) {
    const path = join(args.string('bundle') ?? '.', 'config.json')
    const config = defaultRuntimeConfig({ rootless: args.boolean('rootless') })
    try {
      writeFileSync(path, `${JSON.stringify(config, undefined, '\t')}\n`, {
        flag: 'wx',
        mode: 0o666,
      })
    } catch (cause) {
      if (existsSync(path))
        throw new TsrunError('already-exists', `File ${path} exists. Remove it first`, { cause })
      throw new TsrunError('not-found', `cannot write ${path}`, {
        cause,
        hint: 'the bundle directory must exist',
      })
    }
    return 0
  },
}

export const featuresCommand: OciCommand = {
  usage: '',
  description: 'print what this runtime can do, as JSON',
  table: { flags: {} },
  async run() {
    const features = runtimeFeatures({
      version: VERSION,
      mountOptions: KNOWN_MOUNT_OPTIONS,
      lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
      seccomp: SECCOMP_FEATURES,
      // What this build can do: whether the host has them shows when a config asks.
      apparmor: true,
      selinux: true,
      idmapMounts: false,
      systemdCgroup: false,
    })
    print(`${JSON.stringify(features, undefined, 2)}\n`)
    return 0
  },
}

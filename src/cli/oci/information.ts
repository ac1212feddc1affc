/** `spec` and `features`: documents that need neither a container nor the native library. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TsrunError } from '../../errors.ts'
import { defaultRuntimeConfig } from '../../oci/default-config.ts'
import { describeFeatures } from '../../runtime/describe-features.ts'
import { NO_ARGUMENTS, type OciCommand, print } from './command.ts'

export const specCommand: OciCommand = {
  usage: '[--bundle dir] [--rootless]',
  description: 'write a default config.json',
  table: { flags: { bundle: 'string', rootless: 'boolean' }, aliases: { b: 'bundle' } },
  positional: NO_ARGUMENTS,
  async run(args) {
    const path = join(args.string('bundle') ?? '.', 'config.json')
    const config = defaultRuntimeConfig({
      rootless: args.boolean('rootless'),
      hostUid: process.geteuid?.() ?? 0,
      hostGid: process.getegid?.() ?? 0,
    })
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
  positional: NO_ARGUMENTS,
  async run() {
    print(`${JSON.stringify(describeFeatures(), undefined, 2)}\n`)
    return 0
  },
}

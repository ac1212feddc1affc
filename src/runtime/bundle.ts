/** A bundle: the folder with config.json and the root filesystem (runtime-spec bundle.md). */
import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { errnoCodeOf, TsrunError } from '../errors.ts'
import type { RuntimeConfig } from '../oci/runtime-config.ts'
import { parseRuntimeConfig } from '../oci/validate-runtime-config.ts'
import { timed } from '../util/timings.ts'

/** The validated config.json of a bundle. */
export function readBundleConfig(bundle: string): RuntimeConfig {
  const path = join(bundle, 'config.json')
  try {
    return timed('compile', () => parseRuntimeConfig(readFileSync(path, 'utf8')))
  } catch (error) {
    const code = errnoCodeOf(error)
    if (code === 'ENOENT') {
      throw new TsrunError('not-found', `JSON specification file ${path} not found`, {
        hint: 'give the bundle with --bundle, or make a config.json with tsrun spec',
      })
    }
    if (code !== undefined)
      throw new TsrunError('invalid-argument', `cannot read ${path}: ${code}`, { cause: error })
    throw error
  }
}

/** Absolute path of the root filesystem. */
export function rootfsOf(bundle: string, config: RuntimeConfig): string {
  const path = config.root?.path ?? 'rootfs'
  return isAbsolute(path) ? path : join(bundle, path)
}

/** OCI bundles of busybox for tests: the default config.json with a small patch. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxRootfs } from '../../rootfs-cache/build-busybox-image.mjs'
import { defaultRuntimeConfig } from '../../src/oci/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'

/** Changes the config in place before it is written. */
export type ConfigPatch = (config: Mutable<RuntimeConfig>) => void

/** `T` without readonly at any depth. */
export type Mutable<T> = T extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : T extends object
    ? { -readonly [Key in keyof T]: Mutable<T[Key]> }
    : T

export interface Bundle extends AsyncDisposable {
  /** The bundle directory, with `config.json` and `rootfs`. */
  readonly path: string
  readonly rootfs: string
  readonly config: RuntimeConfig
}

/** A bundle that runs `sh` without a terminal, changed by `patch`; disposal removes it. */
export function createBundle(patch: ConfigPatch = () => {}): Bundle {
  const path = mkdtempSync(join(tmpdir(), 'tsrun-bundle-'))
  const rootfs = join(path, 'rootfs')
  const config = structuredClone(defaultRuntimeConfig()) as Mutable<RuntimeConfig>
  if (config.process !== undefined) config.process.terminal = false
  patch(config)
  buildBusyboxRootfs(rootfs)
  writeFileSync(join(path, 'config.json'), JSON.stringify(config, undefined, 2))
  return {
    path,
    rootfs,
    config,
    async [Symbol.asyncDispose]() {
      rmSync(path, { recursive: true, force: true })
    },
  }
}

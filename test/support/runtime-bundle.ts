/** A temporary OCI bundle for the runtime tests, for peers too: busybox as the root filesystem and a config.json to be changed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildBusyboxRootfs } from '../../rootfs-cache/build-busybox-image.mjs'
import { defaultRuntimeConfig } from '../../src/oci/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'

export interface Bundle extends Disposable {
  readonly directory: string
  readonly rootfs: string
  /** Replaces config.json by the default one, not on a terminal, with `change` applied. */
  configure(change?: (config: RuntimeConfig) => RuntimeConfig): void
  /** As {@link configure}, running `args`. */
  command(...args: readonly string[]): void
}

/** A bundle whose container prints `hello`. Dispose removes it. */
export function makeBundle(): Bundle {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-bundle-'))
  const rootfs = join(directory, 'rootfs')
  buildBusyboxRootfs(rootfs)
  const configure = (
    change: (config: RuntimeConfig) => RuntimeConfig = (config) => config,
  ): void => {
    writeFileSync(join(directory, 'config.json'), JSON.stringify(change(testConfig())))
  }
  const bundle: Bundle = {
    directory,
    rootfs,
    configure,
    command: (...args) => configure((config) => withProcess(config, { args })),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
  bundle.command('echo', 'hello')
  return bundle
}

/** `config` with fields of its process changed. */
export function withProcess(
  config: RuntimeConfig,
  change: Partial<NonNullable<RuntimeConfig['process']>>,
): RuntimeConfig {
  return { ...config, process: { cwd: '/', ...config.process, ...change } }
}

/** `config` without its namespaces of `kind`: the container shares the caller's. */
export function withoutNamespace(config: RuntimeConfig, kind: string): RuntimeConfig {
  const namespaces = (config.linux?.namespaces ?? []).filter(({ type }) => type !== kind)
  return { ...config, linux: { ...config.linux, namespaces } }
}

// Peers of the machine's distribution know only older versions of the specification.
function testConfig(): RuntimeConfig {
  return withProcess({ ...defaultRuntimeConfig(), ociVersion: '1.0.0' }, { terminal: false })
}

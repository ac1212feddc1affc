import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultRuntimeConfig } from '../../../src/oci/default-config.ts'
import { unsupportedFeatures } from '../../../src/oci/unsupported-features.ts'
import { validateRuntimeConfig } from '../../../src/oci/validate-runtime-config.ts'

const directories: string[] = []

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true })
})

/** What an installed runc prints, undefined where there is none. */
function runcSpec(args: readonly string[]): unknown {
  const directory = mkdtempSync(join(tmpdir(), 'tsrun-spec-'))
  directories.push(directory)
  try {
    execFileSync('runc', ['spec', ...args], { cwd: directory })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8'))
}

/** The three differences that are meant: version, name, and the cgroup namespace (runc adds it on pure v2 only). */
function comparable(value: unknown): unknown {
  const config = JSON.parse(JSON.stringify(value))
  delete config.ociVersion
  delete config.hostname
  config.linux.namespaces = config.linux.namespaces
    .map(({ type }: { type: string }) => type)
    .filter((type: string) => type !== 'cgroup')
  // runc 1.2 stopped writing ambient capabilities, Debian's 1.1 writes them.
  delete config.process.capabilities.ambient
  return config
}

describe('defaultRuntimeConfig()', () => {
  it.each([
    ['root', [], {}],
    ['rootless', ['--rootless'], { rootless: true }],
  ])('equals runc spec for %s', (_, args, options) => {
    const spec = runcSpec(args)
    if (spec === undefined) return
    const ours = defaultRuntimeConfig({
      ...options,
      hostUid: process.geteuid?.() ?? 0,
      hostGid: process.getegid?.() ?? 0,
    })
    expect(comparable(ours)).toEqual(comparable(spec))
  })

  it.each([{}, { rootless: true, hostUid: 1000, hostGid: 1000 }])(
    'is valid and supported with %j',
    (options) => {
      const config = defaultRuntimeConfig(options)
      expect(validateRuntimeConfig(config)).toEqual([])
      expect(unsupportedFeatures(config)).toEqual([])
    },
  )
})

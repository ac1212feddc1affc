/** `tsrun build` makes the same configs and the same trees of ordinary Dockerfiles as Debian's buildah. */
import { constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBusyboxImage } from '../../rootfs-cache/build-busybox-image.mjs'
import { openImageStore } from '../../src/images/open-image-store.ts'
import { openOverlayView } from '../../src/native/overlay-view.ts'
import { OwnedFd } from '../../src/native/owned-fd.ts'
import { chainIdsOf } from '../../src/snapshots/chain-id.ts'
import { createLimiter } from '../../src/util/limiter.ts'
import { BUILD_CASES, type BuildCase } from '../support/build-cases.ts'
import { type CallerCommands, callerCommands } from '../support/caller-commands.ts'
import { TestEngine } from '../support/engine.ts'
import { missing } from '../support/requires.ts'
import { listTree } from '../support/tree-listing.ts'

/**
 * Places that are no part of the comparison, each with what it differs by:
 * - buildah binds its own /etc/hosts, /etc/hostname and /etc/resolv.conf over empty files that it leaves behind;
 * - with its chroot isolation the folders below /dev, /proc, /sys and /run on which it mounts stay, too.
 */
const LEFT_BY_BUILDAH = /^(etc\/(hosts|hostname|resolv\.conf)|dev|proc|sys|run)(\/|,|$)/

/** Of the config only what a container runs by; times and the words of the history are each tool's own. */
const COMPARED = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'Shell',
  'Healthcheck',
  'OnBuild',
] as const

interface Built {
  readonly config: Readonly<Record<string, unknown>>
  readonly tree: readonly string[]
}

describe.skipIf(missing('root', 'command:buildah'))('tsrun build, like buildah', () => {
  let directory: string
  let buildah: CallerCommands
  const engine = new TestEngine()

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'tsrun-build-'))
    writeFileSync(join(directory, 'token'), 'top secret')
    const configuration = join(directory, 'containers.conf')
    // Raised rlimits: this machine may not be able to give them.
    writeFileSync(configuration, '[containers]\ndefault_ulimits = []\n')
    const roots = [`--root=${join(directory, 'root')}`, `--runroot=${join(directory, 'run')}`]
    const env = { ...process.env, CONTAINERS_CONF: configuration, TMPDIR: directory }
    buildah = callerCommands(['buildah', '--storage-driver=overlay', ...roots], env)
    buildah.succeed(['pull', '--quiet', `oci-archive:${await buildBusyboxImage()}`])
    await engine.loadBusybox()
    // It takes half a second for a step, most of it waiting.
    const limit = createLimiter(3)
    await Promise.all(BUILD_CASES.map((one, number) => limit(() => buildByBuildah(one, number))))
  }, 300_000)

  afterAll(() => {
    engine[Symbol.dispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  test.each(BUILD_CASES.map((one, number) => [one.name, one, number] as const))(
    '%s',
    (_, one, number) => {
      const folder = join(directory, `context${number}`)
      const { first } = one
      if (first !== undefined)
        engine.succeed(['build', '-q', '-t', first.tag, '-f', join(folder, 'first'), folder])
      engine.succeed(['build', '-q', ...optionsOf(one), '-t', 'built', folder])
      const expected = builtByBuildah(number)
      const actual = builtByTsrun()
      expect(actual.config).toEqual(expected.config)
      expect(actual.tree).toEqual(expected.tree)
    },
  )

  // The docker format, because OCI's has no place for SHELL, HEALTHCHECK and ONBUILD.
  const BUILDAH_BUILD = [
    'build',
    '--quiet',
    '--isolation=chroot',
    '--format=docker',
    '--identity-label=false',
  ]

  async function buildByBuildah(one: BuildCase, number: number): Promise<void> {
    const folder = join(directory, `context${number}`)
    mkdirSync(folder)
    one.context?.(folder)
    writeFileSync(join(folder, 'Dockerfile'), one.dockerfile)
    if (one.first !== undefined) {
      writeFileSync(join(folder, 'first'), one.first.dockerfile)
      await succeed([...BUILDAH_BUILD, '-t', one.first.tag, '-f', join(folder, 'first'), folder])
    }
    const output = `type=local,dest=${treeOf(number)}`
    await succeed([
      ...BUILDAH_BUILD,
      ...optionsOf(one),
      '-t',
      `built${number}`,
      '-o',
      output,
      folder,
    ])
  }

  async function succeed(args: readonly string[]): Promise<void> {
    const { status, stderr } = await buildah.start(args)
    if (status !== 0) throw new Error(`buildah ${args.join(' ')}: ${stderr}`)
  }

  function treeOf(number: number): string {
    return join(directory, `tree${number}`)
  }

  function optionsOf({ options = [] }: BuildCase): readonly string[] {
    return options.map((text) => text.replace('../token', join(directory, 'token')))
  }

  function builtByBuildah(number: number): Built {
    const text = buildah.succeed(['inspect', '--type=image', `built${number}`])
    const { Docker } = JSON.parse(text) as {
      Docker: { config: Record<string, unknown>; author?: string }
    }
    return { config: comparable(Docker.config, Docker.author), tree: listed(treeOf(number)) }
  }

  function builtByTsrun(): Built {
    const store = openImageStore(engine.dataRoot)
    const { config } = store.resolve('built')
    const folders = store.snapshots.layerFolders(chainIdsOf(config.rootfs.diff_ids))
    using root =
      folders.length > 1
        ? openOverlayView(folders)
        : new OwnedFd(openSync(folders[0] ?? '', constants.O_RDONLY | constants.O_DIRECTORY))
    return {
      config: comparable({ ...config.config }, config.author),
      tree: listed(`/proc/self/fd/${root.fd}/`),
    }
  }
})

// What is empty in one is absent in the other, and the order of keys says nothing.
function comparable(config: Readonly<Record<string, unknown>>, author = '') {
  const isEmpty = (value: unknown) =>
    value === undefined || value === null || value === '' || Object.keys(value).length === 0
  const kept = COMPARED.filter((key) => !isEmpty(config[key])).map((key) => [key, config[key]])
  return { ...Object.fromEntries(kept), author }
}

// Times are those of the two builds.
function listed(root: string): readonly string[] {
  return listTree(root)
    .filter((line) => !LEFT_BY_BUILDAH.test(line))
    .map((line) => line.replace(/, mtime -?\d+/, ''))
}

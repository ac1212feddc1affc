/** Builds for Node programs: with progress and an AbortSignal, on the same store and cache as the command. */
import { dirname } from 'node:path'
import type { BuildProgress, BuiltImage, SecretSource } from './build/build-request.ts'
import { defaultDataRoot, defaultStateRoot } from './default-roots.ts'
import { openEngine } from './engine.ts'

export type { BuildProgress, BuiltImage, SecretSource }

export interface BuildOptions {
  /** The folder that COPY and ADD take from; none when absent, and then `dockerfile` must be a text. */
  readonly context?: string
  /** Path of the Dockerfile, or its text. By default the one in the context. */
  readonly dockerfile?: string | { readonly text: string }
  /** Names for the image; a nameless one when absent. */
  readonly tags?: readonly string[]
  readonly buildArgs?: Readonly<Record<string, string>>
  readonly labels?: Readonly<Record<string, string>>
  /** Name or number of a stage. */
  readonly target?: string
  readonly platform?: string
  readonly noCache?: boolean
  /** When base images are fetched; `missing` by default. */
  readonly pull?: 'always' | 'missing' | 'never'
  /** Network of RUN: `bridge` by default, `none`, `host`, or the name of one. */
  readonly network?: string
  readonly secrets?: Readonly<Record<string, SecretSource>>
  /** Seconds since 1970 that no time in the image is after: then two builds give the same digest. */
  readonly sourceDateEpoch?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (event: BuildProgress) => void
  /** Where images and layers are; /var/lib/tsrun by default. */
  readonly dataRoot?: string
  /** Where the state of running containers is; /run/tsrun-engine by default. */
  readonly stateRoot?: string
}

/** Builds an image. A step that fails rejects with the file and line; what was made before it stays in the cache. */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  options.signal?.throwIfAborted()
  const { buildImage: build } = await import('./build/build-image.ts')
  const dockerfile = await dockerfileOf(options)
  const engine = openEngine({
    dataRoot: options.dataRoot ?? defaultDataRoot(),
    stateRoot: options.stateRoot ?? defaultStateRoot(),
    // Only monitors run it, and builds have none.
    command: [],
  })
  await engine.sweep()
  return await build(engine, {
    dockerfile,
    context: options.context,
    tags: options.tags ?? [],
    args: new Map(Object.entries(options.buildArgs ?? {})),
    labels: new Map(Object.entries(options.labels ?? {})),
    target: options.target,
    platform: options.platform,
    noCache: options.noCache === true,
    pull: options.pull ?? 'missing',
    network: options.network ?? 'bridge',
    secrets: new Map(Object.entries(options.secrets ?? {})),
    epoch: options.sourceDateEpoch,
    signal: options.signal,
    onProgress: options.onProgress ?? (() => {}),
  })
}

async function dockerfileOf({ context, dockerfile }: BuildOptions) {
  if (typeof dockerfile === 'object')
    return { name: 'Dockerfile', text: dockerfile.text, path: undefined }
  const { readDockerfile } = await import('./build/read-dockerfile.ts')
  return await readDockerfile({
    // A path without a context is that of a Dockerfile which copies nothing.
    context: context ?? dirname(dockerfile ?? '.'),
    file: dockerfile,
  })
}

/** The image that a stage begins with, or that files are taken from. */
import type { StageConfig } from '../../dockerfile/stage-config.ts'
import type { Image } from '../../images/image-store.ts'
import { imageOf, type PullProgress } from '../container-image.ts'
import type { BuildSession } from './build-session.ts'
import type { StageResult } from './stage-result.ts'

/** Where nothing says otherwise; what docker gives an image from scratch. */
const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Finds the image, or fetches it as `--pull` says. */
export async function findImage(
  { engine, store, request }: BuildSession,
  name: string,
  onPull: (event: PullProgress) => void,
): Promise<Image> {
  const { pull, platform, signal } = request
  const found = await imageOf(engine, { image: name, pull, platform }, { signal, onPull })
  return store.resolve(found?.id ?? name)
}

/** A stage on the image before its first instruction. */
export function stageOn({ config, manifest, chainIds }: Image): StageResult {
  const { config: process = {}, rootfs, history, ...base } = config
  return {
    base,
    config: newConfig(process),
    layers: rootfs.diff_ids.map((diffId, i) => ({ diffId, descriptor: manifest.layers[i] })),
    chainIds,
    history: history ?? [],
    created: config.created ?? new Date(0).toISOString(),
  }
}

/** `FROM scratch`. */
export function emptyStage({ platform }: BuildSession, created: string): StageResult {
  const { os, architecture, variant } = platform
  return {
    base: { architecture, os, ...(variant === undefined ? {} : { variant }) },
    config: newConfig({ Env: [DEFAULT_PATH], WorkingDir: '/' }),
    layers: [],
    chainIds: [],
    history: [],
    created,
  }
}

function newConfig(process: StageConfig['process']): StageConfig {
  return { process, author: undefined, args: new Map(), hasCommand: false }
}

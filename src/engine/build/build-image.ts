/** `build`: from a Dockerfile and a context to an image. */
import { parseDockerfile } from '../../dockerfile/parse-dockerfile.ts'
import { TsrunError } from '../../errors.ts'
import { writeImage } from '../../images/write-image.ts'
import type { Descriptor, ImageConfig } from '../../oci/image.ts'
import { formatPlatform, parsePlatform, samePlatform } from '../../oci/platform.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import type { Engine } from '../engine.ts'
import { imagesOf } from '../images.ts'
import { BuildArguments } from './build-arguments.ts'
import type { BuildRequest, BuiltImage } from './build-request.ts'
import { BuildSession } from './build-session.ts'
import { openContext } from './context-folder.ts'
import { StageBuilder } from './stage-builder.ts'
import type { StageResult } from './stage-result.ts'
import { blobOfLayer } from './step-layer.ts'

/** Builds the image and gives it its names. When a step fails, what came before it stays in the cache. */
export async function buildImage(engine: Engine, request: BuildRequest): Promise<BuiltImage> {
  const names = request.tags.map((tag) => formatReference(parseReference(tag)))
  const dockerfile = parseDockerfile(request.dockerfile.text, request.dockerfile.name)
  const store = imagesOf(engine)
  const platform = platformOf(request, store.hostPlatform)
  const context =
    request.context === undefined
      ? undefined
      : openContext(request.context, request.dockerfile.path)
  // Nothing that the build stores goes before the image or the cache refers to it.
  using _ = await store.content.hold()
  using session = new BuildSession({ engine, store, request, dockerfile, platform })
  const args = new BuildArguments(session)
  const stage = await new StageBuilder(session, args, context).build(request.target)
  for (const name of args.unused())
    request.onProgress({ type: 'warning', text: `--build-arg ${name} is asked for by no ARG` })
  return await session.step('exporting the image', async () => ({
    cached: false,
    result: await exportImage(session, stage, names),
  }))
}

function platformOf({ platform }: BuildRequest, host: BuildSession['platform']) {
  const wanted = platform === undefined ? host : parsePlatform(platform, host)
  if (samePlatform(wanted, host)) return host
  throw new TsrunError(
    'not-implemented',
    `cannot build for the platform "${platform}": this machine is ${formatPlatform(host)}`,
    { hint: `leave --platform out, or build on a machine of that platform` },
  )
}

async function exportImage(
  session: BuildSession,
  stage: StageResult,
  names: readonly string[],
): Promise<BuiltImage> {
  const { store, request } = session
  if (stage.layers.length === 0)
    throw new TsrunError(
      'failed-precondition',
      `cannot make an image of ${session.dockerfile.file}: it has no files`,
      { hint: 'begin with another image than scratch, or COPY something' },
    )
  const layers: Descriptor[] = []
  for (const [i, { descriptor, diffId }] of stage.layers.entries())
    layers.push(descriptor ?? (await blobOfLayer(store, stage.chainIds[i] ?? '', diffId)))
  const config = configOf(session, stage)
  const [first, ...others] = names
  const image = await writeImage(store, { config, layers, name: first, signal: request.signal })
  for (const name of others) await store.names.set(name, image.target)
  return { id: image.id, names }
}

function configOf(
  session: BuildSession,
  { base, config, layers, history, created }: StageResult,
): ImageConfig {
  const { request } = session
  const { process, author } = config
  const labels = { ...process.Labels, ...Object.fromEntries(request.labels) }
  const { created: _ofBase, ...rest } = base
  return {
    created: request.epoch === undefined ? created : session.now(),
    ...rest,
    ...(author === undefined ? {} : { author }),
    config: { ...process, ...(Object.keys(labels).length === 0 ? {} : { Labels: labels }) },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history,
  }
}

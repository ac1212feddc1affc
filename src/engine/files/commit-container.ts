/** `commit`: an image of what a container has made of its own. */
import { writeTar } from '../../archive/tar-writer.ts'
import { TsrunError } from '../../errors.ts'
import { commitLayer } from '../../images/commit-layer.ts'
import type { ImageProcess } from '../../oci/image.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { type ContainerRecord, shortId } from '../container-record.ts'
import { statusOf } from '../container-status.ts'
import type { Engine } from '../engine.ts'
import { containerEvent } from '../events/event.ts'
import { recordEvent } from '../events/event-log.ts'
import { applyChange } from '../image-changes.ts'
import { imagesOf } from '../images.ts'
import { pauseContainer, unpauseContainer } from '../pause-container.ts'
import { configOf } from './container-root.ts'
import { layerEntries } from './layer-entries.ts'
import { readUpper } from './upper-layer.ts'

export interface CommitRequest {
  /** Name of the image, with or without a tag; nameless without. */
  readonly name?: string | undefined
  readonly author?: string | undefined
  readonly message?: string | undefined
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[]
  /** Freeze the container meanwhile, so that its files belong to one moment. */
  readonly pause: boolean
  readonly onSkipped: (path: string, reason: string) => void
}

/** Makes the image and resolves to its id. */
export async function commitContainer(
  engine: Engine,
  id: string,
  request: CommitRequest,
): Promise<string> {
  const record = engine.containers.read(id)
  if (record === undefined) throw new TsrunError('not-found', `no such container: ${shortId(id)}`)
  if (record.image === undefined)
    throw new TsrunError(
      'not-implemented',
      `cannot make an image of container "${record.name}": it was not made from one`,
      { hint: 'use tsrun export' },
    )
  const name =
    request.name === undefined ? undefined : formatReference(parseReference(request.name))
  const process = request.changes.reduce(applyChange, processOf(engine, record))
  const store = imagesOf(engine)
  const base = store.resolve(record.image.id)
  const { status } = statusOf(record, engine.containers.directory(id))
  const isPausedForThis = request.pause && status === 'running'
  if (isPausedForThis) await pauseContainer(engine, id)
  try {
    const image = await commitLayer(store, {
      base,
      layer: writeTar(layerEntries(readUpper(engine, record, request.onSkipped))),
      process,
      author: request.author ?? '',
      comment: request.message ?? '',
      createdBy: [...record.entrypoint, ...record.command].join(' '),
      name,
    })
    const made = { comment: request.message ?? '', imageID: image.id, imageRef: name ?? '' }
    recordEvent(engine.dataRoot, containerEvent(record, 'commit', made))
    return image.id
  } finally {
    if (isPausedForThis) await unpauseContainer(engine, id)
  }
}

/** What the container runs becomes what the image runs, as docker has it. */
function processOf(engine: Engine, record: ContainerRecord): ImageProcess {
  const config = configOf(engine, record.id)
  const base = imagesOf(engine).resolve(record.image?.id ?? '').config.config ?? {}
  return {
    ...base,
    User: record.user,
    Env: ownVariables(config.process?.env ?? [], base.Env ?? []),
    ...(record.entrypoint.length === 0 ? {} : { Entrypoint: record.entrypoint }),
    Cmd: record.command,
    WorkingDir: record.request.workdir ?? base.WorkingDir ?? '',
    Labels: record.labels,
    StopSignal: record.stopSignal,
  }
}

// HOSTNAME, HOME and TERM are each container's own; an image that names them keeps them.
function ownVariables(env: readonly string[], base: readonly string[]): readonly string[] {
  const named = new Set(base.map((text) => text.split('=', 1)[0]))
  return env.filter((text) => {
    const name = text.split('=', 1)[0] ?? ''
    return named.has(name) || !['HOSTNAME', 'HOME', 'TERM'].includes(name)
  })
}

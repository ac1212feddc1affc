/** `tsrun inspect`: everything about whatever has a name, in docker's shape. */
import { ContainerSizes } from '../../engine/container-sizes.ts'
import { type Engine, openEngine } from '../../engine/engine.ts'
import { inspectContainer } from '../../engine/inspect-container.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { INSPECT_OPTIONS, inspectNames } from './inspect-names.ts'

export const command: EngineCommand = {
  usage: 'inspect [options] CONTAINER|IMAGE|VOLUME|NETWORK...',
  describe: 'Show everything about containers, images, volumes and networks as JSON.',
  options: {
    size: { type: 'flag', alias: 's', describe: 'with the size of containers' },
    type: {
      type: 'string',
      describe: 'only things of this kind',
      value: 'container|image|volume|network',
    },
    ...INSPECT_OPTIONS,
  },
  examples: [
    { does: 'The state of a container', line: 'inspect --format "{{.State.Status}}" web' },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const engine = openEngine(input.roots)
  await engine.sweep()
  const kinds = kindsOf(input.options.string('type'))
  const size = input.options.flag('size')
  return await inspectNames(input, (name) => inspectAny(engine, name, kinds, size))
}

type Kind = 'container' | 'image' | 'volume' | 'network'
const KINDS: readonly Kind[] = ['container', 'image', 'volume', 'network']

function kindsOf(text: string | undefined): readonly Kind[] {
  const kinds = KINDS.filter((kind) => text === undefined || kind === text)
  if (kinds.length > 0) return kinds
  throw new TsrunError(
    'invalid-argument',
    `cannot use --type "${text}": it is one of ${KINDS.join(', ')}`,
  )
}

/** The first of the kinds that has the name, as docker looks. */
async function inspectAny(
  engine: Engine,
  name: string,
  kinds: readonly Kind[],
  size: boolean,
): Promise<unknown> {
  for (const kind of kinds) {
    try {
      return await inspectKind(engine, name, kind, size)
    } catch (error) {
      const isMissing = error instanceof TsrunError && error.kind === 'not-found'
      if (!isMissing || kinds.length === 1) throw error
    }
  }
  throw new TsrunError('not-found', `no such object: ${name}`, {
    hint: 'it is the name of no container, image, volume or network: see tsrun ps -a, images, volume ls, network ls',
  })
}

async function inspectKind(
  engine: Engine,
  name: string,
  kind: Kind,
  size: boolean,
): Promise<unknown> {
  switch (kind) {
    case 'container': {
      const id = engine.containers.find(name)
      const container = inspectContainer(engine, id)
      const record = size ? engine.containers.read(id) : undefined
      if (record === undefined) return container
      const { written, whole } = new ContainerSizes(engine).of(record)
      return { ...container, SizeRw: written, SizeRootFs: whole }
    }
    case 'image': {
      const { imagesOf } = await import('../../engine/images.ts')
      const { inspectImage } = await import('../../engine/inspect-image.ts')
      const store = imagesOf(engine)
      return inspectImage(store, store.resolve(name))
    }
    case 'volume': {
      const { inspectVolume } = await import('../../engine/volumes/inspect-volume.ts')
      return inspectVolume(engine, name)
    }
    case 'network': {
      const { inspectNetwork } = await import('../../engine/networks/list-networks.ts')
      return inspectNetwork(engine, name)
    }
  }
}

/** `tsrun image inspect`: everything about images, in docker's shape. */
import { openEngine } from '../../engine/engine.ts'
import { referrersOf } from '../../engine/image-referrers.ts'
import { imagesOf } from '../../engine/images.ts'
import { inspectImage } from '../../engine/inspect-image.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { INSPECT_OPTIONS, inspectNames } from './inspect-names.ts'

export const command: EngineCommand = {
  usage: 'image inspect [options] IMAGE [IMAGE...]',
  describe: 'Show everything about images as JSON.',
  options: {
    ...INSPECT_OPTIONS,
    referrers: {
      type: 'flag',
      describe: 'ask the registries of its names for SBOMs, provenance and signatures, too',
    },
    'tls-verify': { type: 'flag', describe: 'false: take any certificate, or plain HTTP' },
  },
  examples: [
    {
      does: 'What the registry has about an image',
      line: 'image inspect --referrers --format "{{json .Referrers}}" ghcr.io/me/app',
    },
    {
      does: 'The command of an image',
      line: 'image inspect --format "{{json .Config.Cmd}}" alpine',
    },
  ],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run(input: CommandInput): Promise<number> {
  const store = imagesOf(openEngine(input.roots))
  const verifyTls = input.options.flag('tls-verify', true)
  return await inspectNames(input, async (name) => {
    const image = store.resolve(name)
    const shown = inspectImage(store, image)
    if (!input.options.flag('referrers')) return shown
    return { ...shown, Referrers: await referrersOf(image, { verifyTls }) }
  })
}

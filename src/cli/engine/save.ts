/** `tsrun save`: writes images to an archive. */
import { pipeline } from 'node:stream/promises'
import { openEngine } from '../../engine/engine.ts'
import { type SaveFormat, saveFolder, saveImages } from '../../engine/images.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { writeFileWhole } from './write-output.ts'

const FORMATS: readonly SaveFormat[] = ['oci-archive', 'docker-archive', 'oci-dir', 'docker-dir']

export const command: EngineCommand = {
  usage: 'save [options] IMAGE [IMAGE...]',
  describe:
    'Write images to a tar that is an OCI image layout and that docker load reads too, or to a folder.',
  options: {
    output: {
      type: 'string',
      alias: 'o',
      describe: 'the file or folder instead of standard output',
      value: 'file',
    },
    format: {
      type: 'string',
      describe:
        'oci-archive or docker-archive: the tar is both; oci-dir or docker-dir: a new folder',
      value: 'name',
    },
    platform: {
      type: 'string',
      describe: "os/architecture[/variant] instead of this machine's",
      value: 'text',
    },
  },
  examples: [{ does: 'Into a file', line: 'save -o alpine.tar alpine' }],
  positionals: { min: 1, max: Number.POSITIVE_INFINITY },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const output = options.string('output')
  const format = formatOf(options.string('format'))
  const isFolder = format === 'oci-dir' || format === 'docker-dir'
  if (output === undefined && (isFolder || process.stdout.isTTY)) {
    throw new TsrunError(
      'invalid-argument',
      isFolder ? `cannot save as ${format} to standard output` : 'cannot save to a terminal',
      { hint: isFolder ? 'use -o FOLDER' : 'use -o FILE or redirect standard output' },
    )
  }
  const engine = openEngine(roots)
  await engine.sweep()
  const request = { images: positionals, platform: options.string('platform') }
  if (output !== undefined && isFolder)
    await saveFolder(engine, { ...request, folder: output, format })
  else if (output === undefined)
    await pipeline(await saveImages(engine, request), process.stdout, { end: false })
  else await writeFileWhole(output, await saveImages(engine, request))
  return 0
}

function formatOf(text: string | undefined): SaveFormat {
  const format = FORMATS.find((name) => name === (text ?? 'oci-archive'))
  if (format !== undefined) return format
  throw new TsrunError(
    'invalid-argument',
    `cannot save in the format "${text}": there are ${FORMATS.join(', ')}`,
  )
}

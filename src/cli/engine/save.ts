/** `tsrun save`: writes images to an archive. */
import { pipeline } from 'node:stream/promises'
import { openEngine } from '../../engine/engine.ts'
import { saveImages } from '../../engine/images.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'
import { writeFileWhole } from './write-output.ts'

const FORMATS = ['oci-archive', 'docker-archive']

export const command: EngineCommand = {
  usage: 'save [options] IMAGE [IMAGE...]',
  describe: 'Write images to a tar that is an OCI image layout and that docker load reads too.',
  options: {
    output: {
      type: 'string',
      alias: 'o',
      describe: 'the file instead of standard output',
      value: 'file',
    },
    format: {
      type: 'string',
      describe: 'oci-archive or docker-archive: the tar is both',
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
  const format = options.string('format')
  if (format !== undefined && !FORMATS.includes(format)) {
    throw new TsrunError(
      'invalid-argument',
      `cannot save in the format "${format}": there are ${FORMATS.join(' and ')}`,
    )
  }
  if (output === undefined && process.stdout.isTTY) {
    throw new TsrunError('invalid-argument', 'cannot save to a terminal', {
      hint: 'use -o FILE or redirect standard output',
    })
  }
  const engine = openEngine(roots)
  await engine.sweep()
  const archive = saveImages(engine, positionals, options.string('platform'))
  if (output === undefined) await pipeline(archive, process.stdout, { end: false })
  else await writeFileWhole(output, archive)
  return 0
}

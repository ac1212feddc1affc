/** `tsrun import`: makes an image from the tar of a root filesystem. */
import { openEngine } from '../../engine/engine.ts'
import { importImage } from '../../engine/images.ts'
import { TsrunError } from '../../errors.ts'
import type { CommandInput, EngineCommand } from './command.ts'

export const command: EngineCommand = {
  usage: 'import [options] FILE|- [NAME]',
  describe: 'Make an image of one layer from the tar of a root filesystem, plain or compressed.',
  options: {
    change: {
      type: 'list',
      alias: 'c',
      describe:
        'an instruction of a Dockerfile for the config: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR',
      value: 'text',
    },
    message: { type: 'string', alias: 'm', describe: 'comment in the history', value: 'text' },
    platform: {
      type: 'string',
      describe: "os/architecture[/variant] instead of this machine's",
      value: 'text',
    },
  },
  examples: [
    { does: 'From debootstrap', line: 'import -c \'CMD ["bash"]\' rootfs.tar debian:mine' },
  ],
  positionals: { min: 1, max: 2 },
  run,
}

async function run({ options, positionals, roots }: CommandInput): Promise<number> {
  const [source = '-', name] = positionals
  if (/^https?:\/\//.test(source))
    throw new TsrunError(
      'not-implemented',
      `cannot import "${source}": addresses are not fetched`,
      {
        hint: `curl ${source} | tsrun import - ${name ?? 'NAME'}`,
      },
    )
  const engine = openEngine(roots)
  await engine.sweep()
  const image = await importImage(engine, {
    path: source === '-' ? undefined : source,
    name,
    message: options.string('message'),
    changes: options.list('change'),
    platform: options.string('platform'),
  })
  process.stdout.write(`${image.id}\n`)
  return 0
}

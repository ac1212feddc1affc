/** Options of `run` and `create` about the image: which one, and whether to fetch it. */
import { resolve } from 'node:path'
import type { RunRequest } from '../../../engine/run-request.ts'
import { TsrunError } from '../../../errors.ts'
import type { CommandOptions, OptionSpec } from '../command.ts'

export const IMAGE_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  platform: {
    type: 'string',
    describe: 'choose among the images of a list',
    value: 'os/arch[/variant]',
  },
  pull: { type: 'string', describe: 'when to fetch the image', value: 'always|missing|never' },
  rootfs: {
    type: 'flag',
    describe: 'IMAGE is the path of a root filesystem, which is used as it is',
  },
}

/** `image` is the first argument after the options. */
export function imageRequest(
  options: CommandOptions,
  image: string,
): Pick<RunRequest, 'image'> & Partial<RunRequest> {
  return {
    ...(options.flag('rootfs') ? { image: '', rootfs: resolve(image) } : { image }),
    pull: pullOf(options.string('pull')),
    platform: options.string('platform'),
  }
}

function pullOf(text: string | undefined): RunRequest['pull'] {
  if (text === undefined || text === 'missing' || text === 'always' || text === 'never')
    return text ?? 'missing'
  throw new TsrunError(
    'invalid-argument',
    `cannot use --pull "${text}": it is one of always, missing, never`,
  )
}

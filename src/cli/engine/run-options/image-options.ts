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
  quiet: { type: 'flag', alias: 'q', describe: 'do not show how the image is fetched' },
  retry: {
    type: 'string',
    describe: 'how often a fetch that failed is tried again',
    value: 'number',
  },
  'retry-delay': {
    type: 'string',
    describe: 'how long to wait before that, instead of 1, 2, 4, … seconds',
    value: '5s',
  },
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
    retry: { times: options.integer('retry') ?? 0, delay: delayOf(options.string('retry-delay')) },
  }
}

/** Seconds. */
function delayOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, number, unit = 's'] = /^(\d{1,6}(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  if (number !== undefined) return Number(number) * ({ ms: 0.001, s: 1, m: 60, h: 3600 }[unit] ?? 1)
  throw new TsrunError(
    'invalid-argument',
    `cannot use --retry-delay "${text}": it must be a duration such as 5s`,
  )
}

function pullOf(text: string | undefined): RunRequest['pull'] {
  if (text === undefined || text === 'missing' || text === 'always' || text === 'never')
    return text ?? 'missing'
  throw new TsrunError(
    'invalid-argument',
    `cannot use --pull "${text}": it is one of always, missing, never`,
  )
}

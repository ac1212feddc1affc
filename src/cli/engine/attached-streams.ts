/** --attach: which streams of a container in the foreground are the user's. */
import { TsrunError } from '../../errors.ts'
import type { CommandOptions } from './command.ts'

export type StreamName = 'stdin' | 'stdout' | 'stderr'

const STREAMS: readonly StreamName[] = ['stdin', 'stdout', 'stderr']

/** All three when none is named. */
export function attachedStreams(options: CommandOptions): ReadonlySet<StreamName> {
  const texts = options.list('attach')
  if (texts.length === 0) return new Set(STREAMS)
  if (options.flag('detach')) {
    throw new TsrunError('invalid-argument', 'cannot use --attach together with --detach')
  }
  return new Set(
    texts.map((text) => {
      const stream = STREAMS.find((name) => name === text.toLowerCase())
      if (stream !== undefined) return stream
      throw new TsrunError(
        'invalid-argument',
        `cannot use --attach "${text}": it is one of ${STREAMS.join(', ')}`,
      )
    }),
  )
}
